"""Fixtures: real servers, real databases."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lrkeeper import Client
from tests.support.server import ServerProcess

OF_THE_TESTS = ("LRKEEPER_KILL_ROUNDS", "LRKEEPER_TEST_POSTGRESQL_URL")
"""What a person may say to the tests themselves."""


@pytest.fixture(autouse=True, scope="session")
def clean_environment() -> Iterator[None]:
    """No other variable of the person's shell decides a test, nor that of a server which outlives one."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in [
            name for name in os.environ if name.startswith("LRKEEPER_") and name not in OF_THE_TESTS
        ]:
            monkeypatch.delenv(name)
        yield


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server for all tests of a process: each uses run and schedule names of its own."""
    folder = tmp_path_factory.mktemp("server")
    with ServerProcess(folder / "runs.sqlite3", log=folder / "server.log") as server:
        yield server


@pytest.fixture
def server(shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> ServerProcess:
    """The shared server, as the environment names it."""
    monkeypatch.setenv("LRKEEPER_SERVER", shared_server.address)
    return shared_server


@pytest.fixture
def client(server: ServerProcess) -> Iterator[Client]:
    """A client of the shared server."""
    with Client(server.address) as client:
        yield client


@pytest.fixture
def own_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerProcess]:
    """A server of this test alone, that it may kill and start again."""
    with ServerProcess(tmp_path / "runs.sqlite3", log=tmp_path / "server.log") as server:
        monkeypatch.setenv("LRKEEPER_SERVER", server.address)
        yield server


@pytest.fixture
def step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step asks the server: for tests that count calls, or edit a run at the step where its job is."""
    monkeypatch.setenv("LRKEEPER_HORIZON", "0")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests measured, also those that passed."""
    for report in [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]:
        if report.when == "call" and report.user_properties:
            terminalreporter.section(report.nodeid)
            for name, figure in report.user_properties:
                terminalreporter.line(f"{name}: {figure}")
