"""A fall by a power of the time."""

from __future__ import annotations

from lrkeeper.schedules import checks
from lrkeeper.schedules.composable.closed_form import ClosedForm, Curve, Scope
from lrkeeper.schedules.composable.parts import REACHED, ZERO, Height, Length, height, length, level, span
from lrkeeper.schedules.schedule import definition


@definition("power")
class Power(ClosedForm):
    """Falls by a power of the time: toward + (begin - toward) · (1 + u / scale) ** -power.

    Source: transformers' inverse square root has the power 0.5 and its timescale as `scale`; Keras's
    InverseTimeDecay has the power 1 and decay_steps / decay_rate as `scale`.

    Args:
        scale: the time in which 1 + u / scale doubles, above 0; a number is of steps.
        begin: the value at first: by default what the stage before has reached.
        toward: what it comes near to, and never reaches.
        power: the exponent, above 0.

    Raises:
        TypeError, ValueError: a field is of another type or out of its range.
    """

    scale: Length
    begin: Height = REACHED
    toward: Height = ZERO
    power: float = 0.5

    def check(self) -> None:
        object.__setattr__(self, "scale", span("Power", "scale", self.scale, above=0))
        for name in ("begin", "toward"):
            object.__setattr__(self, name, level("Power", name, getattr(self, name)))
        checks.inside("Power", "power", self.power, above=0)

    def compile(self, scope: Scope) -> Curve:
        begin, toward = (height(each, scope.base, scope.before) for each in (self.begin, self.toward))
        rise, scale, exponent = begin - toward, length(self.scale), -float(self.power)
        return lambda time: toward + rise * (1.0 + time / scale) ** exponent
