"""What composable schedules are made of: lengths of time and heights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any, Literal, TypeAlias

from lrkeeper.schedules import checks
from lrkeeper.schedules.shape import DefinitionError
from lrkeeper.schedules.sugar import levels, spans

Axis: TypeAlias = Literal["steps", "epochs", "samples", "tokens"]
"""What a clock counts."""


@dataclass(frozen=True)
class Span:
    """A length of time, or a time: so many steps, epochs, samples or tokens, or a fraction of the total.

    `parameter` names the definition's number of steps that a run gives.

    Raises ValueError unless exactly one is given.
    """

    steps: float | None = None
    epochs: float | None = None
    samples: float | None = None
    tokens: float | None = None
    fraction: float | None = None
    parameter: str | None = None

    def __post_init__(self) -> None:
        _only_one("Span", self)

    @property
    def unit(self) -> str:
        """The field that is given: an axis, "fraction" or "parameter"."""
        return next(field.name for field in fields(self) if getattr(self, field.name) is not None)

    @property
    def amount(self) -> float:
        """How many, or which fraction."""
        amount: float = getattr(self, self.unit)
        return amount

    @property
    def length(self) -> float:
        """The length in the clock's unit. Raises ValueError for a fraction or parameter, which the whole says."""
        if self.fraction is not None:
            raise ValueError(f"a span is {self.fraction:g} of the total, and no total is given")
        if self.parameter is not None:
            raise ValueError(f"a span is the parameter {self.parameter!r}, and no value is given for it")
        return float(self.amount)


@dataclass(frozen=True)
class Level:
    """A height: a number, times the base value, or times what the stage before has reached.

    `parameter` names the definition's number that a run gives.

    Raises ValueError unless exactly one is given.
    """

    absolute: float | None = None
    relative: float | None = None
    before: float | None = None
    parameter: str | None = None

    def __post_init__(self) -> None:
        _only_one("Level", self)

    def on(self, base: float, before: float) -> float:
        """Return the height over a base value, after a stage that has reached `before`."""
        if self.absolute is not None:
            return float(self.absolute)
        if self.relative is not None:
            return self.relative * base
        if self.parameter is not None:
            raise ValueError(f"a level is the parameter {self.parameter!r}, and no value is given for it")
        assert self.before is not None
        return self.before * before


Length: TypeAlias = Span | float | str
"""A length or a time: a number is of steps, a text is as in schedule files. A checked definition has a Span."""

Height: TypeAlias = Level | float | str
"""A height: a number is absolute, a text is as in schedule files. A checked definition has a Level."""


def length(value: Length) -> float:
    """Return a length in the clock's unit. Raises ValueError as `Span.length`."""
    return value.length if isinstance(value, Span) else float(value)


def height(value: Height, base: float, before: float) -> float:
    """Return a height over a base value, after a stage that has reached `before`."""
    return value.on(base, before) if isinstance(value, Level) else float(value)


def span(
    owner: str, field: str, value: Any, *, above: float | None = None, at_least: float | None = None
) -> Span:
    """Return a span; a plain number is of steps, a text as in schedule files. Raises TypeError or ValueError."""
    if isinstance(value, str):
        value = Span(**_read(spans.span, owner, field, value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = Span(steps=value)
    if not isinstance(value, Span):
        raise TypeError(
            f"{owner}: {field} is {value!r}; it must be a number of steps, a text such as '10ep', or a Span"
        )
    if value.parameter is not None:
        return value
    checks.inside(owner, f"{field}.{value.unit}", value.amount, above=above, at_least=at_least)
    return value


def level(owner: str, field: str, value: Any) -> Level:
    """Return a level; a plain number is absolute, a text as in schedule files. Raises TypeError or ValueError."""
    if isinstance(value, str):
        value = Level(**_read(levels.level, owner, field, value))
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = Level(absolute=value)
    if not isinstance(value, Level):
        raise TypeError(
            f"{owner}: {field} is {value!r}; it must be a number, a text such as '10%', or a Level"
        )
    for each in fields(value):
        number = getattr(value, each.name)
        if number is not None and each.name != "parameter":
            checks.number(owner, f"{field}.{each.name}", number, "a finite number")
    return value


def increasing(owner: str, field: str, values: Iterable[Length]) -> tuple[Span, ...]:
    """Return times, none below 0, of which those in the same unit increase. Raises TypeError or ValueError."""
    found: list[Span] = []
    latest: dict[str, float] = {}
    for place, value in enumerate(values):
        where = f"{field}[{place}]"
        each = span(owner, where, value, at_least=0)
        if each.parameter is None:
            before = latest.get(each.unit)
            if before is not None and each.amount <= before:
                raise ValueError(
                    f"{owner}: {where}.{each.unit} is {each.amount!r}, after {before!r}; times must increase"
                )
            latest[each.unit] = each.amount
        found.append(each)
    return tuple(found)


def lengths(owner: str, field: str, values: Iterable[Length]) -> list[float]:
    """Return times in the clock's unit. Raises ValueError unless they increase."""
    found = [length(each) for each in values]
    for place, (before, after) in enumerate(pairwise(found), start=1):
        if after <= before:
            raise ValueError(f"{owner}: {field}[{place}] is {after:g}, after {before:g}; times must increase")
    return found


def _read(reader: Callable[[Any, str], Any], owner: str, field: str, text: str) -> dict[str, Any]:
    """Return the fields of a part that a text means. Raises ValueError."""
    try:
        found: dict[str, Any] = reader(text, field)
    except DefinitionError as error:
        raise ValueError(f"{owner}: {field} {error.problem}") from None
    return found


def _only_one(name: str, part: Span | Level) -> None:
    given = [field.name for field in fields(part) if getattr(part, field.name) is not None]
    if len(given) != 1:
        names = ", ".join(field.name for field in fields(part))
        raise ValueError(f"{name}: {' and '.join(given) or 'nothing'} is given; give one of {names}")


ONCE = Level(relative=1.0)
"""The base value."""

REACHED = Level(before=1.0)
"""What the stage before has reached; the base value if there is none."""

ZERO = Level(absolute=0.0)
