"""What a scheduler does with a checkpoint, as `on_resume` or the environment says."""

from __future__ import annotations

import copy
import logging
from typing import Any

import pytest

from lrkeeper import Client, RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from lrkeeper.errors import ResumeRefused, RunHeld, ScheduleDiffers
from tests.client.training import Training, kept, undisturbed
from tests.support.server import ServerProcess

REMOTE = "StepLR RemoteLR"


def saved_at(kind: str, step: int, to: int) -> dict[str, Any]:
    """Return what a job saved at a step, that went on to another one."""
    training = Training()
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, step)
    state: dict[str, Any] = copy.deepcopy(scheduler.state_dict())
    training.epochs(scheduler, to - step)
    return state


@pytest.fixture(autouse=True)
def each_step_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the run is where the job is."""
    monkeypatch.setenv("LRKEEPER_HORIZON", "0")


@pytest.fixture
def state(run: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What a job saved at step 4 that asked for step 9, at step 8, and ended; the next start comes now."""
    monkeypatch.setenv("LRKEEPER_RUN", run)
    monkeypatch.setenv("LRKEEPER_INCARNATION", f"{run}-first")
    state = saved_at(REMOTE, 4, 9)
    monkeypatch.setenv("LRKEEPER_INCARNATION", f"{run}-second")
    return state


@pytest.mark.parametrize("horizon", ["0", "30"])
def test_a_job_goes_on_where_the_run_is_and_counts_from_there(
    state: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, horizon: str
) -> None:
    monkeypatch.setenv("LRKEEPER_HORIZON", horizon)
    training = Training()
    scheduler = kept(REMOTE, training.optimizer, on_resume="server")
    scheduler.load_state_dict(state)
    assert training.epochs(scheduler, 5) == undisturbed("StepLR", 13)[8:]
    assert (scheduler.last_epoch, scheduler._step_count) == (13, 14)
    assert scheduler.state_dict()["lrkeeper"]["step"] == 13
    assert "goes on at step 8, which it applied last, not at its checkpoint's 4" in caplog.text


def test_the_lr_is_the_runs_before_the_first_step(state: dict[str, Any]) -> None:
    scheduler = kept(REMOTE, Training().optimizer, on_resume="server")
    scheduler.load_state_dict(state)
    assert [lr.hex() for lr in scheduler.get_last_lr()] == list(undisturbed("StepLR", 9)[8])
    assert scheduler.last_epoch == 8


