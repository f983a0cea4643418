"""Checks that the builders share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any


def number(owner: str, field: str, value: Any, wanted: str) -> None:
    """Raise TypeError unless `value` is a number, ValueError unless it is finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{owner}: {field} is {value!r}; it must be {wanted}")
    if not math.isfinite(value):
        raise ValueError(f"{owner}: {field} is {value!r}; it must be {wanted}")


def inside(
    owner: str,
    field: str,
    value: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
) -> None:
    """Check a number against its bounds."""
    bounds = {"above": above, "at least": at_least, "below": below, "at most": at_most}
    wanted = ", ".join(
        ["a number", *(f"{name} {bound}" for name, bound in bounds.items() if bound is not None)]
    )
    number(owner, field, value, wanted)
    if (
        (above is not None and value <= above)
        or (at_least is not None and value < at_least)
        or (below is not None and value >= below)
        or (at_most is not None and value > at_most)
    ):
        raise ValueError(f"{owner}: {field} is {value!r}; it must be {wanted}")


def whole(owner: str, field: str, value: Any, *, at_least: int) -> None:
    """Check a number of steps."""
    wanted = f"a whole number, at least {at_least}"
    number(owner, field, value, wanted)
    if value != int(value) or value < at_least:
        raise ValueError(f"{owner}: {field} is {value!r}; it must be {wanted}")


def one_of(owner: str, field: str, value: Any, choices: Sequence[str]) -> None:
    """Check a word."""
    if value not in choices:
        error = ValueError if isinstance(value, str) else TypeError
        raise error(f"{owner}: {field} is {value!r}; it must be {' or '.join(map(repr, choices))}")


def flags(owner: str, schedule: Any, *fields: str) -> None:
    """Check switches."""
    for field in fields:
        value = getattr(schedule, field)
        if not isinstance(value, bool):
            raise TypeError(f"{owner}: {field} is {value!r}; it must be True or False")


def per_group(owner: str, schedule: Any, *fields: str, at_least: float = 0, optional: bool = False) -> None:
    """Check numbers of which each param group has one, or all have the same; they become a tuple."""
    for field in fields:
        values = getattr(schedule, field)
        if isinstance(values, str) or not isinstance(values, list | tuple):
            inside(owner, field, values, at_least=at_least)
            values = (values,)
        if not values and not optional:
            raise ValueError(f"{owner}: {field} is empty; it must be a number, or one for each param group")
        for place, value in enumerate(values):
            inside(owner, field if len(values) == 1 else f"{field}[{place}]", value, at_least=at_least)
        object.__setattr__(schedule, field, tuple(values))


def decay_factor(owner: str, gamma: Any) -> None:
    """Check a factor that multiplies the lr at every drop."""
    wanted = "a finite number, at least 0"
    number(owner, "gamma", gamma, wanted)
    if gamma < 0:
        raise ValueError(f"{owner}: gamma is {gamma!r}; it must be {wanted}")


def milestones(owner: str, field: str, values: Sequence[Any], *, at_least: int) -> None:
    """Check steps that must increase."""
    before: float | None = None
    for place, value in enumerate(values):
        where = f"{field}[{place}]"
        number(owner, where, value, f"a whole number, at least {at_least}")
        if value != int(value) or value < at_least:
            raise ValueError(f"{owner}: {where} is {value!r}; it must be a whole number, at least {at_least}")
        if before is not None and value <= before:
            raise ValueError(
                f"{owner}: {where} is {value!r}, after {before!r}; milestones must increase, each once"
            )
        before = value
