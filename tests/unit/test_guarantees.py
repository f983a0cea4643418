"""docs/guarantees.md: every promise names tests, and those are there."""

from __future__ import annotations

import re

import pytest

from tests.unit.test_edge_cases import ROOT, defined_in

ROWS = re.findall(
    r"^\| \*\*(.+?)\.\*\* .* \| (.*) \|$",
    (ROOT / "docs/guarantees.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)
NAMED = sorted({name for _, shown_by in ROWS for name in re.findall(r"`(tests/[^`]+)`", shown_by)})
WHOLE_FOLDERS = {"tests/parity/", "tests/simulation/"}


def test_every_promise_names_a_test() -> None:
    assert len(ROWS) > 10
    assert [promise for promise, shown_by in ROWS if "`tests/" not in shown_by] == []


@pytest.mark.parametrize("name", NAMED)
def test_a_test_that_a_promise_names_is_there(name: str) -> None:
    path, _, test = name.partition("::")
    found = list(ROOT.glob(path))
    assert found
    assert all(each.is_file() for each in found) or path in WHOLE_FOLDERS
    assert not test or test in defined_in(path)
