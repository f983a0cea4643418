"""The place on a run that a checkpoint is of: going back to it, looking at it, and what happened there since."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from lrkeeper import Client, RemoteLR
from lrkeeper import schedules as S
from lrkeeper.errors import RunFenced, WrongBranch
from tests.client.processes import in_new_process
from tests.client.training import KINDS, Row, Training, kept, undisturbed
from tests.support.server import ServerProcess

SAVED_AT = 6  # in the second member of the composites
MORE = 6


@pytest.mark.usefixtures("step_by_step")
@pytest.mark.parametrize("kind", KINDS)
def test_a_scheduler_goes_back_on_its_own_run(client: Client, kind: str) -> None:
    """Roll back after a loss spike: the scheduler in hand loads what it saved before."""
    training = Training()
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, SAVED_AT)
    state = scheduler.state_dict()
    training.epochs(scheduler, 5)
    scheduler.load_state_dict(state)
    training.optimizer.param_groups[0]["lr"] = 17.0  # as a restored optimizer may bring along
    assert training.epochs(scheduler, MORE) == undisturbed(kind.split()[0], SAVED_AT + MORE)[SAVED_AT:]
    stored = client.get_run(state["lrkeeper"]["run"])
    assert (stored.fence, stored.frontier) == (1, SAVED_AT + MORE + 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_scheduler_goes_back_to_the_state_it_had_before_its_first_step(
    server: ServerProcess, kind: str
) -> None:
    """As a search for a good lr does, and a sanity check before training."""
    training = Training()
    scheduler = kept(kind, training.optimizer)
    state, lrs = scheduler.state_dict(), training.optimizer.state_dict()
    training.epochs(scheduler, SAVED_AT)
    training.optimizer.load_state_dict(lrs)
    scheduler.load_state_dict(state)
    assert training.epochs(scheduler, MORE) == undisturbed(kind.split()[0], MORE)
    assert scheduler.state_dict()["lrkeeper"]["step"] == scheduler.last_epoch == MORE


@pytest.mark.parametrize("kind", KINDS)
def test_the_row_of_the_checkpoint_is_there_before_any_step(server: ServerProcess, kind: str) -> None:
    training = Training()
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, SAVED_AT)
    second = Training()
    resumed = kept(kind, second.optimizer)
    resumed.load_state_dict(scheduler.state_dict())
    assert second.lrs() == training.lrs()
    assert resumed.get_last_lr() == scheduler.get_last_lr()
    assert resumed.last_epoch == SAVED_AT


@pytest.mark.usefixtures("step_by_step")
def test_progress_is_not_counted_twice_after_a_load(server: ServerProcess, client: Client, run: str) -> None:
    """torch's loop over the epochs that are left: no step is skipped, none is done again."""
    training = Training()
    scheduler = RemoteLR(training.optimizer, S.StepLR(2, gamma=0.7), run=run)
    training.epochs(scheduler, 4)
    state = scheduler.state_dict()
    second = Training()
    resumed = RemoteLR(second.optimizer, S.StepLR(2, gamma=0.7), run=run)
    resumed.load_state_dict(state)
    resumed.load_state_dict(state)
    for _ in range(resumed.last_epoch, 7):
        second.epochs(resumed, 1)
    assert training.used + second.used == undisturbed("StepLR", 7)
    assert client.get_run(run).frontier == 8


def go_on_from(state: dict[str, Any], training: Training, scheduler: RemoteLR) -> None:
    scheduler.load_state_dict(state)
    training.epochs(scheduler, 1)


@pytest.mark.usefixtures("step_by_step")
def test_a_checkpoint_of_a_branch_that_was_left_is_refused_in_the_same_process_too(
    server: ServerProcess, client: Client, run: str
) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, S.StepLR(2, gamma=0.7), run=run, incarnation="a")
    training.epochs(scheduler, 4)
    state = scheduler.state_dict()
    scheduler.finish()

    second = Training()
    anew = RemoteLR(
        second.optimizer, S.StepLR(1, gamma=0.5), run=run, incarnation="b", on_existing="new_branch"
    )
    second.epochs(anew, 2)
    with pytest.raises(WrongBranch, match=r"at step 4 of branch 1; run .* is on branch 2"):
        go_on_from(state, second, anew)
    assert client.get_run(run).frontier == 3


# To look at a checkpoint is not to take its run.


@pytest.mark.usefixtures("step_by_step")
@pytest.mark.parametrize("kind", ["StepLR drop-in", "SequentialLR RemoteLR"])
def test_a_look_at_a_checkpoint_takes_the_run_from_nobody(
    client: Client, server: ServerProcess, kind: str
) -> None:
    training = Training()
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, 4)
    state = scheduler.state_dict()
    name = state["lrkeeper"]["run"]

    assert in_new_process(look, kind, state, LRKEEPER_SERVER=server.address) == (training.lrs(), 4)

    stored = client.get_run(name)
    assert (stored.fence, stored.frontier) == (1, 5)
    assert training.epochs(scheduler, 4) == undisturbed(kind.split()[0], 8)[4:]


def look(kind: str, state: dict[str, Any]) -> tuple[Row, int]:
    """What an evaluation script does: restore all, read the lr, never step."""
    training = Training()
    scheduler = kept(kind, training.optimizer)
    scheduler.load_state_dict(state)
    assert scheduler.get_last_lr() == [group["lr"] for group in training.optimizer.param_groups]
    scheduler.state_dict()
    return training.lrs(), scheduler.last_epoch


