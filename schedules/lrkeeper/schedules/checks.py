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
