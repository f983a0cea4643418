"""The same name in two starts of a job: who has the run, and what the other is told."""

from __future__ import annotations

import os
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from lrkeeper import Client, RemoteLR
from lrkeeper import schedules as S
from lrkeeper.errors import (
    GroupsDiffer,
    RunAlreadyFinished,
    RunFenced,
    RunFinished,
    RunHeld,
    ScheduleDiffers,
    StaleAttempt,
)
from tests.client.newest import uids
from tests.client.processes import in_new_process
from tests.client.training import Row, Training, hexes, undisturbed
from tests.support.server import ServerProcess

STEP_LR = S.StepLR(2, gamma=0.7)
OTHER = S.StepLR(1, gamma=0.5)


def started(run: str, epochs: int, **options: Any) -> tuple[Training, RemoteLR]:
    """Train some epochs as the first start; options are RemoteLR's."""
    training = Training()
    scheduler = RemoteLR(training.optimizer, STEP_LR, run=run, incarnation="first", **options)
    training.epochs(scheduler, epochs)
    return training, scheduler


def another_start(
    server: ServerProcess,
    run: str,
    epochs: int,
    *lrs: float,
    schedule: S.Schedule = STEP_LR,
    state: dict[str, Any] | None = None,
    incarnation: str = "second",
    **options: Any,
) -> list[Row]:
    """Train some epochs in another process; return the lrs used."""
    options |= {"incarnation": incarnation}
    return in_new_process(_train, run, epochs, lrs, schedule, state, options, LRKEEPER_SERVER=server.address)


def _train(
    run: str,
    epochs: int,
    lrs: tuple[float, ...],
    schedule: S.Schedule,
    state: dict[str, Any] | None,
    options: dict[str, Any],
) -> list[Row]:
    training = Training(*lrs)
    scheduler = RemoteLR(training.optimizer, schedule, run=run, **options)
    if state is not None:
        scheduler.load_state_dict(state)
    return training.epochs(scheduler, epochs)


# A run that another start holds.


@pytest.mark.parametrize("on_existing", ["resume", "new_branch"])
def test_a_run_that_another_start_holds_is_refused_and_goes_on(
    client: Client, server: ServerProcess, run: str, on_existing: str
) -> None:
    training, scheduler = started(run, 3)
    with pytest.raises(RunHeld) as caught:
        another_start(server, run, 1, on_existing=on_existing)
    said = str(caught.value)
    assert f"incarnation first on {socket.gethostname()}, pid {os.getpid()} (fence 1)" in said
    assert "on_existing='takeover'" in said
    assert caught.value.details["incarnation"] == "first"

    assert training.epochs(scheduler, 3) == undisturbed("StepLR", 6)[3:]
    assert client.get_run(run).fence == 1


def test_a_run_name_copied_into_another_script_fences_nothing(
    client: Client, server: ServerProcess, run: str
) -> None:
    training, scheduler = started(run, 3)
    with pytest.raises(RunHeld, match="incarnation first"):
        another_start(server, run, 1, 0.3, 0.5, schedule=OTHER)
    assert training.epochs(scheduler, 3) == undisturbed("StepLR", 6)[3:]
    assert client.get_run(run).fence == 1


@pytest.mark.usefixtures("step_by_step")
def test_a_start_that_was_not_heard_of_for_long_loses_the_run(
    own_server: ServerProcess, tmp_path: Path
) -> None:
    training, scheduler = started("run", 3)
    own_server.stop()
    with sqlite3.connect(tmp_path / "runs.sqlite3") as database:  # as if an hour had passed
        database.execute("UPDATE runs SET heard_at = heard_at - 3600000000")
    own_server.start()
    assert another_start(own_server, "run", 3) == undisturbed("StepLR", 3)
    with pytest.raises(RunFenced, match="incarnation second"):
        training.epochs(scheduler, 1)


@pytest.mark.usefixtures("step_by_step")
def test_takeover_goes_through_the_runs_timeline_again_with_its_edits(
    client: Client, server: ServerProcess, run: str
) -> None:
    training, scheduler = started(run, 3)
    client.edit_run(run, OTHER, expected_revision=1, reason="too slow")
    training.epochs(scheduler, 3)
    assert another_start(server, run, 6, on_existing="takeover") == training.used
    assert training.used[4:] != undisturbed("StepLR", 6)[4:]
    stored = client.get_run(run)
    assert (stored.fence, stored.branch, stored.frontier) == (2, 1, 7)


