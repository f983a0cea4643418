"""A function of the step as a table of points, so that nobody has to run the function again."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from itertools import pairwise

from lrkeeper.schedules import checks
from lrkeeper.schedules.codec import MAX_POINTS
from lrkeeper.schedules.composable.parts import Level, Span
from lrkeeper.schedules.composable.points import Point, Points

_log = logging.getLogger("lrkeeper")


def from_callable(function: Callable[[int], float], steps: int, tolerance: float = 1e-6) -> Points:
    """Return the table of a function such as LambdaLR takes: step → factor of the base value.

    The function is called here, for the steps from 0 to `steps`, and then no more. The table has as few points as
    keep every step within the tolerance by linear interpolation; the last one holds for ever. How large the error
    is and how many points there are is logged (logger "lrkeeper").

    Args:
        function: called with each step; returns a finite factor.
        steps: the last step, at least 1.
        tolerance: the largest error at a step, as a part of the largest factor; 0 keeps every bend.

    Raises:
        ValueError: a factor is not finite, steps or tolerance is out of range, or more than 10,000 points are needed.
    """
    checks.whole("from_callable", "steps", steps, at_least=1)
    checks.inside("from_callable", "tolerance", tolerance, at_least=0)
    factors = []
    for step in range(steps + 1):
        factor = float(function(step))
        if not math.isfinite(factor):
            raise ValueError(f"from_callable: the function gives {factor} at step {step}; it must be finite")
        factors.append(factor)
    largest = max(map(abs, factors))
    kept = _corners(factors, tolerance * largest)
    if len(kept) > MAX_POINTS:
        raise ValueError(
            f"from_callable: {len(kept)} points are needed for a tolerance of {tolerance:g}, and at most "
            f"{MAX_POINTS} are taken; allow a larger one"
        )
    error = _largest_error(factors, kept)
    _log.info(
        "tabulated %d steps in %d points; the largest error is %.3g, %.3g of the largest factor",
        steps,
        len(kept),
        error,
        error / largest if largest else 0.0,
    )
    table = Points([Point(at=Span(steps=step), value=Level(relative=factors[step])) for step in kept])
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return table.tell(f"S.from_callable({name}, {steps}, {tolerance!r}): largest error {error:.3g}")


def _corners(factors: list[float], allowed: float) -> list[int]:
    """Return the steps of the points: each as far from the one before as the lines to all between allow."""
    kept = [0]
    low, high = -math.inf, math.inf
    for step in range(1, len(factors)):
        begun = kept[-1]
        slope = (factors[step] - factors[begun]) / (step - begun)
        if not low <= slope <= high:
            kept.append(step - 1)
            begun, low, high = step - 1, -math.inf, math.inf
        low = max(low, (factors[step] - allowed - factors[begun]) / (step - begun))
        high = min(high, (factors[step] + allowed - factors[begun]) / (step - begun))
    return [*kept, len(factors) - 1]


def _largest_error(factors: list[float], kept: list[int]) -> float:
    """Return how far the lines between the points are from the factors, at most."""
    return max(
        abs(factors[step] - factors[one] - (factors[other] - factors[one]) * (step - one) / (other - one))
        for one, other in pairwise(kept)
        for step in range(one, other)
    )
