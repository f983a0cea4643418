"""Loader workers that fork every epoch beside a live client: no abort, no hang, nothing printed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import ServerProcess


def output(kind: str, epochs: int, server: str) -> tuple[int, str, str]:
    """Train in a process of its own; return its status, and all that it and its workers printed."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.e2e.loader_workers", kind, str(epochs)],
        capture_output=True,
        text=True,
        env={**os.environ, "LRKEEPER_SERVER": server},
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("epochs", [5, pytest.param(50, marks=pytest.mark.long)])
def test_workers_that_fork_every_epoch_disturb_nothing_and_print_nothing(tmp_path: Path, epochs: int) -> None:
    with ServerProcess(tmp_path / "runs.sqlite3", log=tmp_path / "server.log") as server:
        remote = output("remote", epochs, server.address)
    assert remote == output("torch", epochs, server.address)
    assert remote[1].count("\n") == epochs