@pytest.mark.usefixtures("step_by_step")
def test_a_start_that_begins_again_says_so_and_which_edits_are_in_force(
    client: Client, server: ServerProcess, run: str, caplog: pytest.LogCaptureFixture
) -> None:
    another_start(server, run, 3)
    client.edit_run(run, OTHER, expected_revision=1, reason="too slow", author="ada@lab")
    with caplog.at_level("WARNING", logger="lrkeeper"):
        started(run, 1, on_existing="takeover")
    (said,) = caplog.messages
    assert f"run '{run}' begun again at step 0; steps below 4 have their values already" in said
    assert "edits in force: revision 2 from step 4 (ada@lab: too slow)" in said


def test_an_edit_that_a_later_one_has_superseded_is_not_said_to_be_in_force(
    client: Client, server: ServerProcess, run: str, caplog: pytest.LogCaptureFixture
) -> None:
    another_start(server, run, 3)
    client.edit_run(run, OTHER, expected_revision=1, reason="much later", at_step=100)
    client.edit_run(run, OTHER, expected_revision=2, reason="sooner", at_step=50, author="ada@lab")
    with caplog.at_level("WARNING", logger="lrkeeper"):
        started(run, 1, on_existing="takeover")
    (said,) = caplog.messages
    assert said.endswith("edits in force: revision 3 from step 50 (ada@lab: sooner)")


@pytest.mark.usefixtures("step_by_step")
def test_new_branch_begins_a_finished_run_anew_with_what_the_job_brings(
    client: Client, server: ServerProcess, run: str
) -> None:
    _, scheduler = started(run, 3)
    scheduler.finish()
    used = another_start(server, run, 3, 0.3, 0.5, schedule=S.MultiStepLR([2]), on_existing="new_branch")
    assert used == [hexes((0.3, 0.5)), hexes((0.3, 0.5)), hexes((0.3 * 0.1, 0.5 * 0.1))]
    stored = client.get_run(run)
    assert (stored.branch, stored.fence, stored.state, stored.frontier) == (2, 2, "active", 4)
    # What was there is still there.
    old = [block.table.row(block.table.first_step)["lr"] for block in client.list_blocks(run, branch=1)]
    assert [hexes(row) for row in old] == undisturbed("StepLR", 4)[1:]


# A run that is finished.


def test_a_finished_run_is_refused_and_says_what_to_say(
    client: Client, server: ServerProcess, run: str
) -> None:
    _, scheduler = started(run, 2)
    scheduler.finish()
    assert client.get_run(run).state == "finished"
    with pytest.raises(RunAlreadyFinished, match=r"(?s)is finished.*'new_branch'.*'takeover'"):
        another_start(server, run, 1)
    assert client.get_run(run).fence == 1


@pytest.mark.usefixtures("step_by_step")
def test_a_finished_run_takes_no_more_steps(server: ServerProcess, run: str) -> None:
    training, scheduler = started(run, 2)
    scheduler.finish()
    scheduler.finish()
    before = scheduler.state_dict(), training.lrs()
    with pytest.raises(RunFinished, match=run):
        scheduler.step()
    assert (scheduler.state_dict(), training.lrs()) == before


def test_a_finished_run_goes_on_from_a_checkpoint_by_takeover(
    client: Client, server: ServerProcess, run: str
) -> None:
    _, scheduler = started(run, 3)
    state = scheduler.state_dict()
    scheduler.finish()
    with pytest.raises(RunFinished, match="on_existing='takeover'"):
        another_start(server, run, 3, state=state)
    used = another_start(server, run, 3, state=state, incarnation="third", on_existing="takeover")
    assert used == undisturbed("StepLR", 6)[3:]
    assert client.get_run(run).state == "active"


def test_a_run_that_was_never_opened_is_not_finished(client: Client, run: str) -> None:
    before = uids(client)
    _, scheduler = started(run, 0)
    scheduler.finish()
    assert uids(client) == before


# A run of another kind.


@pytest.mark.parametrize("resumes", [True, False])
def test_another_schedule_is_refused_with_both_and_the_ways_on(
    client: Client, server: ServerProcess, run: str, resumes: bool
) -> None:
    _, scheduler = started(run, 2)
    state = scheduler.state_dict() if resumes else None
    with pytest.raises(ScheduleDiffers) as caught:
        another_start(server, run, 1, schedule=OTHER, state=state, on_existing="takeover")
    said = str(caught.value)
    assert "brings StepLR(step_size=1, gamma=0.5)" in said
    assert "began with StepLR(step_size=2, gamma=0.7)" in said
    for way in (f"lrkeeper run set-schedule {run}", "another run name", "on_existing='new_branch'"):
        assert way in said
    stored = client.get_run(run)
    assert (stored.fence, stored.schedule, stored.revision) == (1, STEP_LR, 1)


