"""The words, numbers and symbols of an expression's text."""

from __future__ import annotations

import re
import reprlib
from math import isinf
from typing import Literal, NamedTuple

from lrkeeper.schedules.expressions.errors import ExpressionError

KEYWORDS = frozenset({"and", "or", "not", "if", "else"})

_DIGITS = r"[0-9](?:_?[0-9])*"
_TOKEN = re.compile(
    rf"(?P<number>(?:{_DIGITS}(?:\.(?:{_DIGITS})?)?|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<symbol>\*\*|//|<=|>=|==|!=|[-+*/%<>?:(),])"
)
_BLANKS = re.compile(r"[ \t\r\n]*")

_INSTEAD = {
    "^": "a power is written **",
    "&": "write 'and'",
    "|": "write 'or'",
    "!": "write 'not', or != to compare",
    "=": "equality is written ==",
    ".": "there are no attributes: write cos(x), not math.cos(x)",
    "'": "there are no strings",
    '"': "there are no strings",
    "[": "there are no lists; brackets are ( and )",
    "{": "brackets are ( and )",
    "\u2212": "a minus is written -",
    "\u00d7": "a product is written *",
    "\u00b7": "a product is written *",
    "\u00f7": "a quotient is written /",
    "\u2264": "write <=",
    "\u2265": "write >=",
    "\u03c0": "write pi",
}


class Token(NamedTuple):
    """A piece of the text, and the column where it begins."""

    kind: Literal["number", "word", "symbol", "end"]
    text: str
    position: int

    def __str__(self) -> str:
        return "the end" if self.kind == "end" else reprlib.repr(self.text)


def scan(source: str) -> list[Token]:
    """Cut a text into tokens; the last one is its end.

    Raises ExpressionError at a character that belongs to none, and for a number beyond a float's range.
    """
    tokens: list[Token] = []
    position = _skip_blanks(source, 0)
    while position < len(source):
        match = _TOKEN.match(source, position)
        if match is None:
            character = source[position]
            raise ExpressionError(
                f"unexpected {character!a}",
                position,
                _INSTEAD.get(character, "this character has no meaning"),
            )
        if match["number"]:
            _check_number(match["number"], source, match.end())
            tokens.append(Token("number", match["number"], position))
        elif match["word"]:
            tokens.append(Token("word", match["word"], position))
        else:
            tokens.append(Token("symbol", match["symbol"], position))
        position = _skip_blanks(source, match.end())
    tokens.append(Token("end", "", len(source)))
    return tokens


def _skip_blanks(source: str, position: int) -> int:
    blanks = _BLANKS.match(source, position)
    return blanks.end() if blanks else position


def _check_number(text: str, source: str, end: int) -> None:
    """Refuse what Python's tokenizer may read in two ways: `1if`, `0x1f`, `1_`, `1.2.3`."""
    begin = end - len(text)
    rest = re.match(r"[A-Za-z0-9_.]+", source[end:])
    if rest is not None:
        whole = reprlib.repr(text + rest[0])
        advice = f"between the number {reprlib.repr(text)} and what follows belongs an operator"
        raise ExpressionError(f"{whole} is no number", begin, advice)
    if isinf(float(text)):
        raise ExpressionError(f"{reprlib.repr(text)} is too large", begin, "a float ends near 1.8e308")
