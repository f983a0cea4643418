"""Expressions: a closed language of floats, such as `base_lr * 0.95 ** epoch`.

`parse` reads one, `Expression.evaluate` gives its value, `probe` tries it over a run's range. Nothing of it
is ever run as Python.
"""

from lrkeeper.schedules.expressions.errors import EvaluationError, ExpressionError
from lrkeeper.schedules.expressions.expression import Expression, parse
from lrkeeper.schedules.expressions.probe import probe

__all__ = ["EvaluationError", "Expression", "ExpressionError", "parse", "probe"]
