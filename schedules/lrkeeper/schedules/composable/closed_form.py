"""A schedule whose value follows from the time alone."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

from lrkeeper.schedules.composable.parts import Axis, Span
from lrkeeper.schedules.composable.work import Work
from lrkeeper.schedules.given import AXES, NO_INPUTS, Inputs
from lrkeeper.schedules.numbers import Real, Row, totals_of
from lrkeeper.schedules.schedule import Memory, Schedule

Curve: TypeAlias = Callable[[float], float]
"""The value at a time, in the clock's unit. Raises ArithmeticError or ValueError where there is none."""


class Scope(NamedTuple):
    """What a curve depends on besides the time."""

    base: float
    """The base value: 1x."""
    before: float
    """What the stage before has reached; the base value where there is none."""
    total: float | None = None
    """How long it all goes on, in the clock's unit, where that is known: for expressions."""
    began: float = 0.0
    """The outer time at which the curve's own clock began."""
    length: float | None = None
    """How long the curve rules, in its own clock, where a stage says so: for expressions."""
    axis: Axis = "steps"
    """What the clock counts."""
    work: Work | None = None
    """What may still be compiled for the row."""


_PROBES = 32
"""At how many parts of the total a formula is tried."""


class ClosedForm(Schedule):
    """A schedule that can be asked for any time at the same cost.

    It is compiled for each base value to one function with its levels and spans as numbers. Its memory is the
    step; what the clock counts besides steps comes with each step, as its progress.
    """

    @abstractmethod
    def compile(self, scope: Scope) -> Curve:
        """Return the curve in a scope. Raises ValueError where there is none."""

    @property
    def closed(self) -> bool:
        return True

    @property
    def axis(self) -> Axis:
        """What the clock counts: the unit of the spans, steps if there is none.

        Raises ValueError if there are several.
        """
        units = {span.unit for span in found_in(self, Span)} - {"fraction", "parameter"}
        for member in members_of(self):
            if isinstance(member, ClosedForm):
                units |= member.named_axes
        if len(units) > 1:
            raise ValueError(
                f"{type(self).__name__}: spans are in {' and '.join(sorted(units))}; one clock counts one unit"
            )
        return cast(Axis, units.pop()) if units else "steps"

    @property
    def named_axes(self) -> frozenset[str]:
        """The axes that it names itself, other than by spans."""
        return frozenset()

    def check_within(self, totals: Mapping[str, float]) -> None:
        axis, work = self.axis, Work()
        if not self.closed:
            return
        total = totals.get(axis)
        curve = self.compile(Scope(1.0, 1.0, total, axis=axis, work=work))
        if total is not None and any(member.kind == "expression" for member in members_of(self)):
            for place in range(
                _PROBES + 1
            ):  # a formula may have no value somewhere: over the range, not only near 0
                work.spent = 0
                at = float(math.floor(total * place / _PROBES))
                try:
                    finite(curve(at), int(at))
                except (ValueError, ArithmeticError) as error:
                    raise ValueError(f"there is no value when {at:g} {axis} have passed: {error}") from error

    def start(self, base: Row, now: Row, inputs: Inputs = NO_INPUTS) -> tuple[Memory, Row]:
        return 0, self._row(0, base, now, inputs)

    def advance(self, memory: Any, base: Row, now: Row, inputs: Inputs) -> tuple[Memory, Row]:
        return memory + 1, self._row(memory + 1, base, now, inputs)

    def at(self, step: int, base: Row, now: Row) -> tuple[Memory, Row] | None:
        if not self.closed:
            return None
        known = step == 0 or self.axis == "steps"
        return step, self._row(step, base, now, NO_INPUTS) if known else now

    def ahead(self, step: int, count: int, base: Row, now: Row) -> tuple[Memory, list[Row]] | None:
        if not self.closed or self.axis != "steps":
            return None
        steps = range(step + 1, step + count + 1)
        _, curves, work = self._compiled(base)
        columns = []
        for kind, curve in zip(map(type, now["lr"]), curves, strict=True):
            column = []
            for at in steps:
                work.spent = 0
                column.append(finite(kind(curve(float(at))), at))
            columns.append(column)
        if len(now) == 1:
            return step + count, [{"lr": values} for values in zip(*columns, strict=True)]
        return step + count, [{**now, "lr": values} for values in zip(*columns, strict=True)]

    def time(self, step: int, inputs: Inputs) -> float:
        """Return what the clock shows at a step. Raises NotTold."""
        return _time(self.axis, step, inputs)

    def _row(self, step: int, base: Row, now: Row, inputs: Inputs) -> Row:
        axis, curves, work = self._compiled(base)
        work.spent = 0
        time = _time(axis, step, inputs)
        values = []
        for like, curve in zip(now["lr"], curves, strict=True):
            values.append(finite(type(like)(curve(time)), step))
        return {**now, "lr": tuple(values)}

    def _compiled(self, base: Row) -> tuple[Axis, tuple[Curve, ...], Work]:
        """Return the clock's axis, a curve for each param group, and what they spend from.

        Kept for the base row last asked with.
        """
        kept = self.__dict__.get("_kept")
        if kept is not None and kept[0] is base:
            return cast(tuple[Axis, tuple[Curve, ...], Work], kept[1])
        axis, work = self.axis, Work()
        total = totals_of(base).get(axis)
        scopes = (Scope(float(b), float(b), total, axis=axis, work=work) for b in base["lr"])
        found = axis, tuple(map(self.compile, scopes)), work
        self.__dict__["_kept"] = base, found
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("_kept", "_beneath")}


