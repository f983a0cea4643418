"""Jobs of several ranks under torchrun: whatever is killed, paused or cut off, the optimizers use the same values.

The lr that each rank's optimizer used at each step is compared, bit for bit, with the same job left alone. The server
flips the last bit of every seventh step's values, so that what a rank computes by itself is not what it should use.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as torch_schedulers

from lrkeeper import Client, views
from tests.e2e.rank_job import GAMMA, LRS, SAVED_EVERY
from tests.support.flipping_server import command, flip
from tests.support.server import ServerProcess
from tests.support.torchrun import Lrs, Torchrun

RANKS = 4
STEPS = 320
RUN = "under-torchrun"
HORIZON = "0.4"  # some tens of steps: at most 80, as one takes 5 ms at least

FIRST_CHANGE, SECOND_CHANGE = 120, 240
FIRST_SCHEDULE = "step_lr: {step_size: 3, gamma: 0.97}"
SECOND_SCHEDULE = "linear_lr: {start_factor: 0.7, total_iters: 400}"

AS_USERS_RUN_IT = (sys.executable, "-m", "lrkeeper.cli")
EVERY = 7
"""The server flips the last bit of the values of each such step."""

pytestmark = pytest.mark.timeout(300)


class Job:
    """A job, its server and its checkpoint."""

    def __init__(self, folder: Path, server: Sequence[str] = command(EVERY)) -> None:
        self.folder = folder
        self.checkpoint = folder / "checkpoint.pt"
        self.database = folder / "runs.sqlite3"
        self.server = ServerProcess(self.database, log=folder / "server.log", command=server)
        self._starts = 0

    def start(
        self,
        *arguments: str,
        ranks: int = RANKS,
        restarts: int = 0,
        checkpoint: Path | None = None,
        **more: str,
    ) -> Torchrun:
        """Return a start of the job, for `with`."""
        self._starts += 1
        return Torchrun(
            self.folder / f"start{self._starts}",
            ranks,
            *("--checkpoint", str(checkpoint or self.checkpoint), "--steps", str(STEPS), *arguments),
            restarts=restarts,
            LRKEEPER_SERVER=self.server.address,
            LRKEEPER_RUN=RUN,
            LRKEEPER_HORIZON=HORIZON,
            **more,
        )

    def change(self, schedule: str, step: int) -> None:
        """Have an operator change the schedule, exactly from a step on that the run has not reached."""
        file = self.folder / f"from-{step}.yaml"
        file.write_text(schedule)
        edit = (*AS_USERS_RUN_IT, "run", "set-schedule", RUN, str(file))
        options = ("--at-step", str(step), "--not-after-step", str(step), "--reason", "as planned")
        done = subprocess.run(
            [*edit, *options, "--server", self.server.address], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def begin(self, torchrun: Torchrun) -> None:
        """Go to step 20, where the first change is made ahead of the frontier."""
        torchrun.open_to(20)
        torchrun.wait_at_gate(20)
        self.change(FIRST_SCHEDULE, FIRST_CHANGE)

    def stored(self) -> views.Run:
        """Return the run as the server has it."""
        with Client(self.server.address) as client:
            return client.get_run(RUN)

    def timeline(self) -> list[Lrs]:
        """Return all rows that the server has of the run's present branch, from step 1 on."""
        with Client(self.server.address) as client:
            blocks = list(client.list_blocks(RUN))
        rows = [
            block.table.row(step)["lr"]
            for block in blocks
            for step in range(block.table.first_step, block.table.end_step)
        ]
        return [tuple(value.hex() for value in row) for row in rows]


@pytest.fixture
def job(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Job]:
    """A job on a server of its own, which a test may choose by its command."""
    job = Job(tmp_path, getattr(request, "param", command(EVERY)))
    job.server.start()
    yield job
    job.server.kill()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[Lrs]:
    """What the job's optimizers use at each step if nothing happens, but for the operator's changes."""
    job = Job(tmp_path_factory.mktemp("undisturbed"))
    with job.server, job.start() as torchrun:
        job.begin(torchrun)
        torchrun.open_to(150)
        torchrun.wait_at_gate(150)
        job.change(SECOND_SCHEDULE, SECOND_CHANGE)
        torchrun.open_to(STEPS)
        assert torchrun.wait() == 0
        histories = [list(torchrun.used(rank)) for rank in range(RANKS)]
    assert histories == [histories[0]] * RANKS
    assert [step for step, _ in histories[0]] == list(range(STEPS))
    return [lrs for _, lrs in histories[0]]


