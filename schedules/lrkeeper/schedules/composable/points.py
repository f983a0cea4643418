"""Values at given times."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import abc
from dataclasses import dataclass
from typing import Any

from lrkeeper.schedules import checks
from lrkeeper.schedules.composable.closed_form import ClosedForm, Curve, Scope
from lrkeeper.schedules.composable.parts import Height, Length, height, increasing, lengths, level
from lrkeeper.schedules.schedule import definition


@dataclass(frozen=True)
class Point:
    """A time and the value there; a plain number is of steps, or absolute."""

    at: Length
    value: Height


@definition("points")
class Points(ClosedForm):
    """Values at given times, and between them: the first before its time, the last for ever after.

    Between two points a and b, with p the part of the way from one's time to the other's:

    * linear: a + (b - a) · p
    * step: a
    * cosine: a + (b - a) · ½ (1 - cos πp)

    Args:
        points: at least one, of times at least 0 that increase; a pair of time and value is one too.
        interpolation: one of the above.
        boundary: with "step", whose value the time of a point has: its own ("later") or that of the point before
            ("earlier", as in Keras's PiecewiseConstantDecay).

    Raises:
        TypeError, ValueError: a field is of another type or out of its range.
    """

    points: abc.Sequence[Point | tuple[Length, Height]]
    interpolation: str = "linear"
    boundary: str = "later"

    def check(self) -> None:
        if isinstance(self.points, str) or not isinstance(self.points, list | tuple):
            raise TypeError(f"Points: points is {self.points!r}; it must be a list of points")
        if not self.points:
            raise ValueError("Points: points is empty; it must have at least one")
        pairs = [_pair(place, point) for place, point in enumerate(self.points)]
        ats = increasing("Points", "points", [at for at, _ in pairs])
        levels = [level("Points", f"points[{place}].value", value) for place, (_, value) in enumerate(pairs)]
        object.__setattr__(self, "points", tuple(map(Point, ats, levels)))
        checks.one_of("Points", "interpolation", self.interpolation, ("linear", "step", "cosine"))
        checks.one_of("Points", "boundary", self.boundary, ("later", "earlier"))

    def compile(self, scope: Scope) -> Curve:
        pairs = [_pair(place, point) for place, point in enumerate(self.points)]
        ats = lengths("Points", "points", [at for at, _ in pairs])
        values = [height(value, scope.base, scope.before) for _, value in pairs]
        if self.interpolation == "step":
            find, ends = (bisect_right if self.boundary == "later" else bisect_left), ats[1:]
            return lambda time: values[find(ends, time)]
        first, last, eased = ats[0], ats[-1], self.interpolation == "cosine"

        def at(time: float) -> float:
            if time <= first:
                return values[0]
            if time >= last:
                return values[-1]
            place = bisect_right(ats, time)
            began, ends, a, b = ats[place - 1], ats[place], values[place - 1], values[place]
            if abs(a) > abs(b):  # from the lower value on, so that no digits are lost there
                began, ends, a, b = ends, began, b, a
            part = (time - began) / (ends - began)
            return a + (b - a) * (0.5 * (1.0 - math.cos(math.pi * part)) if eased else part)

        return at


def _pair(place: int, point: Any) -> tuple[Any, Any]:
    if isinstance(point, Point):
        return point.at, point.value
    if isinstance(point, tuple | list) and len(point) == 2:
        return point[0], point[1]
    raise TypeError(f"Points: points[{place}] is {point!r}; it must be a Point, or a time and a value")
