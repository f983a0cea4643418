"""Texts for the tests: what a run gives values to, and random expressions as a person might write them."""

from __future__ import annotations

from random import Random

from hypothesis import strategies as st

NAMES = frozenset(
    ("step", "epoch", "progress", "samples", "tokens", "total", "base", "base_lr", "u", "p", "lr")
)

VARIABLES = ("step", "u", "base_lr")

_NUMBERS = ("0", "1", "2", "3", "7", "12", "0.95", ".5", "1.", "1e-3", "2_000", "2.5E+2", "1e300", "0.0")
_OPERATORS = (
    *("+", "-", "*", "/", "//", "%", "**", "+", "-", "*", "/", "**"),
    *("<", "<=", ">", ">=", "==", "!=", " and ", " or ", " and ", " or "),
)
_PREFIXES = (*[""] * 14, "-", "-", "-", "+", "--", "not ")
_AROUND = (
    *("({})", "({})", "({})", "({})", "({})", "(-{})", "(not {})", "abs({})", "floor({})", "ceil({})"),
    *("sqrt({})", "exp({})", "log({})", "sin({})", "cos({})", "tanh({})", "min({}, {})"),
    *("max({}, {}, {})", "clamp({}, {}, {})", "where({}, {}, {})", "({} if {} else {})"),
)


def chain(random: Random, depth: int) -> str:
    """Return operands joined without brackets, so that precedence decides what belongs together."""
    text = random.choice(_PREFIXES) + _operand(random, depth)
    for _ in range(random.randrange(4)):
        text += random.choice(_OPERATORS) + random.choice(_PREFIXES) + _operand(random, depth)
    if random.random() < 0.1:
        text += f" if {_operand(random, depth)} else {_operand(random, depth)}"
    return text


def _operand(random: Random, depth: int) -> str:
    if depth == 0 or random.random() < 0.6:
        return random.choice((*VARIABLES, *VARIABLES, "pi", "e", *_NUMBERS, repr(random.uniform(0, 9))))
    around = random.choice(_AROUND)
    return around.format(*(chain(random, depth - 1) for _ in range(around.count("{}"))))


def _value(random: Random) -> float:
    odd = (0.0, -0.0, 1.0, 2.0, -3.0, 1e-300, -1e300, random.uniform(-1e9, 1e9))
    return random.choice((*odd, *(random.uniform(-10, 10) for _ in odd)))


def _case(seed: int) -> tuple[str, dict[str, float]]:
    random = Random(seed)
    return chain(random, 2), {name: _value(random) for name in VARIABLES}


# One draw makes all of a case: of two, hypothesis would keep one text for many values.
cases = st.integers(0, 2**64).map(_case)