def torch_curve(shape: str) -> list[Lrs]:
    """Return what a scheduler of torch's own gives at each step."""
    optimizer = torch.optim.SGD([{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in LRS])
    shapes: dict[str, Any] = {
        "first": partial(torch_schedulers.ExponentialLR, gamma=GAMMA),
        "changed": partial(torch_schedulers.StepLR, step_size=3, gamma=0.97),
        "changed again": partial(torch_schedulers.LinearLR, start_factor=0.7, total_iters=400),
    }
    scheduler = shapes[shape](optimizer)
    curve = []
    for _ in range(STEPS):
        curve.append(tuple(float(lr).hex() for lr in scheduler.get_last_lr()))
        optimizer.step()
        scheduler.step()
    return curve


def flipped(curve: list[Lrs], every: int = EVERY, first: int = 1) -> list[Lrs]:
    """Return a curve with the last bit of each so many steps' values the other way; step 0's are the job's own."""
    return [
        tuple(flip(float.fromhex(lr)).hex() for lr in lrs) if step >= first and step % every == 0 else lrs
        for step, lrs in enumerate(curve)
    ]


def assert_same(torchrun: Torchrun, undisturbed: list[Lrs], first: int = 0) -> None:
    """Assert that every rank took every step from `first` on, each time with the same lrs as undisturbed."""
    for rank in range(torchrun.ranks):
        used = list(torchrun.used(rank))
        assert [(step, lrs) for step, lrs in used if lrs != undisturbed[step]] == [], f"rank {rank}"
        assert {step for step, _ in used} == set(range(first, STEPS)), f"rank {rank}"


def test_a_job_left_alone_uses_torchs_values_and_those_of_each_change_from_its_step_on(
    undisturbed: list[Lrs],
) -> None:
    assert undisturbed == flipped(
        [
            *torch_curve("first")[:FIRST_CHANGE],
            *torch_curve("changed")[FIRST_CHANGE:SECOND_CHANGE],
            *torch_curve("changed again")[SECOND_CHANGE:],
        ]
    )


def test_a_killed_rank_then_all_of_them_and_half_as_many_ranks_after_that_change_no_value(
    job: Job, undisturbed: list[Lrs]
) -> None:
    with job.start("--drop-in", restarts=1) as torchrun:
        job.begin(torchrun)
        torchrun.open_to(150)
        torchrun.wait_for_step(70)
        torchrun.signal(2, signal.SIGKILL)
        torchrun.wait_until(lambda: all(len(torchrun.lives(rank)) == 2 for rank in range(RANKS)), "a restart")
        torchrun.wait_at_gate(150)
        job.change(SECOND_SCHEDULE, SECOND_CHANGE)
        torchrun.open_to(300)
        torchrun.wait_for_step(200, life=2)
        torchrun.kill()
        killed = [list(torchrun.used(rank)) for rank in range(RANKS)]
        again = [torchrun.lives(rank)[1][1] for rank in range(RANKS)]
    for used in killed:
        assert [(step, lrs) for step, lrs in used if lrs != undisturbed[step]] == []
    begins = {next(note["step"] for note in notes if "step" in note) for notes in again}
    assert begins <= set(range(60, 150, SAVED_EVERY)), "from a checkpoint on"
    assert len(begins) == 1
    saved = torch.load(job.checkpoint, weights_only=True)["step"]
    assert saved >= 200

    with job.start("--drop-in", ranks=2) as torchrun:
        torchrun.open_to(STEPS)
        assert torchrun.wait() == 0
        assert_same(torchrun, undisturbed, first=saved)
    run = job.stored()
    assert run.holder is not None
    assert (run.fence, run.branch, run.holder.world_size) == (3, 1, 2)


@pytest.mark.long
def test_a_job_paused_past_a_takeover_ends_at_its_own_frontier_and_names_the_new_one(
    job: Job, undisturbed: list[Lrs]
) -> None:
    copy = job.folder / "copy.pt"
    with job.start("--stays-when-fenced") as old:
        job.begin(old)
        before = old.go_on_until_ahead(90, steps=5)
        old.signal(0, signal.SIGSTOP)
        old.open_to(STEPS)
        shutil.copy(job.checkpoint, copy)
        saved = torch.load(copy, weights_only=True)["step"]
        with job.start(checkpoint=copy, ranks=2) as new:
            new.wait_at_gate(saved)
            frontier = job.stored().frontier
            new.open_to(saved + 1)
            new.wait_at_gate(saved + 1)
            run = job.stored()
            assert run.holder is not None
            assert (run.fence, run.frontier) == (2, frontier)

            old.signal(0, signal.SIGCONT)
            assert old.wait() == 0
            for rank in range(RANKS):
                assert all(undisturbed[step] == lrs for step, lrs in old.used(rank))
                assert before < old.last(rank) < frontier, "it goes on with what it held"
                (raised,) = old.notes(rank, "raised")
                assert raised["raised"] == "RunFenced"
                assert raised["details"]["incarnation"] == run.holder.incarnation
                assert f"is held by incarnation {run.holder.incarnation} on " in raised["text"]

            new.open_to(150)
            new.wait_at_gate(150)
            job.change(SECOND_SCHEDULE, SECOND_CHANGE)
            new.open_to(STEPS)
            assert new.wait() == 0
            assert_same(new, undisturbed, first=saved)
    assert job.timeline()[: STEPS - 1] == undisturbed[1:]
    assert job.stored().fence == 2


@pytest.mark.long
def test_a_server_that_is_away_or_of_other_rounding_changes_no_committed_value(
    job: Job, undisturbed: list[Lrs]
) -> None:
    with job.start() as torchrun:
        job.begin(torchrun)
        job.change(SECOND_SCHEDULE, SECOND_CHANGE)

        # Away for less than the window: nobody notices.
        at = torchrun.go_on_until_ahead(27, steps=10)
        job.server.kill()
        torchrun.open_to(at + 9)
        torchrun.wait_at_gate(at + 9)
        job.server.start()

        # For longer: all wait at the same step.
        torchrun.open_to(210)
        torchrun.wait_for_step(at + 10)
        job.server.kill()
        torchrun.wait_until(
            lambda: any(
                "waiting for it" in n["said"] for r in range(RANKS) for n in torchrun.notes(r, "said")
            ),
            "a rank waits for the server",
        )
        stalled = [torchrun.last(rank) for rank in range(RANKS)]
        restarted = time.monotonic_ns()
        job.server.start()
        torchrun.wait_at_gate(210)
        assert stalled == [stalled[0]] * RANKS
        assert stalled[0] < 209
        for rank in range(RANKS):
            assert all(n["at"] > restarted for n in torchrun.notes(rank, "step") if n["step"] > stalled[0])

        # Back with other last bits: it rules what was not committed.
        job.server.kill()
        job.server = ServerProcess(
            job.database, log=job.server.log, port=job.server.port, command=command(5)
        ).start()
        frontier = job.stored().frontier
        torchrun.open_to(STEPS)
        assert torchrun.wait() == 0
        expected = flipped(flipped(undisturbed, EVERY, frontier), 5, frontier)
        assert frontier < 300
        assert expected[300] != undisturbed[300]
        assert_same(torchrun, expected)
    assert job.timeline()[: STEPS - 1] == expected[1:]


@pytest.mark.long
@pytest.mark.parametrize("job", [AS_USERS_RUN_IT], ids=["a server that flips nothing"], indirect=True)
def test_ranks_that_rank_0_asks_for_go_through_an_outage_together_and_come_back(
    job: Job, undisturbed: list[Lrs]
) -> None:
    options = ("--only-rank-0-has-a-server", "--max-stall", "3")
    with job.start(*options, LRKEEPER_SYNC="broadcast") as torchrun:
        job.begin(torchrun)
        torchrun.open_to(150)
        held = max(torchrun.wait_at_gate(150))
        job.change(SECOND_SCHEDULE, SECOND_CHANGE)
        assert held <= job.stored().frontier < SECOND_CHANGE
        job.server.kill()
        torchrun.open_to(260)
        torchrun.wait_at_gate(260)
        job.server.start()
        at = 260
        while not job.stored().deviations:
            at += 2
            torchrun.open_to(at)
            torchrun.wait_at_gate(at)
        torchrun.open_to(STEPS)
        assert torchrun.wait() == 0
        histories = [list(torchrun.used(rank)) for rank in range(RANKS)]
    assert histories == [histories[0]] * RANKS
    assert [step for step, _ in histories[0]] == list(range(STEPS))

    # What was used instead is told, and is the schedule that the job knew of: not the second change.
    plain = flipped(undisturbed)
    (deviation,) = job.stored().deviations
    table = deviation.values
    assert deviation.kind == "forecast"
    assert held <= table.first_step < SECOND_CHANGE
    assert 260 < table.end_step <= at
    expected = [
        *plain[: table.first_step],
        *torch_curve("changed")[table.first_step : table.end_step],
        *plain[table.end_step :],
    ]
    assert [lrs for _, lrs in histories[0]] == expected
    told = [table.row(step)["lr"] for step in range(table.first_step, table.end_step)]
    assert [tuple(value.hex() for value in row) for row in told] == expected[
        table.first_step : table.end_step
    ]
    assert job.timeline()[: STEPS - 1] == plain[1:], "the run's timeline has the change all the same"
