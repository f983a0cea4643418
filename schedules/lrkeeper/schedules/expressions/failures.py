"""Why an evaluation failed, in words: the operation, its operands, and what was asked too much."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite

from lrkeeper.schedules.expressions.compiler import compile_tree
from lrkeeper.schedules.expressions.operations import FUNCTIONS, Function
from lrkeeper.schedules.expressions.tree import Node

RAISED = (ZeroDivisionError, OverflowError, ValueError)
"""What the operations raise."""

_DOMAINS = {
    "**": "a fractional power of a negative number is no real number",
    "clamp": "lo is above hi",
    "log": "it needs a number above 0",
    "sqrt": "it needs a number, at least 0",
}


def explain(tree: Node, values: Mapping[str, float]) -> str:
    """Return why a tree has no finite value for these: it is evaluated once more, under watch."""
    watcher = _Watcher()
    try:
        result = compile_tree(tree, watcher.watch)(values)
    except RAISED:
        return watcher.failed
    made = watcher.made or next(
        f"{name} is {value!r}" for name, value in values.items() if not isfinite(value)
    )
    return f"the result is {result!r}: {made}"


@dataclass
class _Watcher:
    """Remembers the operation that raised, and the last that made infinity or nan of finite operands."""

    failed: str = field(default="", init=False)
    made: str = field(default="", init=False)

    def watch(self, symbol: str, function: Function) -> Function:
        def watched(*operands: float) -> float:
            try:
                result = function(*operands)
            except RAISED as error:
                self.failed = f"{_written(symbol, operands)}: {_reason(symbol, operands, error)}"
                raise
            if not isfinite(result) and all(map(isfinite, operands)):
                self.made = f"{_written(symbol, operands)} is {result!r}"
            return result

        return watched


def _written(symbol: str, operands: tuple[float, ...]) -> str:
    if symbol in FUNCTIONS or len(operands) == 1:
        return f"{symbol}({', '.join(map(repr, operands))})"
    left, right = (f"({operand!r})" if operand < 0 else repr(operand) for operand in operands)
    return f"{left} {symbol} {right}"


def _reason(symbol: str, operands: tuple[float, ...], error: Exception) -> str:
    if isinstance(error, ZeroDivisionError) or (symbol == "**" and operands[0] == 0):
        return "division by zero"
    if isinstance(error, OverflowError):
        return "it is too large for a float"
    return _DOMAINS.get(symbol, "it has no value there")