def is_closed(schedule: Schedule) -> bool:
    """Return whether a schedule can be compiled."""
    return isinstance(schedule, ClosedForm) and schedule.closed


def compiled(schedule: Schedule, scope: Scope) -> Curve:
    """Return the curve of a schedule that lies in another, and is in closed form.

    Raises ValueError as `compile`, and where the row has taken too much work already.
    """
    assert isinstance(schedule, ClosedForm), schedule
    assert schedule.closed, schedule
    if scope.work is not None:
        scope.work.spend()
    return schedule.compile(scope)


def member(owner: str, field: str, value: Any, *, closed: bool = False) -> None:
    """Raise TypeError unless a value is a schedule, ValueError unless it is in closed form if that is needed."""
    if not isinstance(value, Schedule):
        raise TypeError(f"{owner}: {field} is {value!r}; it must be a schedule")
    if closed and not is_closed(value):
        raise ValueError(
            f"{owner}: {field} is {value.kind}; it must be in closed form, a composable kind "
            "without a torch class or a metric in it"
        )


def finite(value: Real, step: int) -> Real:
    """Return a value of a row. Raises ValueError if it is no finite number."""
    if not math.isfinite(value):
        raise ValueError(f"the value at step {step} is {value}, which is no finite number")
    return value


def members_of(value: Any) -> Iterator[Schedule]:
    """Yield a schedule, and all schedules in it."""
    if isinstance(value, Schedule):
        yield value
    if isinstance(value, tuple):
        for item in value:
            yield from members_of(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from members_of(getattr(value, field.name))


def _time(axis: Axis, step: int, inputs: Inputs) -> float:
    return float(step) if axis == "steps" else inputs.progress(axis, step)


Part = TypeVar("Part")


def found_in(value: Any, kind: type[Part]) -> Iterator[Part]:
    """Yield the parts of a kind that a definition has, however deep."""
    if isinstance(value, kind):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from found_in(item, kind)
    elif is_dataclass(value):
        for field in fields(value):
            yield from found_in(getattr(value, field.name), kind)


def counted(schedule: Schedule) -> tuple[str, ...]:
    """Return what a definition counts besides steps, wherever in it."""
    units: set[str] = {span.unit for span in found_in(schedule, Span)}
    for member in members_of(schedule):
        units |= getattr(member, "named_axes", frozenset())  # those that a formula names
    return tuple(axis for axis in AXES if axis in units)


Whole = TypeVar("Whole")


def with_total(value: Whole, total: Span) -> Whole:
    """Return a definition, or a part of one, with its fractions as parts of the total."""

    def steps_of(span: Span) -> Span:
        if span.fraction is None:
            return span
        return Span(**{total.unit: span.fraction * total.amount})  # type: ignore[arg-type]

    return with_changed(value, Span, steps_of)


def with_changed(value: Whole, kind: type[Part], change: Callable[[Part], Part]) -> Whole:
    """Return a definition, or a part of one, with its parts of a kind changed, however deep."""
    if isinstance(value, kind):
        return cast(Whole, change(value))
    if isinstance(value, tuple):
        return cast(Whole, tuple(with_changed(item, kind, change) for item in value))
    if not is_dataclass(value) or isinstance(value, type):
        return value
    found = {f.name: with_changed(getattr(value, f.name), kind, change) for f in fields(value)}
    return cast(Whole, value.altered(**found) if isinstance(value, Schedule) else replace(value, **found))
