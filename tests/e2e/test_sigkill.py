"""The server is killed again and again while clients step: nothing it answered is lost or changes.

The server and its writer, the process that commits, are killed in every order. How often is in `make soak` what
LRKEEPER_KILL_ROUNDS says, or 100.
"""

from __future__ import annotations

import os
import random
import struct
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
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
from tests.support.writers import ended, suspend_amid_a_commit, suspend_before_a_commit, wait_until_open

MANY = int(os.environ.get("LRKEEPER_KILL_ROUNDS", "100"))

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
    """A life of the server, and what it left. Times are nanoseconds of the machine's monotonic clock.

    `left` is None where its writer may have gone on beside the next life.
    """

    listening: int
    killed: int
    dead: int
    left: Ledger | None


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
    deaths: Counter[str]
    calls: list[Call]
    changes: list[Change]
    listed: dict[Row, bytes]
    end: Ledger

    @property
    def acknowledged(self) -> list[tuple[Row, Call]]:
        """Every answer that has a value, under the row it is about."""
        return [(_row(call), call) for call in self.calls if call.bits is not None]

    @property
    def read(self) -> list[tuple[Life, Ledger]]:
        """The lives whose database could be read when they had ended, and what was in it."""
        return [(life, life.left) for life in self.lives if life.left is not None]

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


@dataclass(frozen=True)
class Scene:
    """What a death can make use of."""

    server: ServerProcess
    database: Path
    steppers: Steppers
    chance: random.Random

    def wait_for_answers(self, most: int) -> None:
        """Return once some of the clients, or none, have had one more answer."""
        self.steppers.wait_for_answers(self.steppers.answers(), self.chance.randint(0, most))


Death = Callable[[Scene], Iterator[bool]]
"""Kills the server, and starts it again once the caller goes on; yields whether the database is at rest between."""


def server_and_the_writer_ends_by_itself(scene: Scene) -> Iterator[bool]:
    scene.server.kill()
    yield True
    scene.server.start()


def server_and_writer_at_once(scene: Scene) -> Iterator[bool]:
    scene.server.kill_all()
    yield True
    scene.server.start()


def server_and_writer_amid_a_commit(scene: Scene) -> Iterator[bool]:
    suspend_amid_a_commit(scene.server.writer, scene.database)
    scene.server.kill_all()
    yield True
    scene.server.start()


def writer_amid_a_commit_and_then_the_server(scene: Scene) -> Iterator[bool]:
    writer = scene.server.writer
    suspend_amid_a_commit(writer, scene.database)
    with ended(writer.pid):
        writer.kill()
    scene.wait_for_answers(len(JOBS))
    scene.server.kill()
    yield True
    scene.server.start()


def server_and_the_next_starts_at_once(scene: Scene) -> Iterator[bool]:
    scene.server.kill_alone()
    yield False
    scene.server.start()


def server_and_the_next_starts_while_the_writer_is_amid_a_commit(scene: Scene) -> Iterator[bool]:
    writer = scene.server.writer
    suspend_amid_a_commit(writer, scene.database)
    scene.server.kill_alone()
    yield True
    scene.server.launch()
    wait_until_open(scene.server.pid, scene.database)
    writer.resume()
    scene.server.wait_until_it_serves()


def server_and_the_writer_commits_when_the_next_serves(scene: Scene) -> Iterator[bool]:
    writer = scene.server.writer
    suspend_before_a_commit(writer, scene.database)
    scene.server.kill_alone()
    yield True
    scene.server.start()
    scene.wait_for_answers(3)
    writer.resume()


DEATHS: list[Death] = [
    server_and_the_writer_ends_by_itself,
    server_and_writer_at_once,
    server_and_writer_amid_a_commit,
    writer_amid_a_commit_and_then_the_server,
    server_and_the_next_starts_at_once,
    server_and_the_next_starts_while_the_writer_is_amid_a_commit,
    server_and_the_writer_commits_when_the_next_serves,
]


@pytest.mark.parametrize(
    "rounds",
    [
        len(DEATHS),
        pytest.param(MANY, marks=[pytest.mark.long, pytest.mark.timeout(120 + 20 * MANY)], id="many"),
    ],
)
def test_no_kill_of_the_server_loses_or_changes_what_it_answered(
    rounds: int,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    def progress(text: str) -> None:
        with capsys.disabled():
            print(text, flush=True)

    server = ServerProcess(tmp_path / "runs.sqlite3", log=tmp_path / "server.log")
    try:
        story = _live_through(rounds, server, tmp_path, progress)
    finally:
        server.kill_all()
    for name, figure in _figures(story).items():
        record_property(name, figure)

    _most_kills_hit_requests_in_flight(story)
    _a_kill_leaves_every_value_that_was_acknowledged(story)
    _what_a_kill_left_stays_as_it_is(story)
    _no_step_has_two_values_in_all_answers(story)
    _what_is_committed_was_acknowledged_or_in_flight(story)
    _the_server_lists_what_the_file_has(story)
    _every_acknowledged_edit_is_stored_once_and_rules_from_its_step_on(story)
    assert "Traceback" not in server.log.read_text()


def _live_through(rounds: int, server: ServerProcess, folder: Path, progress: Callable[[str], None]) -> Story:
    database, chance, lives = folder / "runs.sqlite3", random.Random(rounds), []
    deaths = [DEATHS[number % len(DEATHS)] for number in range(rounds)]
    with Steppers(server.address, JOBS, folder) as steppers:
        scene = Scene(server, database, steppers, chance)
        operator = Operator(server.address)
        since = steppers.answers()
        server.start()
        for number, death in enumerate(deaths):
            listening = server.listening_since
            steppers.wait_for_answers(since, len(JOBS) if number == 0 else chance.randint(1, len(JOBS)))
            operator.change_next()
            time.sleep(chance.uniform(0, 0.05))  # any moment will do: the fault is to come at random
            dying = death(scene)
            at_rest, dead = next(dying), time.monotonic_ns()
            left = ledger.read_copy(database) if at_rest else None
            lives.append(Life(listening, server.killed_at, dead, left))
            since = steppers.answers()
            next(dying, None)
            if (number + 1) % 10 == 0:
                progress(f"{number + 1} of {rounds} kills, {sum(steppers.answers())} answers")
        listening = server.listening_since
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
    counted = Counter(death.__name__.replace("_", " ") for death in deaths)
    return Story(lives, listening, counted, calls, changes, listed, ledger.read(database))


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
    in_doubt = [left.rows.keys() - story.acknowledged_before(life.killed) for life, left in story.read]
    return {
        "kills": len(story.lives),
        **{f"  of the {death}": count for death, count in story.deaths.items()},
        "kills with requests in flight": _hit(story),
        "answers with a value": len(story.acknowledged),
        "committed rows": len(story.end.rows),
        "rows committed whose answers the kills cut off": sum(map(len, in_doubt)),
        "edits": len(story.changes),
    }


def _most_kills_hit_requests_in_flight(story: Story) -> None:
    assert _hit(story) >= 0.8 * len(story.lives)


def _a_kill_leaves_every_value_that_was_acknowledged(story: Story) -> None:
    for life, left in story.read:
        for row, call in story.acknowledged:
            if call.answered < life.killed:
                assert left.rows.get(row, b"").hex() == call.bits
    for row, call in story.acknowledged:
        assert story.end.rows.get(row, b"").hex() == call.bits


def _what_a_kill_left_stays_as_it_is(story: Story) -> None:
    for before, after in pairwise([*(left for _, left in story.read), story.end]):
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
    for life, left in story.read:
        for row in left.rows:
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
