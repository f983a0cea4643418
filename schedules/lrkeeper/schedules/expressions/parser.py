"""From text to tree, by precedence (Pratt's parser)."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from lrkeeper.schedules.expressions.errors import ExpressionError
from lrkeeper.schedules.expressions.operations import CONSTANTS, FUNCTIONS
from lrkeeper.schedules.expressions.tokens import KEYWORDS, Token, scan
from lrkeeper.schedules.expressions.tree import CHOICE, LEVELS, SIGNS, Level, Name, Node, Number, Operation

LONGEST = 1024
MOST_NODES = 256
DEEPEST = 32


class Parser:
    """Reads one text. `nodes` counts those of the tree, `used` has the names that need a value."""

    def __init__(self, source: str, names: frozenset[str]) -> None:
        if len(source) > LONGEST:
            advice = f"it has {len(source)} characters; {LONGEST} are most"
            raise ExpressionError("the expression is too long", LONGEST, advice)
        self.nodes = 0
        self.used: set[str] = set()
        self._names = names
        self._tokens = iter(scan(source))
        self._token = next(self._tokens)
        self._depth = 0

    def read(self) -> Node:
        """Return the tree of the whole text. Raises ExpressionError."""
        if self._ended():
            raise ExpressionError("the expression is empty", 0, "write a number at least")
        node = self._whole()
        if not self._ended():
            raise self._unexpected("an operator or the end belongs there")
        return node

    def _ended(self) -> bool:
        return self._token.kind == "end"

    def _whole(self) -> Node:
        return self._choice(self._operation(Level.OR))

    def _choice(self, left: Node) -> Node:
        """Go on after what may be the condition of `?` or the first value of `if`."""
        token = self._token
        if token.text == "?":
            self._next()
            value = self._operation(Level.OR)
            if self._token.text in ("?", "if"):
                self._enter(self._token)
                value = self._choice(value)
                self._depth -= 1
            self._expect(":", f"the '?' at column {token.position} needs its ':'")
            return self._node(token, CHOICE, left, value, self._whole())
        if token.text == "if":
            self._next()
            condition = self._operation(Level.OR)
            self._expect("else", f"the 'if' at column {token.position} needs its 'else'")
            return self._node(token, CHOICE, condition, left, self._whole())
        return left

    def _operation(self, least: int) -> Node:
        """Read operands and operators that bind at least so tightly."""
        left = self._operand(least)
        while (level := LEVELS.get(self._token.text, Level.CHOICE)) >= least:
            token = self._next()
            if level == Level.POWER:
                self._enter(token)
                right = self._operation(Level.SIGN)
                self._depth -= 1
            else:
                right = self._operation(level + 1)
            left = self._node(token, token.text, left, right)
            if level == Level.COMPARISON and LEVELS.get(self._token.text) == level:
                raise self._unexpected("comparisons do not chain: write a < b and b < c")
        return left

    def _operand(self, least: int) -> Node:
        token = self._next()
        if token.kind == "number":
            self._count(token)
            return Number(float(token.text))
        if token.text in SIGNS:
            level = SIGNS[token.text]
            if level < least:
                raise ExpressionError(f"unexpected {token}", token.position, "write (not x) in brackets")
            self._enter(token)
            operand = self._operation(level)
            self._depth -= 1
            return operand if token.text == "+" else self._node(token, token.text, operand)
        if token.text == "(":
            self._enter(token)
            node = self._whole()
            self._depth -= 1
            self._expect(")", f"the '(' at column {token.position} needs its ')'")
            return node
        if token.kind == "word" and token.text not in KEYWORDS:
            return self._call(token) if self._token.text == "(" else self._name(token)
        what = "a number, a name or '(' belongs there"
        raise ExpressionError(f"unexpected {token}", token.position, what)

    def _call(self, token: Token) -> Node:
        signature = FUNCTIONS.get(token.text)
        if signature is None:
            raise _unknown(token, "function", FUNCTIONS)
        self._enter(self._next())
        arguments: list[Node] = []
        if self._token.text != ")":
            arguments.append(self._whole())
            while self._token.text == ",":
                self._next()
                arguments.append(self._whole())
        self._depth -= 1
        self._expect(")", f"the '(' of {signature.text} needs its ')'")
        most = signature.at_most or len(arguments)
        if not signature.at_least <= len(arguments) <= most:
            problem = f"{token} has {len(arguments)} argument{'s' * (len(arguments) != 1)}"
            raise ExpressionError(problem, token.position, f"it is written {signature.text}")
        return self._node(token, CHOICE if token.text == "where" else token.text, *arguments)

    def _name(self, token: Token) -> Node:
        if not self._knows(token.text):
            if token.text in FUNCTIONS:
                advice = f"it is written {FUNCTIONS[token.text].text}"
                raise ExpressionError(f"{token} is a function", token.position, advice)
            raise _unknown(token, "name", self._names | CONSTANTS.keys())
        if token.text not in CONSTANTS:
            self.used.add(token.text)
        self._count(token)
        return Name(token.text)

    def _knows(self, name: str) -> bool:
        return name in self._names or name in CONSTANTS

    def _node(self, token: Token, symbol: str, *operands: Node) -> Node:
        self._count(token)
        return Operation(symbol, operands)

    def _count(self, token: Token) -> None:
        self.nodes += 1
        if self.nodes > MOST_NODES:
            advice = f"it may have {MOST_NODES} numbers, names, operators and calls"
            raise ExpressionError("the expression grows too large", token.position, advice)

    def _enter(self, token: Token) -> None:
        """Count what stands inside a bracket, a call, a sign, an exponent or between another's `?` and `:`."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise ExpressionError(f"{token} is nested too deep", token.position, f"{DEEPEST} levels are most")

    def _next(self) -> Token:
        token = self._token
        self._token = next(self._tokens, token)
        return token

    def _expect(self, text: str, advice: str) -> None:
        if self._token.text != text:
            raise self._unexpected(advice)
        self._next()

    def _unexpected(self, advice: str) -> ExpressionError:
        return ExpressionError(f"unexpected {self._token}", self._token.position, advice)


def _unknown(token: Token, what: str, known: Iterable[str]) -> ExpressionError:
    close = get_close_matches(token.text.lower()[:40], known, n=1)
    advice = f"known {what}s: {', '.join(sorted(known))}" + (f"; did you mean {close[0]!r}" if close else "")
    return ExpressionError(f"unknown {what} {token}", token.position, advice)