@pytest.mark.parametrize(
    ("lrs", "says"),
    [
        ((0.1, 0.1), "the job has 2, the run 1"),
        ((0.2,), r"group 0 has the base values \{'lr': 0\.2\} in the job, \{'lr': 0\.1\} in the run"),
    ],
)
def test_other_param_groups_are_refused_with_the_difference(
    client: Client, server: ServerProcess, run: str, lrs: tuple[float, ...], says: str
) -> None:
    started(run, 2)
    with pytest.raises(GroupsDiffer, match=says):
        another_start(server, run, 1, *lrs, on_existing="takeover")
    assert client.get_run(run).fence == 1


@pytest.mark.usefixtures("step_by_step")
def test_a_checkpoint_beyond_what_the_server_has_brings_it_back(
    own_server: ServerProcess, tmp_path: Path
) -> None:
    """A database that was put back to an older state, under a job that has gone on: the state dict has the rows."""
    training, scheduler = started("run", 2)
    own_server.stop()
    older = (tmp_path / "runs.sqlite3").read_bytes()
    own_server.start()
    training.epochs(scheduler, 3)
    own_server.stop()
    for path in tmp_path.glob("runs.sqlite3-*"):
        path.unlink()
    (tmp_path / "runs.sqlite3").write_bytes(older)
    own_server.start()
    used = another_start(own_server, "run", 3, state=scheduler.state_dict())
    assert used == undisturbed("StepLR", 8)[5:]
    with Client(own_server.address) as client:
        assert client.get_run("run").frontier == 9


# A start that has lost its run.


@pytest.mark.usefixtures("step_by_step")
def test_a_start_that_lost_its_run_is_told_by_whom_and_never_takes_it_back(
    client: Client, server: ServerProcess, run: str
) -> None:
    training, scheduler = started(run, 3)
    another_start(server, run, 2, on_existing="takeover")

    before = scheduler.state_dict(), training.lrs(), scheduler.last_epoch
    for _ in range(3):
        with pytest.raises(RunFenced, match=f"run '{run}' is held by incarnation second on") as caught:
            scheduler.step()
        assert caught.value.details["incarnation"] == "second"
    assert (scheduler.state_dict(), training.lrs(), scheduler.last_epoch) == before
    with pytest.raises(RunFenced):
        scheduler.finish()
    stored = client.get_run(run)
    assert (stored.fence, stored.state, stored.frontier) == (2, "active", 4)
    # The start that has it goes on: the same incarnation again, and the same fence.
    assert another_start(server, run, 6, on_existing="takeover") == undisturbed("StepLR", 6)
    assert client.get_run(run).fence == 2


@pytest.mark.usefixtures("step_by_step")
@pytest.mark.parametrize("way", ["its own state", "a new scheduler", "a new scheduler and a state"])
def test_a_superseded_start_does_not_come_back_by_another_door(
    client: Client, server: ServerProcess, run: str, way: str
) -> None:
    training, scheduler = started(run, 3)
    state = scheduler.state_dict()
    another_start(server, run, 1, on_existing="takeover")
    if way != "its own state":
        training = Training()
        scheduler = RemoteLR(
            training.optimizer, STEP_LR, run=run, incarnation="first", on_existing="takeover"
        )
    if way != "a new scheduler":
        scheduler.load_state_dict(state)
    with pytest.raises(RunFenced, match="incarnation second"):
        training.epochs(scheduler, 1)
    assert client.get_run(run).fence == 2


@pytest.mark.usefixtures("step_by_step")
def test_a_superseded_start_uses_up_what_was_committed_and_then_ends(
    client: Client, server: ServerProcess, run: str
) -> None:
    """As one does that was stopped for a while: what it reads has its value for ever."""
    training, scheduler = started(run, 2)
    another_start(server, run, 4, on_existing="takeover")
    assert training.epochs(scheduler, 2) == undisturbed("StepLR", 4)[2:]
    with pytest.raises(RunFenced):
        scheduler.step()
    assert client.get_run(run).frontier == 5


def test_an_explicit_attempt_orders_the_starts(client: Client, server: ServerProcess, run: str) -> None:
    _, scheduler = started(run, 3, attempt=4)
    state = scheduler.state_dict()
    with pytest.raises(StaleAttempt, match=r"attempt 3 .* comes after attempt 4 has started"):
        another_start(server, run, 1, state=state, attempt=3)
    assert another_start(server, run, 2, state=state, attempt=5) == undisturbed("StepLR", 5)[3:]
    assert client.get_run(run).fence == 2
