"""Texts to try: soups of characters and of tokens, valid expressions, and valid ones with a few edits."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

NAMES = frozenset(
    ("step", "epoch", "progress", "samples", "tokens", "total", "base", "base_lr", "u", "p", "lr")
)

_WORDS = (*sorted(NAMES), "pi", "e", "and", "or", "not", "if", "else")
_ONE = ("abs", "floor", "ceil", "sqrt", "exp", "log", "sin", "cos", "tanh")
_FUNCTIONS = (*_ONE, "min", "max", "clamp", "where")
_OPERATORS = ("+", "-", "*", "/", "//", "%", "**", "<", "<=", ">", ">=", "==", "!=", "and", "or")
_NUMBERS = ("0", "1", "2", "9", "10", "0.5", ".1", "1e-3", "1e308", "5e-324", "2_000", "3.", "1e5")
_STRANGE = "\0é−π\u202e𝟙\ud800\u00a0'\"\\^&\n.=[!"
_PIECES = (*_WORDS, *_FUNCTIONS, *_NUMBERS, *_OPERATORS, *"()?:,")


def characters(random: Random) -> str:
    """Return characters at random: ASCII, any Unicode, or those of the language."""
    letters: Callable[[], str] = random.choice(
        (
            lambda: chr(random.randrange(128)),
            lambda: chr(random.randrange(0x110000)),
            lambda: random.choice("0123456789.e+-*/%<>=!?:(), abcxstep_"),
        )
    )
    return "".join(letters() for _ in range(_length(random)))


def tokens(random: Random) -> str:
    """Return tokens in no order; now and then one of them many times."""
    if random.random() < 0.1:
        piece: str = random.choice(
            (*_PIECES, "1?", "-(", "2**", "1+(", "not ", "1 if ", "max(1,", "1<", "1?2:")
        )
        return piece * random.randrange(1, 600) + random.choice(("", "1"))
    return random.choice(("", " ")).join(random.choice(_PIECES) for _ in range(_length(random)))


def valid(random: Random, size: int | None = None) -> str:
    """Return an expression with about `size` operands, in as many brackets as come."""
    size = random.choice((1, 3, 8, 20, 50)) if size is None else size
    if size <= 1:
        operands = [*sorted(NAMES), "pi", "e", *_NUMBERS, repr(random.expovariate(0.01))]
        return random.choice(operands)
    part = random.randrange(1, size)
    one, other = valid(random, part), valid(random, size - part)
    kind = random.random()
    if kind < 0.5:
        operator = random.choice(_OPERATORS)
        return f"({one}) {operator} ({other})"
    if kind < 0.6:
        return f"({one}) {random.choice('+*-/')} {random.choice(('-', '+', ''))}({other})"
    if kind < 0.7:
        return f"{random.choice(_ONE)}({one} + ({other}))"
    if kind < 0.8:
        return f"{random.choice(('min', 'max'))}({one}, {other})"
    third = valid(random, 1)
    if kind < 0.85:
        return f"{random.choice(('clamp', 'where'))}({third}, {one}, {other})"
    if kind < 0.9:
        return f"(({one}) if ({third}) else {other})"
    if kind < 0.95:
        return f"(({third}) ? {one} : {other})"
    return f"(not ({one}) or -({other}))"


def mutated(random: Random) -> str:
    """Return a valid expression after one to five edits."""
    text = valid(random)
    for _ in range(random.randrange(1, 6)):
        place = random.randrange(len(text) + 1)
        end = min(len(text), place + random.randrange(4))
        piece = random.choice(("", random.choice(_PIECES), random.choice(_STRANGE), text[place:end] * 2))
        text = text[:place] + piece + text[end:]
    return text


KINDS: dict[str, Callable[[Random], str]] = {
    "characters": characters,
    "tokens": tokens,
    "mutated": mutated,
    "valid": valid,
}


def _length(random: Random) -> int:
    return random.choice((0, 1, 2, 3, 5, 8, 13, 30, 100, 400, 1500))
