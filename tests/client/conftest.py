"""What every test of the client starts from."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.support.server import ServerProcess


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test runs under the launcher that the tests themselves may run under."""
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "TORCHELASTIC_RUN_ID", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def run(server: ServerProcess) -> str:
    """A name that no run of the shared server has."""
    return f"run-{uuid4().hex[:12]}"
