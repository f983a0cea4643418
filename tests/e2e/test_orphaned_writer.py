"""A server is killed while its writer has a step to commit, and the next one starts beside that orphan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import psutil
import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import ServerUnavailable
from lrkeeper.views import Group, Start
from tests.support import ledger
from tests.support.server import ServerProcess
from tests.support.serving import ANY_PORT, refusal
from tests.support.writers import ended, suspend_amid_a_commit, suspend_before_a_commit, wait_until_open

START = Start(
    run="run",
    incarnation="run-1",
    groups=(Group(None, "float64", {"lr": 0.1}, {"lr": 0.1}),),
    schedule=S.StepLR(step_size=1, gamma=0.999),  # a value of its own for every step
)


class Orphaned:
    """A server, the job that steps on it, and the writer that outlives it."""

    def __init__(self, folder: Path) -> None:
        self.database = folder / "runs.sqlite3"
        self.server = ServerProcess(self.database, log=folder / "server.log").start()
        self.writer = self.server.writer
        self.answered = 1

    def leave(self, suspend: Callable[[psutil.Process, Path], None]) -> None:
        """Have the job step until the writer is suspended, and kill the server."""
        with Client(self.server.address) as client, ThreadPoolExecutor(1) as pool:
            self.place = client.acquire_run(START)
            self.step(1)
            stepping = pool.submit(self._step_until_it_is_gone)
            suspend(self.writer, self.database)
            self.server.kill_alone()
            stepping.result()

    def _step_until_it_is_gone(self) -> None:
        for step in count(2):
            try:
                self.step(step)
            except ServerUnavailable:
                return
            self.answered = step

    def step(self, step: int) -> bytes:
        """Ask for a step, and return its value."""
        with Client(self.server.address) as client:
            window = client.next_lr(self.place, step, applied_step=step - 1, revision=self.place.revision)
        assert window.table is not None
        return window.table.data

    def wake(self) -> None:
        """Let the writer do what it has to, and end."""
        with ended(self.writer.pid):
            self.writer.resume()

    def rows(self) -> dict[int, bytes]:
        """Return what the database has for each step."""
        return {step: bits for (_, _, step), bits in ledger.read(self.database).rows.items()}


@pytest.fixture
def orphaned(tmp_path: Path) -> Iterator[Orphaned]:
    orphaned = Orphaned(tmp_path)
    try:
        yield orphaned
    finally:
        if orphaned.writer.is_running():
            orphaned.writer.kill()
        orphaned.server.kill()
    assert "Traceback" not in orphaned.server.log.read_text()


def test_what_an_orphan_commits_beside_the_next_server_is_what_that_one_gives(orphaned: Orphaned) -> None:
    orphaned.leave(suspend_before_a_commit)
    last = orphaned.answered
    orphaned.server.start()
    orphaned.step(last)  # the server has in memory where the run is
    assert max(orphaned.rows()) == last
    orphaned.wake()
    assert max(orphaned.rows()) == last + 1
    assert orphaned.step(last + 1) == orphaned.rows()[last + 1]
    assert orphaned.step(last + 2) == orphaned.rows()[last + 2]


def test_an_orphan_changes_nothing_that_the_next_server_has_answered(orphaned: Orphaned) -> None:
    orphaned.leave(suspend_before_a_commit)
    last = orphaned.answered
    orphaned.server.start()
    with Client(orphaned.server.address) as client:
        client.edit_run("run", S.StepLR(step_size=1, gamma=0.5), expected_revision=1, reason="to see which")
    edited = orphaned.step(last + 1)
    before = orphaned.rows()
    orphaned.wake()
    assert orphaned.rows() == before
    assert orphaned.step(last + 1) == edited
    orphaned.step(last + 2)


def test_a_server_that_starts_while_an_orphan_is_amid_a_commit_waits_for_it(orphaned: Orphaned) -> None:
    orphaned.leave(suspend_amid_a_commit)
    last = orphaned.answered
    orphaned.server.launch()
    wait_until_open(orphaned.server.pid, orphaned.database)
    orphaned.wake()
    orphaned.server.wait_until_it_serves()
    assert max(orphaned.rows()) == last + 1
    assert orphaned.step(last + 1) == orphaned.rows()[last + 1]


def test_a_server_that_an_orphan_keeps_waiting_says_so_and_starts_at_the_next_try(orphaned: Orphaned) -> None:
    orphaned.leave(suspend_amid_a_commit)
    refused = refusal("--listen", ANY_PORT, "--database-url", orphaned.server.database_url)
    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert line.startswith(f"Error: {orphaned.server.database_url} is being written to by another process")
    orphaned.wake()
    orphaned.server.start()
    assert orphaned.step(orphaned.answered + 1) == orphaned.rows()[orphaned.answered + 1]
