"""What docs/expressions.md shows is what comes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lrkeeper.schedules.expressions import ExpressionError, parse
from lrkeeper.schedules.expressions.operations import FUNCTIONS
from tests.unit.expressions.samples import NAMES

PAGE = (Path(__file__).parents[3] / "docs" / "expressions.md").read_text()
ERRORS, _, REST = PAGE.partition("## Errors")[2].partition("Columns count from 0")
EXAMPLES = re.findall(r"^\|[^|`]+\| `(.+)` \|$", REST.partition("## Examples")[2], re.MULTILINE)
REFUSED = re.findall(r"^\| `(.+)` \| (.+) \|$", ERRORS, re.MULTILINE)


@pytest.mark.parametrize("text", EXAMPLES)
def test_an_example_has_a_value_all_over_a_run(text: str) -> None:
    expression = parse(text, NAMES)
    for step in range(0, 9000, 90):
        values = {"base_lr": 0.1, "step": step, "epoch": step / 100, "progress": step / 9000}
        assert 0.0 <= expression.evaluate(values) <= 0.1


@pytest.mark.parametrize(("text", "says"), REFUSED)
def test_an_error_reads_as_shown(text: str, says: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        parse(text, NAMES)
    assert re.fullmatch(re.escape(says).replace("…", ".*"), str(refused.value))


def test_the_page_has_examples_errors_and_every_function() -> None:
    assert (len(EXAMPLES), len(REFUSED)) == (7, 5)
    assert all(signature.text in PAGE for signature in FUNCTIONS.values())


def test_the_python_example_runs() -> None:
    program = re.findall(r"```python\n(.+?)```", PAGE, re.DOTALL)[-1]
    scope: dict[str, object] = {}
    exec(program, scope)
    comments = re.findall(r"^(decay\..+?)  # (.+)$", program, re.MULTILINE)
    for shown, result in comments:
        assert eval(shown, scope) == eval(result, scope)
    assert len(comments) == 2
