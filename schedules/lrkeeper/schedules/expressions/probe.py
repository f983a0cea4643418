"""Trying an expression over a range before it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from lrkeeper.schedules.expressions.errors import EvaluationError
from lrkeeper.schedules.expressions.expression import Expression


def probe(
    expression: Expression,
    names_at: Callable[[float], Mapping[str, float]],
    points: Iterable[float],
    *,
    unit: str = "step",
) -> None:
    """Evaluate at each point, in order; `names_at` gives what the names stand for there.

    Raises EvaluationError that names the first point which fails, as `step 500: ...`.
    """
    for point in points:
        try:
            expression.evaluate(names_at(point))
        except EvaluationError as error:
            raise EvaluationError(f"{unit} {point}: {error}") from None
