"""What the operators and functions compute: Python's floats, and whatever Python would raise."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

CONSTANTS: Mapping[str, float] = {"pi": math.pi, "e": math.e}

Function: TypeAlias = Callable[..., float]


@dataclass(frozen=True)
class Signature:
    """How a function is called: at least and at most how many arguments (None: any number)."""

    text: str
    at_least: int
    at_most: int | None


FUNCTIONS: Mapping[str, Signature] = {
    "min": Signature("min(a, b, ...)", 2, None),
    "max": Signature("max(a, b, ...)", 2, None),
    "clamp": Signature("clamp(x, lo, hi)", 3, 3),
    "where": Signature("where(c, a, b)", 3, 3),
    **{
        name: Signature(f"{name}(x)", 1, 1)
        for name in ("abs", "floor", "ceil", "sqrt", "exp", "log", "sin", "cos", "tanh")
    },
}


def function_of(symbol: str, operands: int) -> Function:
    """Return the function of an operator or a function's name; those that are lazy have none."""
    return (_SIGNS if operands == 1 and symbol in _SIGNS else _FUNCTIONS)[symbol]


def truth(x: float) -> float:
    """Return 1.0 for anything but 0."""
    return 1.0 if x else 0.0


def _clamp(x: float, lo: float, hi: float) -> float:
    if hi < lo:
        raise ValueError
    return min(max(x, lo), hi)


def _floor(x: float) -> float:
    return float(math.floor(x))


def _ceil(x: float) -> float:
    return float(math.ceil(x))


def _as_number(compare: Callable[[float, float], bool]) -> Function:
    return lambda a, b: 1.0 if compare(a, b) else 0.0


_SIGNS: Mapping[str, Function] = {"-": operator.neg, "not": lambda x: 0.0 if x else 1.0}

_FUNCTIONS: Mapping[str, Function] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": math.pow,  # the bits of Python's **, and an error where that turns complex
    "<": _as_number(operator.lt),
    "<=": _as_number(operator.le),
    ">": _as_number(operator.gt),
    ">=": _as_number(operator.ge),
    "==": _as_number(operator.eq),
    "!=": _as_number(operator.ne),
    "min": min,
    "max": max,
    "clamp": _clamp,
    "abs": abs,
    "floor": _floor,
    "ceil": _ceil,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "sin": math.sin,
    "cos": math.cos,
    "tanh": math.tanh,
}
