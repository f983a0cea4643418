"""What an expression is refused for, and what its evaluation fails with."""

from __future__ import annotations


class ExpressionError(ValueError):
    """A text is no expression: `position` is the column, counted from 0, `problem` what and what instead."""

    def __init__(self, problem: str, position: int, advice: str = "") -> None:
        super().__init__(f"{problem} at column {position}{'; ' if advice else ''}{advice}")
        self.problem = problem
        self.position = position
        self.advice = advice

    def __reduce__(self) -> tuple[type[ExpressionError], tuple[str, int, str]]:
        return type(self), (self.problem, self.position, self.advice)


class EvaluationError(ValueError):
    """An expression has no finite value for what its names stand for; the message names the operation."""
