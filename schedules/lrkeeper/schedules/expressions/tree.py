"""What an expression consists of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

CHOICE = "?:"
"""The symbol of `c ? a : b`, of `a if c else b` and of `where(c, a, b)`: operands c, a, b."""


@dataclass(frozen=True, slots=True)
class Number:
    """A literal, at least 0."""

    value: float


@dataclass(frozen=True, slots=True)
class Name:
    """A name, constants included."""

    name: str


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator or a function, by its symbol, and what it is applied to."""

    symbol: str
    operands: tuple[Node, ...]


Node: TypeAlias = Number | Name | Operation


class Level(IntEnum):
    """How tightly an operator binds: Python's order, loosest first."""

    CHOICE = 0
    OR = 1
    AND = 2
    NOT = 3
    COMPARISON = 4
    SUM = 5
    PRODUCT = 6
    SIGN = 7
    POWER = 8
    ATOM = 9


LEVELS = {
    "or": Level.OR,
    "and": Level.AND,
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), Level.COMPARISON),
    **dict.fromkeys(("+", "-"), Level.SUM),
    **dict.fromkeys(("*", "/", "//", "%"), Level.PRODUCT),
    "**": Level.POWER,
}
"""The operators with two operands."""

SIGNS = {"-": Level.SIGN, "+": Level.SIGN, "not": Level.NOT}
"""The operators with one."""
