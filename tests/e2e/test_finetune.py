"""A fine-tune written with transformers' get_scheduler, and the same with RemoteLR: one lr column."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.goldens.finetune import NAMES
from tests.support.server import ServerProcess

PROJECT = Path(__file__).parents[2]
RECORDED = (PROJECT / "tests" / "goldens" / "finetune.txt").read_text()
"""What `python -m scripts.goldens.finetune transformers NAME` printed, with transformers 5.24.0."""


def recorded(name: str) -> str:
    """Return the column of a schedule."""
    return RECORDED.split(f"# {name}\n")[1].split("#")[0]


@pytest.mark.parametrize(
    "name", [n if n in ("cosine", "inverse_sqrt") else pytest.param(n, marks=pytest.mark.long) for n in NAMES]
)
def test_the_lr_column_is_that_of_transformers(server: ServerProcess, name: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "scripts.goldens.finetune", "lrkeeper", name],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(run.stdout.splitlines()) == 64
    assert run.stdout == recorded(name)
