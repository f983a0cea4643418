"""docs/what-counts-as-a-step.md: its examples run, and print what stands beside them."""

from __future__ import annotations

import re
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.client.accelerated import Accelerator
from tests.support.server import ServerProcess

PAGE = (Path(__file__).parents[2] / "docs" / "what-counts-as-a-step.md").read_text(encoding="utf-8")
PRELUDE, *EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture(autouse=True)
def eight_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accelerate's part, as the tests imitate it."""
    module: Any = ModuleType("accelerate")
    module.Accelerator = partial(Accelerator, num_processes=8)
    monkeypatch.setitem(sys.modules, "accelerate", module)


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_prints_what_the_page_says(
    server: ServerProcess, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    example = EXAMPLES[number]
    if "Accelerator(" in example and "import Accelerator" not in example:
        example = f"from accelerate import Accelerator\n{example}"
    exec(PRELUDE + example, {})
    shown = re.findall(r"^print\(.*\)  # (.+)$", example, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == shown
    assert shown


def test_the_page_has_an_example_of_every_kind() -> None:
    assert len(EXAMPLES) == 5
    for part in ("GradScaler", "accumulate", "prepare", "OptimizerSteps", "RemoteLR", "lr_scheduler."):
        assert any(part in example for example in EXAMPLES)
