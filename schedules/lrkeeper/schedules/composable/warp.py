"""Another clock for a schedule."""

from __future__ import annotations

import math

from lrkeeper.schedules import checks
from lrkeeper.schedules.composable.closed_form import ClosedForm, Curve, Scope, compiled, member
from lrkeeper.schedules.composable.parts import Length, length, span
from lrkeeper.schedules.schedule import Schedule, definition


@definition("warp")
class Warp(ClosedForm):
    """Gives a schedule another clock: at time u it is at rate · (u, rounded down to a multiple of every) + shift.

    Its time is never below 0. (`every` makes stairs of any schedule; a shift of 1 is the counting of libraries
    whose step u has the value of u + 1.)

    Args:
        schedule: what is at that time; in closed form.
        rate: how fast its clock goes, at least 0.
        shift: how far ahead it is; below 0: behind. A number is of steps.
        every: the length of a stair, above 0; none if absent.

    Raises:
        TypeError, ValueError: a field is of another type or out of its range, or the schedule not in closed form.
    """

    schedule: Schedule
    rate: float = 1.0
    shift: Length | None = None
    every: Length | None = None

    def check(self) -> None:
        member("Warp", "schedule", self.schedule, closed=True)
        checks.inside("Warp", "rate", self.rate, at_least=0)
        if self.shift is not None:
            object.__setattr__(self, "shift", span("Warp", "shift", self.shift))
        if self.every is not None:
            object.__setattr__(self, "every", span("Warp", "every", self.every, above=0))

    def compile(self, scope: Scope) -> Curve:
        curve = compiled(self.schedule, scope._replace(length=None))
        rate, shift = float(self.rate), 0.0 if self.shift is None else length(self.shift)
        if self.every is None:
            return lambda time: curve(max(0.0, rate * time + shift))
        every = length(self.every)
        return lambda time: curve(max(0.0, rate * (math.floor(time / every) * every) + shift))
