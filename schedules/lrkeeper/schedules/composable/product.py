"""Several schedules multiplied."""

from __future__ import annotations

import math
from collections import abc

from lrkeeper.schedules.composable.closed_form import Scope, member
from lrkeeper.schedules.composable.pointwise import Join, Pointwise
from lrkeeper.schedules.schedule import Schedule, definition


@definition("product")
class Product(Pointwise):
    """The base value times all of its schedules, in which once the base value is 1.

    A level that goes on from the stage before has that value's share of the base value. Members may be of
    torch classes too: each has the base lr 1, and is a factor.

    Args:
        schedules: at least one.

    Raises:
        TypeError, ValueError: a member is no schedule, or there is none.
    """

    schedules: abc.Sequence[Schedule]

    def check(self) -> None:
        several(self)

    @property
    def members(self) -> abc.Sequence[Schedule]:
        return self.schedules

    def inner(self, scope: Scope) -> Scope:
        before = scope.before / scope.base if scope.base else 1.0
        return scope._replace(base=1.0, before=before)

    def join(self, scope: Scope) -> Join:
        base = scope.base
        return lambda values: base * math.prod(values)


def several(owner: Pointwise) -> None:
    """Check the schedules of a kind that has several; they become a tuple."""
    name, schedules = type(owner).__name__, getattr(owner, "schedules")  # noqa: B009 - a field of those kinds only
    if not isinstance(schedules, list | tuple):
        raise TypeError(f"{name}: schedules is {schedules!r}; it must be a list of schedules")
    object.__setattr__(owner, "schedules", tuple(schedules))
    if not schedules:
        raise ValueError(f"{name}: schedules is empty; it must have at least one")
    for place, schedule in enumerate(schedules):
        member(name, f"schedules[{place}]", schedule)
