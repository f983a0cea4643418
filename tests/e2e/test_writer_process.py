"""The process that commits to SQLite: it ends with the server, and can end before it without a loss."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.views import Group, Place, Start
from tests.support import ledger
from tests.support.serving import ANY_PORT, Serving, serving, url
from tests.support.steppers import Job, Steppers
from tests.support.writers import ended, suspend_amid_a_commit, suspend_before_a_commit

START = Start(
    run="run",
    incarnation="run-1",
    groups=(Group(None, "float64", {"lr": 0.1}, {"lr": 0.1}),),
    schedule=S.StepLR(step_size=1, gamma=0.5),
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Serving]:
    database = url(tmp_path / "runs.sqlite3")
    with serving(tmp_path, "--listen", ANY_PORT, "--database-url", database) as server:
        yield server


def writer_of(server: Serving) -> psutil.Process:
    (writer,) = psutil.Process(server.process.pid).children()
    return writer


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
        with ThreadPoolExecutor(1) as pool, ended(writer.pid):
            under_way = pool.submit(steps, client, place, 10, 500)
            suspend_before_a_commit(writer, tmp_path / "runs.sqlite3")
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


JOBS = [
    *(Job("three-ranks", 0.1, 0.999, rank, world_size=3) for rank in range(3)),
    *(Job(f"alone-{number}", 0.2 + number / 8, 0.998) for number in range(5)),
]


def test_no_caller_notices_that_the_writer_is_killed_amid_a_commit(server: Serving, tmp_path: Path) -> None:
    database = tmp_path / "runs.sqlite3"
    with Steppers(server.address, JOBS, tmp_path) as steppers:
        steppers.wait_for_answers([9] * len(JOBS), len(JOBS))
        writer = writer_of(server)
        suspend_amid_a_commit(writer, database)
        since = steppers.answers()
        with ended(writer.pid):
            writer.kill()
        for _ in range(10):  # a step each, ten times
            steppers.wait_for_answers(since, len(JOBS))
            since = steppers.answers()
        calls = steppers.stop()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait() == 0

    answered = {(call.run_uid, call.branch, call.step): call.bits for call in calls if call.bits is not None}
    stored = {row: bits.hex() for row, bits in ledger.read(database).rows.items()}
    assert stored == answered
    events = [json.loads(line) for line in (tmp_path / "server.log").read_text().splitlines()]
    assert {event["status"] for event in events if event["event"] == "request"} == {"OK"}
    assert [event["event"] for event in events if event["level"] == "warning"] == [
        "the process that writes to the database has ended; the server writes by itself, slower"
    ]
