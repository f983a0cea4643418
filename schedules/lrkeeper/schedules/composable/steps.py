"""Drops at given times."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import abc
from itertools import accumulate
from operator import mul

from lrkeeper.schedules import checks
from lrkeeper.schedules.composable.closed_form import ClosedForm, Curve, Scope
from lrkeeper.schedules.composable.parts import ONCE, Height, Length, height, increasing, lengths, level
from lrkeeper.schedules.schedule import definition


@definition("steps")
class Steps(ClosedForm):
    """Drops at given times: begin times the factor of each time that has come.

    Source: with one factor it is torch's MultiStepLR in closed form; optax's piecewise_constant_schedule has one
    for each time.

    Args:
        times: at least one; at least 0, and increasing. Numbers are of steps.
        factors: one for each time, or one for all; 0.1 if empty. At least 0.
        begin: the value at first: by default the base value.
        boundary: whether the time of a drop has the value after it ("later") or before ("earlier").

    Raises:
        TypeError, ValueError: a field is of another type or out of its range.
    """

    times: abc.Sequence[Length]
    factors: abc.Sequence[float] = ()
    begin: Height = ONCE
    boundary: str = "later"

    def check(self) -> None:
        for name in ("times", "factors"):
            values = getattr(self, name)
            if isinstance(values, str) or not isinstance(values, list | tuple):
                raise TypeError(f"Steps: {name} is {values!r}; it must be a list")
        if not self.times:
            raise ValueError("Steps: times is empty; it must have at least one")
        object.__setattr__(self, "times", increasing("Steps", "times", self.times))
        object.__setattr__(self, "factors", tuple(self.factors))
        for place, factor in enumerate(self.factors):
            checks.inside("Steps", f"factors[{place}]", factor, at_least=0)
        if len(self.factors) not in (0, 1, len(self.times)):
            raise ValueError(
                f"Steps: factors has {len(self.factors)} numbers for {len(self.times)} times; "
                "it must have one for each, or one for all"
            )
        object.__setattr__(self, "begin", level("Steps", "begin", self.begin))
        checks.one_of("Steps", "boundary", self.boundary, ("later", "earlier"))

    def compile(self, scope: Scope) -> Curve:
        times = lengths("Steps", "times", self.times)
        factors = self.factors or (0.1,)
        if len(factors) == 1:
            factors = (*factors,) * len(times)
        begin = height(self.begin, scope.base, scope.before)
        values = list(accumulate(map(float, factors), mul, initial=begin))
        find = bisect_right if self.boundary == "later" else bisect_left
        return lambda time: values[find(times, time)]
