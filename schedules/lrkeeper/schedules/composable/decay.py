"""A fall by the same factor again and again."""

from __future__ import annotations

import math

from lrkeeper.schedules import checks
from lrkeeper.schedules.composable.closed_form import ClosedForm, Curve, Scope
from lrkeeper.schedules.composable.parts import ONCE, Height, Length, height, length, level, span
from lrkeeper.schedules.schedule import definition


@definition("decay")
class Decay(ClosedForm):
    """Falls by the same factor again and again: begin · factor ** ⌊u / every⌋.

    Source: optax's exponential_decay and Keras's ExponentialDecay have both forms; with `staircase` it is torch's
    StepLR in closed form, without torch's ExponentialLR.

    Args:
        factor: what each period multiplies by, at least 0.
        every: the period, above 0; a number is of steps.
        begin: the value at first: by default the base value.
        staircase: whether the exponent is rounded down, so that the value falls in steps.

    Raises:
        TypeError, ValueError: a field is of another type or out of its range.
    """

    factor: float
    every: Length
    begin: Height = ONCE
    staircase: bool = True

    def check(self) -> None:
        checks.inside("Decay", "factor", self.factor, at_least=0)
        object.__setattr__(self, "every", span("Decay", "every", self.every, above=0))
        object.__setattr__(self, "begin", level("Decay", "begin", self.begin))
        checks.flags("Decay", self, "staircase")

    def compile(self, scope: Scope) -> Curve:
        begin = height(self.begin, scope.base, scope.before)
        factor, every = float(self.factor), length(self.every)
        if self.staircase:
            return lambda time: begin * factor ** math.floor(time / every)
        return lambda time: begin * factor ** (time / every)
