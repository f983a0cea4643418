"""Servers and clients of the protocol's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lrkeeper import Client
from tests.protocol.restored import Backups
from tests.protocol.watched import Watched
from tests.protocol.wire import Wire
from tests.support.server import ServerProcess


@pytest.fixture
def wire(server: ServerProcess) -> Iterator[Wire]:
    """Raw stubs of the shared server."""
    with Wire(server.address) as wire:
        yield wire


@pytest.fixture
def backups(own_server: ServerProcess, tmp_path: Path) -> Backups:
    """Backups of this test's server."""
    return Backups(own_server, tmp_path)


@pytest.fixture
def lasting_client(own_server: ServerProcess) -> Iterator[Client]:
    """A client of this test's server, with the patience to see it start again."""
    with Client(own_server.address, patience=30.0) as client:
        yield client


@pytest.fixture(scope="session")
def watched_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server with so little in its database that all of it can be compared after every call."""
    folder = tmp_path_factory.mktemp("watched")
    with ServerProcess(folder / "runs.sqlite3", log=folder / "server.log") as server:
        yield server


@pytest.fixture
def watched(watched_server: ServerProcess) -> Iterator[Watched]:
    """A server that must refuse, with a run of this test."""
    with Client(watched_server.address) as client, Wire(watched_server.address) as wire:
        yield Watched(watched_server, client, wire)
