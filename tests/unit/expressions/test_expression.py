"""What an expression knows of itself, and how it is evaluated."""

from __future__ import annotations

import dataclasses
import hashlib
import math

import pytest

from lrkeeper.schedules.expressions import EvaluationError, parse, probe
from tests.unit.expressions.samples import NAMES


def value(text: str, **values: float) -> float:
    return parse(text, NAMES).evaluate(values)


def test_an_expression_knows_its_text_its_names_and_its_size() -> None:
    expression = parse(" base_lr * (1 + cos(pi * u)) / 2 ", NAMES)
    assert expression.source == " base_lr * (1 + cos(pi * u)) / 2 "
    assert expression.canonical == "base_lr*(1+cos(pi*u))/2"
    assert expression.names == {"base_lr", "u"}
    assert expression.nodes == 10
    assert expression.digest == hashlib.sha256(b"base_lr*(1+cos(pi*u))/2").hexdigest()
    with pytest.raises(dataclasses.FrozenInstanceError):
        expression.source = "1"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("((u))", "u"),
        ("+u", "u"),
        ("(u + p) + lr", "u+p+lr"),
        ("u + (p + lr)", "u+(p+lr)"),
        ("(u ** p) ** lr", "(u**p)**lr"),
        ("u ** (p ** lr)", "u**p**lr"),
        ("-(u ** 2)", "-u**2"),
        ("(-u) ** 2", "(-u)**2"),
        ("u ** (-2)", "u**-2"),
        ("(u < p) < lr", "(u<p)<lr"),
        ("not (u < p)", "not u<p"),
        ("(not u) < p", "(not u)<p"),
        ("(u or p) and lr", "(u or p) and lr"),
        ("1 if u else 2", "u?1:2"),
        ("where(u, 1, 2)", "u?1:2"),
        ("u ? 1 : (p ? 2 : 3)", "u?1:p?2:3"),
        ("u ? (p ? 1 : 2) : 3", "u?p?1:2:3"),
        ("(u ? 1 : p) ? 2 : 3", "(u?1:p)?2:3"),
        ("1 if u else 2 if p else 3", "u?1:p?2:3"),
        ("u ? 1 : 2 if p else 3", "u?1:p?2:3"),
        ("u ? 1 if p else 2 : 3", "u?p?1:2:3"),
        ("1.50 + 0.001 + 2_000 + 1e22 + .25 + 0.00015", "1.5+1e-3+2e3+1e22+0.25+1.5e-4"),
        ("100 + 0 + 0.1 + 5e-324", "100+0+0.1+5e-324"),
    ],
)
def test_the_canonical_text_has_the_fewest_brackets(text: str, canonical: str) -> None:
    expression = parse(text, NAMES)
    assert expression.canonical == canonical
    assert parse(canonical, NAMES).tree == expression.tree


def test_texts_of_one_tree_have_one_digest_and_others_another() -> None:
    assert parse("u ? 1 : 2", NAMES).digest == parse("(1.0) if u else 2e0", NAMES).digest
    assert parse("u - p - lr", NAMES).digest != parse("u - (p - lr)", NAMES).digest


@pytest.mark.parametrize(
    "text",
    [
        "u ? 1/u : 0",
        "1/u if u else 0",
        "where(u, 1/u, 0)",
        "where(not u, 0, log(u))",
        "u and 1/u",
        "u and (2 and 1/u)",
    ],
)
def test_what_is_not_chosen_is_not_evaluated(text: str) -> None:
    assert value(text, u=0.0) == 0.0


def test_and_or_and_not_give_zero_or_one() -> None:
    assert [value(text, u=3.0) for text in ("u and 2", "u or 1/0", "0 or u", "not u", "0 and 1/0")] == [
        *(1.0, 1.0, 1.0, 0.0, 0.0)
    ]


def test_whole_numbers_are_floats_too() -> None:
    assert value("7 // 2 / 2") == 1.5
    assert value("step * step", step=2**53 + 1) == float(2**53) ** 2
    assert [type(value(text, step=10)) for text in ("step", "floor(step)", "max(step, 1)")] == [float] * 3


def test_the_constants_need_no_value() -> None:
    assert parse("pi * e", frozenset()).evaluate({}) == math.pi * math.e
    assert value("pi", pi=3.0) == math.pi


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1 + u / (p - 2)", r"3.0 / 0.0: division by zero"),
        ("u // 0", r"3.0 // 0.0: division by zero"),
        ("u % 0", r"3.0 % 0.0: division by zero"),
        ("0 ** -u", r"0.0 \*\* \(-3.0\): division by zero"),
        ("(-u) ** 0.5", r"\(-3.0\) \*\* 0.5: a fractional power of a negative number is no real number"),
        ("abs((-u) ** 0.5)", r"is no real number"),
        ("9 ** 9 ** 9", r"9.0 \*\* 387420489.0: it is too large for a float"),
        ("exp(u * 1000)", r"exp\(3000.0\): it is too large for a float"),
        ("log(u - 3)", r"log\(0.0\): it needs a number above 0"),
        ("sqrt(-u)", r"sqrt\(-3.0\): it needs a number, at least 0"),
        ("clamp(p, u, 1)", r"clamp\(2.0, 3.0, 1.0\): lo is above hi"),
        ("floor(1e308 * 10)", r"floor\(inf\): it is too large for a float"),
        ("sin(1e308 * 10)", r"sin\(inf\): it has no value there"),
        ("-(1e308 * u) + 1", r"the result is -inf: 1e\+308 \* 3.0 is inf"),
        ("1e308 * u - 1e308 * u", r"the result is nan: 1e\+308 \* 3.0 is inf"),
        ("epoch + u", r"'epoch' has no value"),
    ],
)
def test_a_failure_names_the_operation_and_its_values(text: str, says: str) -> None:
    with pytest.raises(EvaluationError, match=f"^{says}$" if "abs" not in text else says):
        value(text, u=3.0, p=2.0)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (math.inf, "^the result is inf: step is inf$"),
        (math.nan, "^the result is nan: step is nan$"),
        (10**400, "^the value of 'step' is no float: int too large"),
        (None, "^the value of 'step' is no float"),
        ("many", "^the value of 'step' is no float"),
    ],
)
def test_a_value_that_is_no_finite_number_fails(given: float, says: str) -> None:
    with pytest.raises(EvaluationError, match=says):
        value("step + 1", step=given)


def test_what_is_infinite_on_the_way_may_have_a_finite_result() -> None:
    assert value("1 / (1e308 * u)", u=10.0) == 0.0


def test_a_probe_names_the_first_point_that_fails() -> None:
    expression = parse("1 / (step - 500)", NAMES)
    with pytest.raises(EvaluationError, match=r"^step 500: 1.0 / 0.0: division by zero$"):
        probe(expression, lambda step: {"step": step}, [0, 100, 500, 501, 500])
    with pytest.raises(EvaluationError, match=r"^epoch 500"):
        probe(expression, lambda epoch: {"step": epoch}, range(1000), unit="epoch")


def test_a_probe_of_an_expression_that_has_a_value_everywhere_is_silent() -> None:
    probe(parse("1 / (step + 0.5)", NAMES), lambda step: {"step": step}, range(1000))