def test_a_drop_in_has_torchs_books_and_cannot_go_on_elsewhere(
    run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRKEEPER_RUN", run)
    monkeypatch.setenv("LRKEEPER_INCARNATION", f"{run}-first")
    state = saved_at("StepLR drop-in", 4, 9)
    monkeypatch.setenv("LRKEEPER_INCARNATION", f"{run}-second")
    monkeypatch.setenv("LRKEEPER_ON_RESUME", "server")
    training = Training()
    scheduler = kept("StepLR drop-in", training.optimizer)
    scheduler.load_state_dict(state)
    before = training.lrs()
    for _ in range(2):
        with pytest.raises(ResumeRefused, match=r"at step 8 .* books in the state dict are those of step 4"):
            training.update()
        with pytest.raises(ResumeRefused):
            scheduler.step()
    assert (scheduler.last_epoch, training.lrs()) == (4, before)


def test_a_drop_in_goes_on_where_the_run_is_if_that_is_the_checkpoints_step(
    run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRKEEPER_RUN", run)
    monkeypatch.setenv("LRKEEPER_INCARNATION", f"{run}-first")
    state = saved_at("StepLR drop-in", 4, 4)
    monkeypatch.setenv("LRKEEPER_INCARNATION", f"{run}-second")
    monkeypatch.setenv("LRKEEPER_ON_RESUME", "server")
    training = Training()
    scheduler = kept("StepLR drop-in", training.optimizer)
    scheduler.load_state_dict(state)
    assert training.epochs(scheduler, 5) == undisturbed("StepLR", 9)[4:]


@pytest.mark.parametrize("kind", ["StepLR drop-in", REMOTE])
def test_the_checkpoint_wins_over_an_edit(
    client: Client, run: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kind: str
) -> None:
    monkeypatch.setenv("LRKEEPER_RUN", run)
    monkeypatch.setenv("LRKEEPER_INCARNATION", f"{run}-first")
    state = saved_at(kind, 4, 9)
    client.edit_run(run, S.StepLR(1, gamma=0.5), expected_revision=1, reason="faster")
    monkeypatch.setenv("LRKEEPER_INCARNATION", f"{run}-second")
    monkeypatch.setenv("LRKEEPER_ON_RESUME", "checkpoint")
    training = Training()
    scheduler = kept(kind, training.optimizer)
    scheduler.load_state_dict(state)
    assert training.epochs(scheduler, 9) == undisturbed("StepLR", 13)[4:]
    assert [b.origin_step for b in client.get_run(run).lineage] == [0, 4]
    assert "goes on from its checkpoint of step 4, on branch 2" in caplog.text


def test_who_wins_where_the_job_brings_another_schedule_is_said(
    state: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    """A new lr or gamma on the command line of a job that resumes."""
    other = S.StepLR(2, gamma=0.9)
    scheduler = RemoteLR(Training().optimizer, other)
    scheduler.load_state_dict(copy.deepcopy(state))
    with pytest.raises(ScheduleDiffers, match=r"gamma=0\.9.* gamma=0\.7.*on_resume='checkpoint'"):
        scheduler.step()
    training = Training(0.2)
    scheduler = RemoteLR(training.optimizer, other, on_resume="checkpoint")
    scheduler.load_state_dict(state)
    assert training.epochs(scheduler, 5) == undisturbed("StepLR", 9)[4:]
    assert "gamma=0.9" in caplog.text
    assert "the checkpoint's wins" in caplog.text
    assert "base lr 0.2 in the job and 0.1 in its checkpoint" in caplog.text


def test_another_base_lr_is_a_difference_that_is_said(
    state: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    training = Training(0.2)
    scheduler = kept(REMOTE, training.optimizer)
    scheduler.load_state_dict(state)
    assert training.epochs(scheduler, 5) == undisturbed("StepLR", 9)[4:]
    assert "param group 0 has the base lr 0.2 in the job and 0.1 in its checkpoint" in caplog.text


def test_another_base_of_what_else_is_moved_is_said_too(
    server: ServerProcess, run: str, caplog: pytest.LogCaptureFixture
) -> None:
    schedule = S.Tracks([S.Track(S.StepLR(2, gamma=0.7)), S.Track(S.Constant(), "weight_decay")])
    training = Training()
    scheduler = RemoteLR(training.optimizer, schedule, run=run, incarnation="first")
    training.epochs(scheduler, 4)
    second = Training()
    second.optimizer.param_groups[0]["weight_decay"] = 0.5
    resumed = RemoteLR(second.optimizer, schedule, run=run, incarnation="second")
    resumed.load_state_dict(scheduler.state_dict())
    assert second.epochs(resumed, 5) == undisturbed("StepLR", 9)[4:]
    assert second.optimizer.param_groups[0]["weight_decay"] == 0.0
    assert "param group 0 has the base weight_decay 0.5 in the job and 0.0 in its checkpoint" in caplog.text


@pytest.mark.parametrize("change", [{"name": "encoder"}, {"momentum": 0.9}], ids=str)
def test_what_the_schedule_does_not_move_may_differ(
    state: dict[str, Any], caplog: pytest.LogCaptureFixture, change: dict[str, Any]
) -> None:
    training = Training()
    training.optimizer.param_groups[0].update(change)
    scheduler = kept(REMOTE, training.optimizer)
    scheduler.load_state_dict(state)
    assert training.epochs(scheduler, 5) == undisturbed("StepLR", 9)[4:]
    assert training.optimizer.param_groups[0].items() >= change.items()
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_a_drop_ins_arguments_are_those_of_its_state_as_with_torch(
    run: str, monkeypatch: pytest.MonkeyPatch, server: ServerProcess
) -> None:
    monkeypatch.setenv("LRKEEPER_RUN", run)
    monkeypatch.setenv("LRKEEPER_INCARNATION", f"{run}-first")
    state = saved_at("StepLR drop-in", 4, 4)
    monkeypatch.setenv("LRKEEPER_INCARNATION", f"{run}-second")
    training = Training()
    scheduler = lr_scheduler.StepLR(training.optimizer, 3, gamma=0.9)
    scheduler.load_state_dict(state)
    assert (scheduler.step_size, scheduler.gamma) == (2, 0.7)
    assert training.epochs(scheduler, 5) == undisturbed("StepLR", 9)[4:]


def test_nothing_is_said_where_nothing_differs(
    state: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    training = Training()
    scheduler = kept(REMOTE, training.optimizer)
    scheduler.load_state_dict(state)
    training.epochs(scheduler, 2)
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_a_job_that_wants_nothing_to_have_happened_is_told_what_has(
    client: Client, state: dict[str, Any], run: str
) -> None:
    client.edit_run(run, S.StepLR(3), expected_revision=1, reason="slower", author="op")
    scheduler = kept(REMOTE, Training().optimizer, on_resume="error")
    scheduler.load_state_dict(state)
    with pytest.raises(ResumeRefused, match=r"edited with effect from step 10 .* op: slower"):
        scheduler.step()
    assert client.get_run(run).fence == 1


@pytest.mark.parametrize("variable", ["LRKEEPER_ON_RESUME", "LRKEEPER_ON_EXISTING"])
def test_a_variable_that_says_nothing_known_is_an_error_that_names_it(
    run: str, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "maybe")
    with pytest.raises(ValueError, match=rf"{variable} is 'maybe'; it must be one of"):
        lr_scheduler.StepLR(Training().optimizer, 2)
    with pytest.raises(ValueError, match=variable):
        RemoteLR(Training().optimizer, S.StepLR(2), run=run)


def test_the_environment_says_what_a_drop_in_does_with_a_run_that_exists(
    client: Client, state: dict[str, Any], run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = Training()
    with pytest.raises(RunHeld):
        training.epochs(kept("StepLR drop-in", training.optimizer), 1)
    monkeypatch.setenv("LRKEEPER_ON_EXISTING", "takeover")
    training = Training()
    assert training.epochs(kept("StepLR drop-in", training.optimizer), 12) == undisturbed("StepLR", 12)
    assert client.get_run(run).fence == 2
