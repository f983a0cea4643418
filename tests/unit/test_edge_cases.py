"""docs/edge-cases.md: every case has a row; every test that a row names is there, and is said to be long if it is."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROTOCOL, ELSEWHERE = (
    [
        tuple(cell.strip() for cell in row.split(" | "))
        for row in re.findall(r"^\| (\d.*) \|$", part, re.MULTILINE)
    ]
    for part in (ROOT / "docs" / "edge-cases.md").read_text(encoding="utf-8").split("\n## ")[1:]
)
ROWS = PROTOCOL + ELSEWHERE
NAMED = sorted({name for row in ROWS for name in re.findall(r"`([^`]+)`", row[-1])})
LONG = {name for row in ROWS for name in re.findall(r"`([^`]+)` \([^)]*make soak\)", row[-1])}


@cache
def defined_in(path: str) -> dict[str, bool]:
    """Return the functions of a file, and whether each is marked as long, or some of its parameters are."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {
        node.name: any("pytest.mark.long" in ast.unparse(decorator) for decorator in node.decorator_list)
        for node in tree.body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def test_every_case_has_its_row() -> None:
    assert [row[0] for row in PROTOCOL] == [str(number) for number in range(1, 63)]
    assert [row[0] for row in ELSEWHERE] == [str(number) for number in range(1, 16)]
    assert all(len(row) == 3 for row in ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_names_a_test_or_what_it_waits_for(row: tuple[str, ...]) -> None:
    assert "::test_" in row[-1] or re.search(r"not yet: \w+", row[-1])


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_a_row_names_is_there(name: str) -> None:
    path, _, test = name.partition("::")
    assert test in defined_in(path)
    assert test.startswith("test_")


@pytest.mark.parametrize("name", NAMED)
def test_a_row_says_which_tests_only_make_soak_runs(name: str) -> None:
    path, _, test = name.partition("::")
    assert defined_in(path)[test] == (name in LONG)


@pytest.mark.parametrize("name", sorted(LONG))
def test_a_row_says_so_wherever_it_names_one(name: str) -> None:
    said = sum(len(re.findall(rf"`{re.escape(name)}` \([^)]*make soak\)", row[-1])) for row in ROWS)
    assert said == sum(row[-1].count(f"`{name}`") for row in ROWS)
