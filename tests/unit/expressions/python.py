"""The same text as Python reads it: its parser, its precedence, its floats."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping


class Refused(Exception):
    """Python refuses the text, or reads it as a chain of comparisons."""


def clamp(x: float, lo: float, hi: float) -> float:
    if lo > hi:
        raise ValueError
    return min(max(x, lo), hi)


def power(base: float, exponent: float) -> float:
    result = base**exponent
    if not isinstance(result, float):  # it is complex
        raise ValueError
    return result


def floor(x: float) -> float:
    return float(math.floor(x))


def ceil(x: float) -> float:
    return float(math.ceil(x))


FUNCTIONS = {
    **{name: getattr(math, name) for name in ("sqrt", "exp", "log", "sin", "cos", "tanh", "pi", "e")},
    **{function.__name__: function for function in (min, max, abs, float, clamp, power, floor, ceil)},
}


class Floats(ast.NodeTransformer):
    """Literals and truths become floats; where() becomes lazy."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        assert isinstance(node.value, int | float)
        return ast.Constant(float(node.value))

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        if len(node.ops) > 1:
            raise Refused
        return self._call("float", self.generic_visit(node))

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        node = ast.BoolOp(node.op, [ast.UnaryOp(ast.Not(), self._not(value)) for value in node.values])
        return self._call("float", node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        return self._call("float", node) if isinstance(node.op, ast.Not) else node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return self._call("power", node.left, node.right) if isinstance(node.op, ast.Pow) else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        assert isinstance(node.func, ast.Name)
        return ast.IfExp(*node.args) if node.func.id == "where" else node

    def _not(self, value: ast.expr) -> ast.expr:
        return ast.UnaryOp(ast.Not(), self.visit(value))

    @staticmethod
    def _call(name: str, *arguments: ast.AST) -> ast.AST:
        return ast.Call(ast.Name(name, ast.Load()), list(arguments), [])  # type: ignore[arg-type]


def value_of(text: str, values: Mapping[str, float]) -> float | None:
    """Return what Python computes; None if it fails or the result is not finite."""
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError:
        raise Refused from None
    tree = ast.fix_missing_locations(Floats().visit(tree))
    try:
        result = eval(compile(tree, "", "eval"), dict(FUNCTIONS), dict(values))
    except (ArithmeticError, ValueError):
        return None
    assert type(result) is float
    return result if math.isfinite(result) else None
