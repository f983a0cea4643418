"""The least or the greatest of several schedules."""

from __future__ import annotations

from collections import abc

from lrkeeper.schedules import checks
from lrkeeper.schedules.composable.closed_form import Scope
from lrkeeper.schedules.composable.pointwise import Join, Pointwise
from lrkeeper.schedules.composable.product import several
from lrkeeper.schedules.schedule import Schedule, definition


@definition("pick")
class Pick(Pointwise):
    """The least or the greatest of the values that several schedules have.

    Args:
        which: "least" or "greatest".
        schedules: at least one; of torch classes too.

    Raises:
        TypeError, ValueError: a field is of another type or out of its range.
    """

    which: str
    schedules: abc.Sequence[Schedule]

    def check(self) -> None:
        checks.one_of("Pick", "which", self.which, ("least", "greatest"))
        several(self)

    @property
    def members(self) -> abc.Sequence[Schedule]:
        return self.schedules

    def join(self, scope: Scope) -> Join:
        return min if self.which == "least" else max