@pytest.mark.usefixtures("step_by_step")
def test_the_first_step_from_a_checkpoint_takes_the_run(client: Client, server: ServerProcess) -> None:
    training = Training()
    scheduler = kept("StepLR drop-in", training.optimizer)
    training.epochs(scheduler, 4)
    state = scheduler.state_dict()
    in_new_process(resume_one_step, state, LRKEEPER_SERVER=server.address)
    assert client.get_run(state["lrkeeper"]["run"]).fence == 2
    with pytest.raises(RunFenced):
        training.epochs(scheduler, 2)


def resume_one_step(state: dict[str, Any]) -> None:
    training = Training()
    scheduler = kept("StepLR drop-in", training.optimizer)
    scheduler.load_state_dict(state)
    training.epochs(scheduler, 1)


# Where the run has gone on since, or changed.


@pytest.mark.usefixtures("step_by_step")
def test_an_edit_stays_where_it_took_effect(
    server: ServerProcess, client: Client, run: str, tmp_path: Path
) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, S.StepLR(2, gamma=0.7), run=run)
    training.epochs(scheduler, 3)
    state = scheduler.state_dict()
    training.epochs(scheduler, 2)
    edited = client.edit_run(run, S.StepLR(1, gamma=0.5), expected_revision=1, reason="too slow")
    assert edited.effective_step == 6
    training.epochs(scheduler, 4)

    used = in_new_process(resume_for, run, state, 6, LRKEEPER_SERVER=server.address)
    assert used == training.used[3:]
    assert used[:3] == undisturbed("StepLR", 6)[3:]
    assert used[3] != undisturbed("StepLR", 7)[6]


def resume_for(run: str, state: dict[str, Any], epochs: int) -> list[Row]:
    training = Training()
    scheduler = RemoteLR(training.optimizer, S.StepLR(2, gamma=0.7), run=run)
    scheduler.load_state_dict(state)
    return training.epochs(scheduler, epochs)


@pytest.mark.usefixtures("step_by_step")
def test_a_resume_says_where_it_is_and_which_edits_are_in_force(
    server: ServerProcess, client: Client, run: str, caplog: pytest.LogCaptureFixture
) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, S.StepLR(2, gamma=0.7), run=run, incarnation="a")
    training.epochs(scheduler, 3)
    client.edit_run(run, S.StepLR(1), expected_revision=1, reason="too slow", author="ada@lab")
    second = Training()
    resumed = RemoteLR(second.optimizer, S.StepLR(2, gamma=0.7), run=run, incarnation="b")
    resumed.load_state_dict(scheduler.state_dict())
    with caplog.at_level("INFO", logger="lrkeeper"):
        second.update()
    (said,) = caplog.messages
    assert f"run '{run}' resumed at step 3" in said
    assert said.endswith("revision 2 from step 4 (ada@lab: too slow)"), "it acts at once as it is"


@pytest.mark.usefixtures("step_by_step")
@pytest.mark.parametrize("acts_now", [2, 3])
def test_a_resume_before_an_edit_offers_the_command_by_which_it_acts_at_once(
    server: ServerProcess, client: Client, run: str, caplog: pytest.LogCaptureFixture, acts_now: int
) -> None:
    first = Training()
    scheduler = RemoteLR(first.optimizer, S.StepLR(2, gamma=0.7), run=run, incarnation="a")
    first.epochs(scheduler, 3)
    state = scheduler.state_dict()
    first.epochs(scheduler, 3)
    edits = {2: S.ExponentialLR(0.9), 3: S.ExponentialLR(0.5)}
    client.edit_run(run, edits[2], expected_revision=1, reason="it's too slow")
    client.edit_run(run, edits[3], expected_revision=2, reason="as planned", at_step=10)

    def resumed(incarnation: str, epochs: int) -> list[Row]:
        training = Training()
        scheduler = RemoteLR(training.optimizer, S.StepLR(2, gamma=0.7), run=run, incarnation=incarnation)
        scheduler.load_state_dict(state)
        return training.epochs(scheduler, epochs)

    assert resumed("b", 2) == undisturbed("StepLR", 5)[3:]
    (said,) = caplog.messages
    assert "edits in force: revision 2 from step 7 (" in said
    offered = re.findall(r"have revision (\d) act from step 4 on, end this start, run `([^`]+)` and", said)
    assert [revision for revision, _ in offered] == ["2", "3"]
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    subprocess.run(
        dict(offered)[str(acts_now)],
        shell=True,
        check=True,
        capture_output=True,
        env={**os.environ, "PATH": path},
    )

    def alone(schedule: S.Schedule) -> list[Row]:
        training = Training()
        return training.epochs(RemoteLR(training.optimizer, schedule, mode="off"), 13)

    used = resumed("c", 10)
    assert used == [undisturbed("StepLR", 4)[3], *alone(edits[acts_now])[4:10], *alone(edits[3])[10:]]


def test_a_resume_is_a_new_start_with_a_fence_of_its_own(
    server: ServerProcess, client: Client, run: str, tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.pt"
    for fence in (1, 2, 3):
        pid = in_new_process(train_two, run, path, LRKEEPER_SERVER=server.address)
        stored = client.get_run(run)
        assert stored.holder is not None
        assert (stored.fence, stored.holder.labels["pid"]) == (fence, str(pid))
    assert (stored.branch, stored.frontier) == (1, 7)


def train_two(run: str, path: Path) -> int:
    """Go on from where the path says, if it is there; return who this is."""
    training = Training()
    scheduler = RemoteLR(training.optimizer, S.StepLR(2, gamma=0.7), run=run)
    if path.exists():
        scheduler.load_state_dict(torch.load(path, weights_only=True))
    training.epochs(scheduler, 2)
    torch.save(scheduler.state_dict(), path)
    return os.getpid()
