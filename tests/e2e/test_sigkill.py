"""The server is killed again and again while clients step: nothing it answered is lost or changes.

LRKEEPER_KILL_ROUNDS says how often it is killed.
"""

from __future__ import annotations

import os
import random
import struct
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, pairwise, repeat
from operator import mul
from pathlib import Path
from uuid import uuid4

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.views import Edited
from tests.support import ledger
from tests.support.ledger import Ledger, Row
from tests.support.server import ServerProcess
from tests.support.steppers import Call, Job, Steppers

ROUNDS = int(os.environ.get("LRKEEPER_KILL_ROUNDS", "15"))

pytestmark = pytest.mark.timeout(120 + 10 * ROUNDS)

# Clients share runs as ranks of one start, or have their own.
JOBS = [
    *(Job("three-ranks", 0.1, 0.999, rank, world_size=3) for rank in range(3)),
    *(Job("two-ranks", 0.3, 0.998, rank, world_size=2) for rank in range(2)),
    Job("first-alone", 0.5, 0.997),
    Job("second-alone", 0.7, 0.996),
    Job("third-alone", 0.9, 0.995),
]
RUNS = {job.run: job for job in JOBS}


@dataclass(frozen=True)
class Life:
    """A life of the server, and what it left. Times are nanoseconds of the machine's monotonic clock."""

    listening: int
    killed: int
    dead: int
    left: Ledger


@dataclass(frozen=True)
class Change:
    """An edit that an operator made, and the answer."""

    run: str
    gamma: float
    request_id: str
    answer: Edited


@dataclass(frozen=True)
class Story:
    """All that happened: the lives that ended by SIGKILL, and the one after them that was stopped."""

    lives: list[Life]
    listening_again: int
    calls: list[Call]
    changes: list[Change]
    listed: dict[Row, bytes]
    end: Ledger

    @property
    def acknowledged(self) -> list[tuple[Row, Call]]:
        """Every answer that has a value, under the row it is about."""
        return [(_row(call), call) for call in self.calls if call.bits is not None]

    def acknowledged_before(self, moment: int) -> set[Row]:
        """Return the rows that some answer had told by a moment."""
        return {row for row, call in self.acknowledged if call.answered < moment}


class Operator:
    """Changes one run after the other; a change that a kill cuts short is sent again."""

    def __init__(self, server: str) -> None:
        self._client = Client(server, patience=60.0)
        self._thread = ThreadPoolExecutor(1)
        self._changes: list[Future[Change]] = []
        self._revisions = dict.fromkeys(RUNS, 1)

    def change_next(self) -> None:
        """Send a run's change on its way; every change has a gamma of its own."""
        number = len(self._changes)
        run = list(RUNS)[number % len(RUNS)]
        self._changes.append(self._thread.submit(self._change, run, 0.9999 - number / 20_000))

    def _change(self, run: str, gamma: float) -> Change:
        request_id = str(uuid4())
        answer = self._client.edit_run(
            run,
            S.StepLR(step_size=1, gamma=gamma),
            expected_revision=self._revisions[run],
            reason="to see whether it survives",
            request_id=request_id,
        )
        self._revisions[run] = answer.revision
        return Change(run, gamma, request_id, answer)

    def close(self) -> list[Change]:
        """Return all changes once they are answered."""
        changes = [change.result() for change in self._changes]
        self._thread.shutdown()
        self._client.close()
        return changes


def test_no_kill_of_the_server_loses_or_changes_what_it_answered(
    tmp_path: Path, record_testsuite_property: Callable[[str, object], None]
) -> None:
    server = ServerProcess(tmp_path / "runs.sqlite3", log=tmp_path / "server.log")
    try:
        story = _live_through(server, tmp_path)
    finally:
        server.kill()
    for name, figure in _figures(story).items():
        record_testsuite_property(f"sigkill: {name}", figure)
        print(f"{name}: {figure}")

    _most_kills_hit_requests_in_flight(story)
    _a_kill_leaves_every_value_that_was_acknowledged(story)
    _what_a_kill_left_stays_as_it_is(story)
    _no_step_has_two_values_in_all_answers(story)
    _what_is_committed_was_acknowledged_or_in_flight(story)
    _the_server_lists_what_the_file_has(story)
    _every_acknowledged_edit_is_stored_once_and_rules_from_its_step_on(story)


