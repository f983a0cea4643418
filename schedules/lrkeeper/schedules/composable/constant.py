"""The same value for ever."""

from __future__ import annotations

from lrkeeper.schedules.composable.closed_form import ClosedForm, Curve, Scope
from lrkeeper.schedules.composable.parts import ONCE, Height, height, level
from lrkeeper.schedules.schedule import definition


@definition("constant")
class Constant(ClosedForm):
    """The same value for ever.

    Args:
        value: the value; a number is absolute.

    Raises:
        TypeError, ValueError: value is no finite number or Level.
    """

    value: Height = ONCE

    def check(self) -> None:
        object.__setattr__(self, "value", level("Constant", "value", self.value))

    def compile(self, scope: Scope) -> Curve:
        value = height(self.value, scope.base, scope.before)
        return lambda _time: value
