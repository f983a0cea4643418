"""The process that commits to SQLite: it ends with the server, and can end before it without a loss."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.views import Group, Place, Start
from tests.support import ledger
from tests.support.serving import ANY_PORT, Serving, serving, url

START = Start(
    run="run",
    incarnation="run-1",
    groups=(Group(None, "float64", {"lr": 0.1}, {"lr": 0.1}),),
    schedule=S.StepLR(step_size=1, gamma=0.5),
)


@contextmanager
def ended(pid: int) -> Iterator[None]:
    """Return from the `with` block once the process, which is none of ours, has ended."""
    process = os.pidfd_open(pid)
    try:
        yield
        assert select.select([process], [], [], 60)[0], f"process {pid} has not ended"
    finally:
        os.close(process)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    database = url(tmp_path / "runs.sqlite3")
    with serving(tmp_path, "--listen", ANY_PORT, "--database-url", database) as server:
        yield server


def writer_of(server: Serving) -> psutil.Process:
    (writer,) = psutil.Process(server.process.pid).children()
    return writer


def has_unread_input(pid: int) -> bool:
    """Return whether something lies in the pipe that is a process's standard input."""
    with Path(f"/proc/{pid}/fd/0").open("rb", buffering=0) as pipe:
        return bool(select.select([pipe], [], [], 1.0)[0])


def steps(client: Client, place: Place, first: int, end: int) -> None:
    for step in range(first, end):
        table = client.next_lr(place, step, applied_step=step - 1, revision=place.revision).table
        assert table is not None
        assert table.row(step) == {"lr": (0.1 * 0.5**step,)}


def test_steps_go_on_when_the_writer_is_killed(server: Serving, tmp_path: Path) -> None:
    with Client(server.address) as client:
        place = client.acquire_run(START)
        steps(client, place, 1, 10)
        writer = writer_of(server)
        with ended(writer.pid):
            writer.kill()
        steps(client, place, 10, 20)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait() == 0
    assert [step for _, _, step in sorted(ledger.read(tmp_path / "runs.sqlite3").rows)] == list(range(1, 20))
    assert (tmp_path / "server.log").read_text().count("process that writes to the database has ended") == 1


def test_steps_go_on_when_the_writer_is_killed_while_it_holds_a_batch(
    server: Serving, tmp_path: Path
) -> None:
    with Client(server.address) as client:
        place = client.acquire_run(START)
        steps(client, place, 1, 10)
        writer = writer_of(server)
        writer.suspend()
        with ThreadPoolExecutor(1) as pool, ended(writer.pid):
            under_way = pool.submit(steps, client, place, 10, 12)
            while not has_unread_input(writer.pid):
                pass
            writer.kill()
        under_way.result()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_writer_ends_with_the_server(server: Serving, number: signal.Signals) -> None:
    with ended(writer_of(server).pid):
        server.process.send_signal(number)
        server.process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_both_is_the_servers_to_answer(
    server: Serving, tmp_path: Path, number: signal.Signals
) -> None:
    """A terminal and a service manager send it to all processes of a group."""
    with Client(server.address) as client:
        place = client.acquire_run(START)
        steps(client, place, 1, 3)
        writer = writer_of(server)
        with ended(writer.pid):
            writer.send_signal(number)
            steps(client, place, 3, 6)
            server.process.send_signal(number)
            assert server.process.wait() == 0
    assert "has ended" not in (tmp_path / "server.log").read_text()
