"""Random expressions, beside what Python makes of the same text: bits, failures, refusals."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings

from lrkeeper.schedules.expressions import EvaluationError, Expression, ExpressionError, parse
from tests.unit.expressions import python
from tests.unit.expressions.samples import NAMES, cases

FIXED = settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def value_of(expression: Expression, values: Mapping[str, float]) -> float | None:
    try:
        return expression.evaluate(values)
    except EvaluationError:
        return None


def bits(value: float | None) -> str | None:
    return None if value is None else value.hex()


@settings(FIXED, max_examples=3000)
@given(cases)
def test_an_expression_means_what_python_makes_of_it(case: tuple[str, dict[str, float]]) -> None:
    text, values = case
    try:
        theirs = python.value_of(text, values)
    except python.Refused:
        with pytest.raises(ExpressionError):
            parse(text, NAMES)
        return
    expression = parse(text, NAMES)
    assert bits(value_of(expression, values)) == bits(theirs)


@settings(FIXED, max_examples=2000)
@given(cases)
def test_the_canonical_text_is_read_as_the_same_tree(case: tuple[str, dict[str, float]]) -> None:
    text, values = case
    try:
        expression = parse(text, NAMES)
    except ExpressionError:
        return
    again = parse(expression.canonical, NAMES)
    assert again.tree == expression.tree
    assert (again.canonical, again.digest) == (expression.canonical, expression.digest)
    assert (again.nodes, again.names) == (expression.nodes, expression.names)
    assert bits(value_of(again, values)) == bits(value_of(expression, values))


@pytest.mark.parametrize("step", [0, 1, 7, 1000, 12345])
def test_a_decay_has_the_bits_of_pythons_power(step: int) -> None:
    assert parse("0.95 ** step", NAMES).evaluate({"step": step}) == 0.95 ** float(step)


SIGNED = [(a, b) for a in (7.5, -7.5, 0.0, -0.0) for b in (2.0, -2.0, 1e-300)]


@pytest.mark.parametrize("operator", ["//", "%", "/", "*", "**"])
@pytest.mark.parametrize(("a", "b"), SIGNED)
def test_signs_and_zeros_are_pythons(operator: str, a: float, b: float) -> None:
    values = {"u": a, "p": b}
    text = f"u {operator} p"
    assert bits(value_of(parse(text, NAMES), values)) == bits(python.value_of(text, values))