def _live_through(server: ServerProcess, folder: Path) -> Story:
    database, chance, lives = folder / "runs.sqlite3", random.Random(ROUNDS), []
    with Steppers(server.address, JOBS, folder) as steppers:
        operator = Operator(server.address)
        for number in range(ROUNDS):
            since = steppers.answers()
            server.start()
            listening = time.monotonic_ns()
            steppers.wait_for_answers(since, len(JOBS) if number == 0 else chance.randint(1, len(JOBS)))
            operator.change_next()
            time.sleep(chance.uniform(0, 0.05))  # any moment will do: the fault is to come at random
            killed = time.monotonic_ns()
            server.kill()
            lives.append(Life(listening, killed, time.monotonic_ns(), ledger.read_copy(database)))
        since = steppers.answers()
        server.start()
        listening = time.monotonic_ns()
        steppers.wait_for_answers(since, len(JOBS))
        changes = operator.close()
        calls = steppers.stop()
    with Client(server.address) as client:
        listed = {
            (run.uid, block.branch, step): struct.pack("<d", *block.table.row(step)["lr"])
            for run in list(client.list_runs())
            for block in client.list_blocks(run.name)
            for step in range(block.table.first_step, block.table.end_step)
        }
    assert server.stop() == 0
    return Story(lives, listening, calls, changes, listed, ledger.read(database))


def _hit(story: Story) -> int:
    """Return how many kills hit requests in flight.

    That is: a client whose connection stood had asked, and had its answer only from the next life.
    """
    hit = 0
    for life, listening_again in zip(
        story.lives, [*(life.listening for life in story.lives[1:]), story.listening_again], strict=True
    ):
        connected = {c.client for c in story.calls if life.listening < c.answered < life.killed}
        cut_short = {c.client for c in story.calls if c.asked < life.killed and c.answered > listening_again}
        hit += bool(connected & cut_short)
    return hit


def _figures(story: Story) -> dict[str, int]:
    in_doubt = [life.left.rows.keys() - story.acknowledged_before(life.killed) for life in story.lives]
    return {
        "rounds": ROUNDS,
        "rounds with requests in flight": _hit(story),
        "answers with a value": len(story.acknowledged),
        "committed rows": len(story.end.rows),
        "rows committed whose answers the kills cut off": sum(map(len, in_doubt)),
        "edits": len(story.changes),
    }


def _most_kills_hit_requests_in_flight(story: Story) -> None:
    assert _hit(story) >= 0.8 * ROUNDS


def _a_kill_leaves_every_value_that_was_acknowledged(story: Story) -> None:
    for life in story.lives:
        for row, call in story.acknowledged:
            if call.answered < life.killed:
                assert life.left.rows.get(row, b"").hex() == call.bits


def _what_a_kill_left_stays_as_it_is(story: Story) -> None:
    for before, after in pairwise([*(life.left for life in story.lives), story.end]):
        assert before.rows.items() <= after.rows.items()
        assert before.edits.items() <= after.edits.items()


def _no_step_has_two_values_in_all_answers(story: Story) -> None:
    seen: dict[Row, set[str | None]] = defaultdict(set)
    for row, call in story.acknowledged:
        seen[row].add(call.bits)
    assert [row for row, bits in seen.items() if len(bits) > 1] == []


def _what_is_committed_was_acknowledged_or_in_flight(story: Story) -> None:
    calls = defaultdict(list)
    for call in story.calls:
        calls[_row(call)].append(call)
    for life in story.lives:
        for row in life.left.rows:
            assert any(call.asked < life.dead for call in calls[row]), f"nobody had asked for {row}"
    assert set(story.end.rows) == {row for row, _ in story.acknowledged}


def _the_server_lists_what_the_file_has(story: Story) -> None:
    assert set(story.end.runs.values()) == set(RUNS)
    assert story.listed == story.end.rows


def _every_acknowledged_edit_is_stored_once_and_rules_from_its_step_on(story: Story) -> None:
    assert set(story.end.edits) == {change.request_id for change in story.changes}
    names, last = story.end.runs, max(step for _, _, step in story.end.rows)
    for change in story.changes:
        edit = story.end.edits[change.request_id]
        assert names[edit.run_uid] == change.run
        assert (edit.revision, edit.effective_step) == (change.answer.revision, change.answer.effective_step)
    for (uid, _, step), bits in story.end.rows.items():
        job, gamma = RUNS[names[uid]], RUNS[names[uid]].gamma
        for change in story.changes:
            if change.run == job.run and change.answer.effective_step <= step:
                gamma = change.gamma
        assert bits == struct.pack("<d", _step_lr(job.base_lr, gamma, last)[step])


@cache
def _step_lr(base_lr: float, gamma: float, last: int) -> list[float]:
    """Return StepLR's values by its definition: torch multiplies at every step."""
    return list(accumulate(repeat(gamma, last), mul, initial=base_lr))


def _row(call: Call) -> Row:
    return call.run_uid, call.branch, call.step
