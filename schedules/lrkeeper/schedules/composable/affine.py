"""A schedule scaled, moved and held between bounds."""

from __future__ import annotations

import math
from collections import abc

from lrkeeper.schedules import checks
from lrkeeper.schedules.composable.closed_form import Scope, member
from lrkeeper.schedules.composable.parts import ZERO, Height, height, level
from lrkeeper.schedules.composable.pointwise import Join, Pointwise
from lrkeeper.schedules.schedule import Schedule, definition


@definition("affine")
class Affine(Pointwise):
    """Moves a schedule: scale · value + add, not below `low` and not above `high`.

    Args:
        schedule: what gives the value; one of a torch class too.
        scale: what it is multiplied by.
        add: what is added then.
        low, high: the bounds; none if absent.

    Raises:
        TypeError, ValueError: a field is of another type, or low is above high.
    """

    schedule: Schedule
    scale: float = 1.0
    add: Height = ZERO
    low: Height | None = None
    high: Height | None = None

    def check(self) -> None:
        member("Affine", "schedule", self.schedule)
        checks.number("Affine", "scale", self.scale, "a finite number")
        object.__setattr__(self, "add", level("Affine", "add", self.add))
        for name in ("low", "high"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, level("Affine", name, getattr(self, name)))

    @property
    def members(self) -> abc.Sequence[Schedule]:
        return (self.schedule,)

    def join(self, scope: Scope) -> Join:
        scale, add = float(self.scale), height(self.add, scope.base, scope.before)
        low = -math.inf if self.low is None else height(self.low, scope.base, scope.before)
        high = math.inf if self.high is None else height(self.high, scope.base, scope.before)
        if low > high:
            raise ValueError(f"Affine: low is {low:g}, above high, which is {high:g}")
        return lambda values: min(max(scale * values[0] + add, low), high)
