"""An expression that has been read: its text, its tree, its value."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import isfinite

from lrkeeper.schedules.expressions.canonical import to_text
from lrkeeper.schedules.expressions.compiler import Evaluator, compile_tree
from lrkeeper.schedules.expressions.errors import EvaluationError, ExpressionError
from lrkeeper.schedules.expressions.failures import RAISED, explain
from lrkeeper.schedules.expressions.parser import LONGEST, Parser
from lrkeeper.schedules.expressions.tree import Node


@dataclass(frozen=True)
class Expression:
    """What `parse` returns.

    `source` is the text as written, `canonical` the text of the tree, `names` what needs a value (not the
    constants pi and e), `nodes` how many numbers, names, operators and calls there are.
    """

    source: str
    canonical: str
    names: frozenset[str]
    nodes: int
    tree: Node = field(repr=False, compare=False)
    _evaluator: Evaluator = field(repr=False, compare=False)

    @cached_property
    def digest(self) -> str:
        """The sha256 of `canonical`, as hex digits: equal for texts that mean the same tree."""
        return hashlib.sha256(self.canonical.encode()).hexdigest()

    def evaluate(self, values: Mapping[str, float]) -> float:
        """Return the value, with Python's float arithmetic; the work is bounded by `nodes`.

        Raises EvaluationError if a name has no value, an operation fails or the result is not finite.
        """
        for name in self.names:
            if type(values.get(name)) is not float:  # with ints, 9**9**9 would never end
                values = self._floats(values)
                break
        try:
            result = self._evaluator(values)
        except RAISED:
            raise EvaluationError(explain(self.tree, self._floats(values))) from None
        if not isfinite(result):
            raise EvaluationError(explain(self.tree, self._floats(values)))
        return result

    def _floats(self, values: Mapping[str, float]) -> dict[str, float]:
        floats = {}
        for name in sorted(self.names):
            if name not in values:
                raise EvaluationError(f"{name!r} has no value")
            try:
                floats[name] = float(values[name])
            except (TypeError, ValueError, OverflowError) as error:
                raise EvaluationError(f"the value of {name!r} is no float: {error}") from None
        return floats


def parse(source: str, names: frozenset[str]) -> Expression:
    """Read an expression in which these names may stand, and the constants pi and e.

    Raises ExpressionError: what is wrong, in which column, and what would be right.
    """
    parser = Parser(source, names)
    tree = parser.read()
    canonical = to_text(tree)
    if len(canonical) > LONGEST:
        advice = f"its canonical text has {len(canonical)} characters; {LONGEST} are most"
        raise ExpressionError("the expression grows too long", len(source), advice)
    return Expression(source, canonical, frozenset(parser.used), parser.nodes, tree, compile_tree(tree))
