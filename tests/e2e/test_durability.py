"""What was answered is on disk: a power cut at the moment of any answer takes nothing back.

The server runs under strace. Its writes and syncs are played back on a disk that keeps only what was
synced; at every answer it sends, that disk must hold what the answer says.
"""

from __future__ import annotations

import os
import shutil
import signal
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import ServerUnavailable, StorageFull
from lrkeeper.views import Group, Place, Start
from tests.support import altered_server, ledger, strace
from tests.support.disk import Disk
from tests.support.ledger import Ledger
from tests.support.server import ServerProcess
from tests.support.serving import CLI

SENDS = ("sendmsg", "sendto", "sendmmsg", "write", "writev")


@dataclass(frozen=True)
class Answer:
    """What a client was answered: bytes that no other answer has, and what must be on disk for it."""

    what: str
    mark: bytes
    holds: Callable[[Ledger], bool]


def acquire(client: Client, run: str, base_lr: float) -> tuple[Place, Answer]:
    start = Start(
        run=run,
        incarnation=f"{run}-1",
        groups=(Group(None, "float64", {"lr": base_lr}, {"lr": base_lr}),),
        schedule=S.StepLR(step_size=1, gamma=0.999),  # a value of its own for every step
    )
    place = client.acquire_run(start)
    return place, Answer(f"run {run}", place.run_uid.encode(), lambda ledger: place.run_uid in ledger.runs)


def step(client: Client, place: Place, number: int) -> Answer:
    window = client.next_lr(place, number, applied_step=number - 1, revision=place.revision)
    assert window.table is not None
    bits, row = window.table.data, (place.run_uid, place.branch, number)
    return Answer(f"step {number} of {place.run}", bits, lambda ledger: ledger.rows.get(row) == bits)


def edit(client: Client, place: Place) -> Answer:
    request_id = "5e0f4d4e-30a6-4b0e-9a55-2d5b9b1ac0de"
    edited = client.edit_run(
        place.run,
        S.StepLR(step_size=1, gamma=0.9),
        expected_revision=place.revision,
        at_step=1000,
        reason="to see it on disk",
        request_id=request_id,
    )
    (new_lr,) = edited.preview.row(edited.effective_step)["lr"]
    return Answer(
        f"edit of {place.run}", struct.pack("<d", new_lr), lambda ledger: request_id in ledger.edits
    )


@pytest.fixture(scope="module")
def made_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that a server has made and left."""
    path = tmp_path_factory.mktemp("durability") / "runs.sqlite3"
    with ServerProcess(path, log=path.with_name("server.log")):
        pass
    return path


@pytest.fixture
def database(made_database: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copy(made_database, tmp_path))


SLOW_SYNCS = "fdatasync,fsync:delay_enter=2000"
"""Strace holds up every sync, so that an answer that does not wait for it is sure to be seen."""


@dataclass
class Played:
    """What clients were answered, what of it was not on disk when it was sent, and how syncs went."""

    answered: list[str]
    unsafe: list[str]
    syncs: int = 0
    failed_syncs: int = 0
    status: int = 0
    """How the server ended."""


def play(
    database: Path,
    calls: Callable[[Client], Iterable[Answer]],
    *,
    command: Sequence[str] = CLI,
    inject: str = SLOW_SYNCS,
) -> Played:
    """Run calls against a server under strace, and its trace on a disk."""
    trace = database.with_name("trace")
    disk = Disk(database)
    server = ServerProcess(
        database, log=database.with_name("server.log"), command=strace.command(command, trace, inject)
    ).start()
    pid = server.pid
    try:
        with Client(server.address) as client:
            answers = list(calls(client))
    finally:
        status = server.stop()
    marks = {answer.mark: answer for answer in answers}
    assert len(marks) == len(answers), "two answers look the same"
    played = Played([answer.what for answer in answers], [], status=status)
    for phase, call in strace.events(trace, pid):
        disk.see((phase, call))
        if phase == "returns" and call.name in ("fsync", "fdatasync"):
            played.syncs += 1
            played.failed_syncs += call.result != 0
        if phase == "begins" and call.name in SENDS and call.file.startswith("socket:"):
            sent = call.data
            for mark in [mark for mark in marks if mark in sent]:
                answer = marks.pop(mark)
                if not answer.holds(disk.left_by_a_power_cut()):
                    played.unsafe.append(answer.what)
    assert not marks, f"strace has not seen these answers: {[answer.what for answer in marks.values()]}"
    return played


def one_client(client: Client) -> Iterator[Answer]:
    """A run's first steps, an edit, and the steps after it."""
    place, answer = acquire(client, "alone", 0.1)
    yield answer
    for number in range(1, 16):
        yield step(client, place, number)
    yield edit(client, place)
    for number in range(16, 31):
        yield step(client, place, number)


