"""A schedule again and again."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from typing import Any

from lrkeeper.schedules import checks
from lrkeeper.schedules.composable.closed_form import ClosedForm, Curve, Scope, compiled, member
from lrkeeper.schedules.composable.parts import Length, length, span
from lrkeeper.schedules.schedule import Schedule, definition

_ROUNDING = 1e-12
_DEEPEST = 4  # each level may be compiled and asked several times for one value


@definition("repeat")
class Repeat(ClosedForm):
    """Repeats a schedule: cycle i, from 0, is `period` · growth ** i long, and its height is changed by gain ** i.

    A longer cycle is the same curve, stretched. Cycles are not rounded to whole steps: one begins where the lengths
    of those before it end (where that is a whole number but for the rounding of floats, there).
    The value at any time costs the same.

    Args:
        schedule: the cycle, in closed form.
        period: the length of the first cycle, above 0; a number is of steps.
        growth: by what each cycle is longer than the one before, above 0; below 1 only with a count.
        gain: by what each cycle is higher or lower, at least 0.
        gain_on: what the gain multiplies: "peak" the base value in the cycle and what the stage before has reached, so
            that absolute levels stay; "amplitude" what lies above the cycle's last value; "both" all.
        count: how many cycles, at least 1; for ever if absent.
        afterwards: what comes after them, from the last cycle's last value; that value if absent. In closed form.

    Raises:
        TypeError, ValueError: a field is of another type or out of its range, or a schedule not in closed form.
    """

    schedule: Schedule
    period: Length
    growth: float = 1.0
    gain: float = 1.0
    gain_on: str = "peak"
    count: int | None = None
    afterwards: Schedule | None = None

    def check(self) -> None:
        member("Repeat", "schedule", self.schedule, closed=True)
        object.__setattr__(self, "period", span("Repeat", "period", self.period, above=0))
        checks.inside("Repeat", "growth", self.growth, above=0)
        checks.inside("Repeat", "gain", self.gain, at_least=0)
        checks.one_of("Repeat", "gain_on", self.gain_on, ("peak", "amplitude", "both"))
        if self.count is not None:
            checks.whole("Repeat", "count", self.count, at_least=1)
        elif self.growth < 1:
            raise ValueError(
                f"Repeat: growth is {self.growth!r}; cycles that become shorter never get beyond "
                "some time: give a count"
            )
        if self.afterwards is not None:
            member("Repeat", "afterwards", self.afterwards, closed=True)
            if self.count is None:
                raise ValueError(
                    "Repeat: afterwards is given, and count is not; without it nothing comes after"
                )
        if _levels(self) > _DEEPEST:
            raise ValueError(f"Repeat: schedule has repeats in repeats; {_DEEPEST} of them are most")

    def compile(self, scope: Scope) -> Curve:
        period, growth = length(self.period), float(self.growth)
        kept = (0, self._cycle(scope, 0))

        def at(time: float) -> float:
            nonlocal kept
            index = _index(time, period, growth)
            if self.count is not None and index >= self.count:
                return after(time)
            if kept[0] != index:
                kept = (index, self._cycle(scope, index))
            return kept[1]((time - _begin(index, period, growth)) / growth**index)

        after = self._after(scope, period, growth) if self.count is not None else at
        return at

    def _after(self, scope: Scope, period: float, growth: float) -> Curve:
        """Return what comes after the cycles, over the time of all."""
        assert self.count is not None
        last, end = self._cycle(scope, self.count - 1)(period), _begin(self.count, period, growth)
        if self.afterwards is None:
            return lambda _time: last
        began, rest = scope.began + end, None if scope.length is None else scope.length - end
        inner = scope._replace(before=last, began=began, length=rest)
        curve = compiled(self.afterwards, inner)
        return lambda time: curve(time - end)

    def _cycle(self, scope: Scope, index: int) -> Curve:
        """Return the curve of a cycle, over the time of the first one."""
        gain = float(self.gain) ** index
        began, period = (
            scope.began + _begin(index, length(self.period), float(self.growth)),
            length(self.period),
        )
        scope = scope._replace(began=began, length=period)
        if self.gain_on == "peak":
            scope = scope._replace(base=scope.base * gain, before=scope.before * gain)
        curve = compiled(self.schedule, scope)
        if self.gain_on == "peak" or gain == 1.0:
            return curve
        floor = curve(period) if self.gain_on == "amplitude" else 0.0
        return lambda time: floor + gain * (curve(time) - floor)


def _levels(value: Any) -> int:
    """Return how many repeats are in each other, at most."""
    if isinstance(value, tuple):
        return max(map(_levels, value), default=0)
    if not is_dataclass(value):
        return 0
    inside = max((_levels(getattr(value, field.name)) for field in fields(value)), default=0)
    return inside + isinstance(value, Repeat)


def _begin(index: int, period: float, growth: float) -> float:
    """Return when a cycle begins."""
    if growth == 1.0:
        return index * period
    found = period * math.expm1(index * math.log(growth)) / (growth - 1.0)
    whole = round(found)
    return float(whole) if abs(found - whole) <= _ROUNDING * abs(whole) else found


def _index(time: float, period: float, growth: float) -> int:
    """Return in which cycle a time is: the sum of lengths, solved for their number, which floats may miss by 1."""
    if growth == 1.0:
        index = math.floor(time / period)
    else:
        passed = time * (growth - 1.0) / period
        if passed <= -1.0:
            return 1 << 62  # a time that shrinking cycles never reach
        index = math.floor(math.log1p(passed) / math.log(growth))
    if time < _begin(index, period, growth):
        return index - 1
    return index + 1 if time >= _begin(index + 1, period, growth) else index
