"""A tree as text: the fewest brackets, no blanks but around words, numbers in their shortest spelling."""

from __future__ import annotations

from decimal import Decimal

from lrkeeper.schedules.expressions.tree import CHOICE, LEVELS, SIGNS, Level, Name, Node, Number


def to_text(node: Node, least: int = Level.CHOICE) -> str:
    """Return the text of a tree; in brackets, if it binds looser than `least`.

    Its first operands may stand 250 deep, as those of a long sum do: one frame each.
    """
    if isinstance(node, Number):
        return _shortest(node.value)
    if isinstance(node, Name):
        return node.name
    symbol, operands = node.symbol, node.operands
    level: int
    if symbol == CHOICE:
        level = Level.CHOICE
        text = to_text(operands[0], Level.OR) + "?" + to_text(operands[1]) + ":" + to_text(operands[2])
    elif len(operands) == 2 and symbol in LEVELS:
        level = LEVELS[symbol]
        # Comparisons do not chain, and the right side of a power may have a sign.
        left = level + 1 if level in (Level.COMPARISON, Level.POWER) else level
        right = Level.SIGN if level == Level.POWER else level + 1
        between = f" {symbol} " if symbol.isalpha() else symbol
        text = to_text(operands[0], left) + between + to_text(operands[1], right)
    elif symbol in SIGNS:
        level = SIGNS[symbol]
        text = (symbol + " " if symbol.isalpha() else symbol) + to_text(operands[0], level)
    else:
        level = Level.ATOM
        text = f"{symbol}({','.join([to_text(operand) for operand in operands])})"
    return f"({text})" if level < least else text


def _shortest(value: float) -> str:
    """Return the shorter of 0.00025 and 2.5e-4; the one without an exponent, if they are as long."""
    number = Decimal(repr(value)).normalize()
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    mantissa = str(digits[0]) + ("." + "".join(map(str, digits[1:])) if len(digits) > 1 else "")
    power = exponent + len(digits) - 1
    return min(f"{number:f}", f"{mantissa}e{power}", key=len)
