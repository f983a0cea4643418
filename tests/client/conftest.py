"""What every test of the client starts from."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.client.relay import Relay, relay_to
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


@pytest.fixture
def relay(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[Relay]:
    """A relay to the shared server, as the environment names it."""
    with relay_to(server.address) as relay:
        monkeypatch.setenv("LRKEEPER_SERVER", relay.address)
        yield relay
