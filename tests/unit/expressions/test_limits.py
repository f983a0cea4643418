"""How long, how large and how deep an expression may be; beyond that it is refused, never a RecursionError."""

from __future__ import annotations

import sys

import pytest

from lrkeeper.schedules.expressions import ExpressionError, parse
from tests.unit.expressions.samples import NAMES

VALUES = dict.fromkeys(NAMES, 1.0)


def test_1024_characters_are_most() -> None:
    text = "u" + " " * 1022 + " "
    assert parse(text, NAMES).canonical == "u"
    with pytest.raises(
        ExpressionError, match="too long at column 1024; it has 1025 characters; 1024 are most"
    ):
        parse(text + " ", NAMES)
    with pytest.raises(ExpressionError, match="it has 10000000 characters"):
        parse("(" * 10_000_000, NAMES)


def test_a_text_is_refused_if_its_canonical_text_is_too_long() -> None:
    texts = ["+".join([".1234567890123456"] * count) for count in (53, 54)]
    assert len(parse(texts[0], NAMES).canonical) == 1006
    with pytest.raises(
        ExpressionError, match="grows too long at column 971; its canonical text has 1025 char"
    ):
        parse(texts[1], NAMES)


def test_256_nodes_are_most() -> None:
    assert parse("-u" + "+u" * 127, NAMES).nodes == 256
    with pytest.raises(ExpressionError, match="grows too large at column 255; it may have 256 numbers"):
        parse("--u" + "+u" * 127, NAMES)


@pytest.mark.parametrize(
    ("opening", "closing"),
    [
        ("(", ")"),
        ("-", ""),
        ("+", ""),
        ("not ", ""),
        ("2**", ""),
        ("cos(", ")"),
        ("max(u,", ")"),
        ("1+(", ")"),
    ],
)
def test_32_levels_are_deepest(opening: str, closing: str) -> None:
    expression = parse(opening * 32 + "1" + closing * 32, NAMES)
    assert parse(expression.canonical, NAMES).tree == expression.tree
    for count in (33, 140):
        with pytest.raises(ExpressionError, match=r"nested too deep at column \d+; 32 levels are most"):
            parse(opening * count + "1" + closing * count, NAMES)


@pytest.mark.parametrize("piece", ["(", "-", "+"])
def test_a_thousand_openings_are_refused_in_words(piece: str) -> None:
    with pytest.raises(ExpressionError, match="nested too deep at column 32"):
        parse(piece * 1000, NAMES)


def test_a_choice_between_the_marks_of_another_counts_as_a_level() -> None:
    expression = parse("u?" * 33 + "1" + ":2" * 33, NAMES)
    assert parse(expression.canonical, NAMES).tree == expression.tree
    with pytest.raises(ExpressionError, match=r"'\?' is nested too deep at column 67"):
        parse("u?" * 34 + "1" + ":2" * 34, NAMES)


def test_a_long_list_of_cases_is_not_deep() -> None:
    text = "".join(f"step<{k}?{k}:" for k in range(50)) + "50"
    assert parse(text, NAMES).evaluate({"step": 44.5}) == 45.0


DEEPEST = [
    "u" + "+u" * 127,
    "1?1:" * 85 + "1",
    "1 or 1 and 1<1+1*(" * 25 + "1" + ")" * 25,
    "max(1,1+1*" * 32 + "1" + ")" * 32,
    "1 or 1<1+1*-(" * 16 + "1" + ")" * 16,
    "(" * 32 + "1" + "+1)" * 32,
    "1?" * 32 + "1?1:1" + ":1" * 32,
]


@pytest.mark.parametrize("text", DEEPEST)
def test_the_deepest_expressions_need_at_most_300_frames(text: str) -> None:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth_here() + 300)
    try:
        assert parse(parse(text, NAMES).canonical, NAMES).evaluate(VALUES)
    finally:
        sys.setrecursionlimit(limit)


def depth_here() -> int:
    frame, depth = sys._getframe(), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    return depth