def eight_clients(client: Client) -> list[Answer]:
    """Eight runs that step side by side, so that commits are shared."""

    def train(number: int) -> list[Answer]:
        with Client(client.server) as own:
            place, answer = acquire(own, f"job{number}", 0.1 + number / 64)
            return [answer, *(step(own, place, n) for n in range(1, 16))]

    with ThreadPoolExecutor(8) as pool:
        return [answer for answers in pool.map(train, range(8)) for answer in answers]


def test_no_answer_is_sent_before_what_it_says_is_on_disk(database: Path) -> None:
    played = play(database, one_client)
    assert len(played.answered) == 32
    assert played.unsafe == []


def test_no_answer_of_a_shared_commit_is_sent_before_it_is_on_disk(database: Path) -> None:
    played = play(database, eight_clients)
    assert len(played.answered) == 8 * 16
    assert played.syncs < len(played.answered), "no commit was shared"
    assert played.unsafe == []


@pytest.mark.parametrize("alteration", ["synchronous=OFF", "synchronous=NORMAL"])
def test_the_same_check_fails_where_sqlite_does_not_wait_for_the_disk(
    database: Path, alteration: str
) -> None:
    played = play(database, one_client, command=altered_server.command(alteration))
    assert played.unsafe == played.answered


def test_the_same_check_fails_where_answers_come_before_the_commit(database: Path) -> None:
    played = play(database, one_client, command=altered_server.command("answers-before-commit"))
    assert played.unsafe == [what for what in played.answered if what.startswith("step")]


def test_a_server_whose_disk_fails_ends_without_an_answer_that_may_be_lost(database: Path) -> None:
    """What the failed sync should have covered is gone for good, and no later one may be trusted."""

    def until_it_fails(client: Client) -> Iterator[Answer]:
        place, answer = acquire(client, "alone", 0.1)
        yield answer
        for number in count(1):
            try:
                yield step(client, place, number)
            except ServerUnavailable:
                return

    played = play(database, until_it_fails, inject="fdatasync:error=EIO:when=12+")
    assert played.failed_syncs == 1
    assert 2 <= len(played.answered) < 12
    assert played.unsafe == []
    assert played.status == os.EX_IOERR


def test_a_full_disk_refuses_steps_until_there_is_room_and_gives_what_it_has(database: Path) -> None:
    refused = []

    def calls(client: Client) -> Iterator[Answer]:
        place, answer = acquire(client, "alone", 0.1)
        yield answer
        for number in range(1, 31):
            while True:
                try:
                    yield step(client, place, number)
                    break
                except StorageFull:
                    refused.append(number)
                    assert sum(block.table.count for block in client.list_blocks(place.run)) == number - 1

    played = play(database, calls, inject="pwrite64:error=ENOSPC:when=60..80")
    assert refused
    assert len(played.answered) == 31
    assert played.unsafe == []


@pytest.mark.parametrize("moment", ["pwrite64:30", "fdatasync:6"], ids=["in the schema", "in its commit"])
def test_a_first_start_that_is_killed_is_made_up_for_by_the_next(moment: str, tmp_path: Path) -> None:
    database, log = tmp_path / "runs.sqlite3", tmp_path / "server.log"
    call, _, number = moment.partition(":")
    killed = strace.command(CLI, tmp_path / "trace", f"{call}:signal=SIGKILL:when={number}")
    first = ServerProcess(database, log=log, command=killed)
    try:
        with pytest.raises(RuntimeError, match="did not start"):
            first.start()
    finally:
        assert first.stop() == -signal.SIGKILL
    with ServerProcess(database, log=log) as server, Client(server.address) as client:
        place, _ = acquire(client, "alone", 0.1)
        answer = step(client, place, 1)
    assert answer.holds(ledger.read(database))
