"""What is no expression: the message names what is wrong, in which column, and what would be right."""

from __future__ import annotations

import pickle

import pytest

from lrkeeper.schedules.expressions import ExpressionError, parse
from tests.unit.expressions.samples import NAMES

REFUSED = [
    ("base * stepp", 7, "unknown name 'stepp' at column 7; known names: base, base_lr, e, "),
    ("base * stepp", 7, "; did you mean 'step'"),
    ("Step", 0, "did you mean 'step'"),
    ("__import__(u)", 0, "unknown function '__import__' at column 0; known functions: abs, "),
    ("foor(u)", 0, "did you mean 'floor'"),
    ("step(1)", 0, "unknown function 'step'"),
    ("1 + cos", 4, "'cos' is a function at column 4; it is written cos(x)"),
    ("math.cos(u)", 4, "unexpected '.' at column 4; there are no attributes"),
    ("u.real", 1, "there are no attributes"),
    ("", 0, "the expression is empty at column 0"),
    (" \n\t ", 0, "the expression is empty"),
    ("1 2", 2, "unexpected '2' at column 2; an operator or the end belongs there"),
    ("u = 1", 2, "equality is written =="),
    ("u ^ 2", 2, "a power is written **"),
    ("u && p", 2, "write 'and'"),
    ("!u", 0, "write 'not'"),
    ("0 < u < 1", 6, "comparisons do not chain: write a < b and b < c"),
    ("u == p != 1", 7, "comparisons do not chain"),
    ("1 + not u", 4, "unexpected 'not' at column 4; write (not x) in brackets"),
    ("u * ", 4, "unexpected the end at column 4; a number, a name or '(' belongs there"),
    ("* u", 0, "unexpected '*' at column 0"),
    ("(u", 2, "the '(' at column 0 needs its ')'"),
    ("u)", 1, "unexpected ')' at column 1"),
    ("()", 1, "unexpected ')' at column 1"),
    ("u ? 1", 5, "the '?' at column 2 needs its ':'"),
    ("1 if u", 6, "the 'if' at column 2 needs its 'else'"),
    ("1 : 2", 2, "unexpected ':'"),
    ("max(u)", 0, "'max' has 1 argument at column 0; it is written max(a, b, ...)"),
    ("clamp(u, 1)", 0, "'clamp' has 2 arguments at column 0; it is written clamp(x, lo, hi)"),
    ("1 + log(u, 2)", 4, "'log' has 2 arguments at column 4; it is written log(x)"),
    ("cos()", 0, "'cos' has 0 arguments"),
    ("max(u, p,)", 9, "unexpected ')' at column 9"),
    ("max(u, p", 8, "the '(' of max(a, b, ...) needs its ')'"),
    ("1e999", 0, "'1e999' is too large at column 0; a float ends near 1.8e308"),
    ("0x1f", 0, "'0x1f' is no number at column 0"),
    ("2u", 0, "between the number '2' and what follows belongs an operator"),
    ("1if u else 2", 0, "'1if' is no number"),
    ("1.2.3", 0, "'1.2.3' is no number"),
    ("1__0", 0, "'1__0' is no number"),
    ("3j", 0, "'3j' is no number"),
    ("'step'", 0, "there are no strings"),
    ('u + "a"', 4, "there are no strings"),
    ("[u]", 0, "there are no lists"),
    ("lambda: u", 0, "unknown name 'lambda'"),
    ("True", 0, "unknown name 'True'"),
    ("u\0", 1, r"unexpected '\x00' at column 1"),
    ("0.1 \u2212 u", 4, r"unexpected '\u2212' at column 4; a minus is written -"),
    ("\U0001d7d9", 0, r"unexpected '\U0001d7d9' at column 0"),
    ("\u0661", 0, "unexpected"),
    ("\ud800", 0, r"unexpected '\ud800'"),
    ("st\u0435p", 2, r"unexpected '\u0435' at column 2"),
    ("u\u00a0+ 1", 1, r"unexpected '\xa0' at column 1"),
]


@pytest.mark.parametrize(("text", "position", "says"), REFUSED)
def test_a_refusal_says_what_is_wrong_and_where(text: str, position: int, says: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        parse(text, NAMES)
    assert says in str(refused.value)
    assert refused.value.position == position


def test_each_place_of_use_decides_which_names_it_knows() -> None:
    assert parse("metric * 2", frozenset({"metric"})).names == {"metric"}
    with pytest.raises(ExpressionError, match="unknown name 'step' at column 0; known names: e, metric, pi"):
        parse("step", frozenset({"metric"}))


def test_a_refusal_can_be_pickled() -> None:
    with pytest.raises(ExpressionError) as refused:
        parse("u +", NAMES)
    again = pickle.loads(pickle.dumps(refused.value))
    assert (str(again), again.position) == (str(refused.value), 3)
