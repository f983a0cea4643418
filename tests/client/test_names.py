"""One name, two schedulers of a process: which run each has."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lrkeeper import Client, RemoteLR, lr_scheduler
from lrkeeper.errors import GroupsDiffer, InvalidArgument, ScheduleDiffers, SchedulerInUse
from tests.client.newest import uids
from tests.client.training import DEFINITIONS, Training, undisturbed
from tests.support.server import ServerProcess

STEP_LR = DEFINITIONS["StepLR"]


def name_of(scheduler: Any) -> str:
    """Return the name of a scheduler's run, opening it."""
    scheduler.get_last_lr()
    name: str = scheduler.state_dict()["lrkeeper"]["run"]
    return name


@pytest.mark.usefixtures("step_by_step")
def test_a_name_is_made_up_of_the_start_and_travels_in_the_state(client: Client) -> None:
    training = Training()
    scheduler = lr_scheduler.StepLR(training.optimizer, 2, gamma=0.7)
    training.epochs(scheduler, 3)
    name = name_of(scheduler)
    assert re.fullmatch(r"run-[0-9a-f]{16}-[0-9]+", name)
    assert client.get_run(name).frontier == 4

    second = Training()
    resumed = lr_scheduler.StepLR(second.optimizer, 2, gamma=0.7)
    resumed.load_state_dict(scheduler.state_dict())
    second.epochs(resumed, 3)
    assert name_of(resumed) == name
    assert training.used + second.used == undisturbed("StepLR", 6)


def test_a_made_up_name_is_of_the_place_among_the_starts_schedulers_whatever_is_opened_first(
    server: ServerProcess,
) -> None:
    """Ranks construct in the same order; one of them may log a lr before the others do."""
    first, second = (RemoteLR(Training().optimizer, STEP_LR) for _ in range(2))
    later = name_of(second)
    earlier = name_of(first)
    assert int(earlier.rpartition("-")[2]) < int(later.rpartition("-")[2])


@pytest.mark.usefixtures("step_by_step")
def test_the_environment_names_the_run(client: Client, run: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRKEEPER_RUN", run)
    training = Training()
    scheduler = lr_scheduler.StepLR(training.optimizer, 2, gamma=0.7)
    training.epochs(scheduler, 2)
    assert name_of(scheduler) == run
    assert client.get_run(run).frontier == 3


@pytest.mark.usefixtures("step_by_step")
def test_a_second_living_scheduler_under_the_environments_name_gets_a_number(
    client: Client, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRKEEPER_RUN", run)
    trainings = [Training(0.1), Training(0.3), Training(0.5)]
    schedulers = [lr_scheduler.StepLR(training.optimizer, 2, gamma=0.7) for training in trainings]
    for training, scheduler, lr in zip(trainings, schedulers, (0.1, 0.3, 0.5), strict=True):
        assert training.epochs(scheduler, 4) == undisturbed("StepLR", 4, lr)
    assert [name_of(scheduler) for scheduler in schedulers] == [run, f"{run}.2", f"{run}.3"]
    assert [client.get_run(name_of(scheduler)).frontier for scheduler in schedulers] == [5, 5, 5]


def test_the_number_is_of_the_order_of_construction_too(
    server: ServerProcess, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRKEEPER_RUN", run)
    first, second = (RemoteLR(Training().optimizer, STEP_LR) for _ in range(2))
    assert (name_of(second), name_of(first)) == (f"{run}.2", run)


def test_a_scheduler_that_is_gone_leaves_the_environments_name(
    client: Client, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRKEEPER_RUN", run)
    training = Training()
    scheduler = RemoteLR(training.optimizer, STEP_LR)
    training.epochs(scheduler, 2)
    del scheduler
    again = RemoteLR(Training().optimizer, STEP_LR)
    assert name_of(again) == run
    assert client.get_run(run).fence == 1


def test_the_numbered_run_is_found_again_by_its_state(
    client: Client, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRKEEPER_RUN", run)
    trainings = [Training(0.1), Training(0.3)]
    schedulers = [lr_scheduler.StepLR(training.optimizer, 2, gamma=0.7) for training in trainings]
    for training, scheduler in zip(trainings, schedulers, strict=True):
        training.epochs(scheduler, 3)
    states = [scheduler.state_dict() for scheduler in schedulers]
    del schedulers, scheduler

    for state, lr in reversed(list(zip(states, (0.1, 0.3), strict=True))):
        training = Training(lr)
        resumed = lr_scheduler.StepLR(training.optimizer, 2, gamma=0.7)
        resumed.load_state_dict(state)
        assert training.epochs(resumed, 3) == undisturbed("StepLR", 6, lr)[3:]
        assert name_of(resumed) == state["lrkeeper"]["run"]


@pytest.mark.usefixtures("step_by_step")
def test_of_two_living_schedulers_with_one_run_the_later_has_it(client: Client, run: str) -> None:
    training, second = Training(), Training()
    older = RemoteLR(training.optimizer, STEP_LR, run=run)
    training.epochs(older, 3)
    younger = RemoteLR(second.optimizer, STEP_LR, run=run)
    assert second.epochs(younger, 2) == undisturbed("StepLR", 2)

    before = older.state_dict(), training.lrs()
    for _ in range(2):
        with pytest.raises(SchedulerInUse, match=f"has taken run '{run}'; give every scheduler a run name"):
            older.step()
    assert (older.state_dict(), training.lrs()) == before
    assert second.epochs(younger, 3) == undisturbed("StepLR", 5)[2:]
    assert client.get_run(run).fence == 1


def test_the_older_scheduler_has_its_run_again_when_the_later_is_gone(
    server: ServerProcess, run: str
) -> None:
    training = Training()
    older = RemoteLR(training.optimizer, STEP_LR, run=run)
    training.epochs(older, 3)
    younger = RemoteLR(Training().optimizer, STEP_LR, run=run)
    younger.get_last_lr()
    del younger
    assert training.epochs(older, 3) == undisturbed("StepLR", 6)[3:]


def test_a_later_scheduler_that_is_refused_the_run_does_not_have_it(client: Client, run: str) -> None:
    training = Training()
    older = RemoteLR(training.optimizer, STEP_LR, run=run)
    training.epochs(older, 3)
    refused = RemoteLR(Training().optimizer, DEFINITIONS["MultiStepLR"], run=run)
    with pytest.raises(ScheduleDiffers):
        refused.get_last_lr()
    assert training.epochs(older, 3) == undisturbed("StepLR", 6)[3:]


# Nothing of one run shows in another.


def test_trials_of_one_process_have_runs_of_their_own(client: Client) -> None:
    names = set()
    for lr in (0.1, 0.3, 0.5):
        training = Training(lr)
        scheduler = lr_scheduler.StepLR(training.optimizer, 2, gamma=0.7)
        assert training.epochs(scheduler, 5) == undisturbed("StepLR", 5, lr)
        name = name_of(scheduler)
        assert client.get_run(name).groups[0].initial == {"lr": lr}
        names.add(name)
    assert len(names) == 3


def test_a_second_trial_under_the_environments_name_is_not_given_the_firsts_lr(
    client: Client, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRKEEPER_RUN", run)
    first = Training(0.1)
    scheduler = lr_scheduler.StepLR(first.optimizer, 2, gamma=0.7)
    first.epochs(scheduler, 3)
    del scheduler
    second = Training(0.3)
    other = lr_scheduler.StepLR(second.optimizer, 2, gamma=0.7)
    with pytest.raises(
        GroupsDiffer, match=r"base values \{'lr': 0\.3\} in the job, \{'lr': 0\.1\} in the run"
    ):
        second.update()
    assert (second.lrs(), other.last_epoch) == (((0.3).hex(),), 0)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a b", "a;b", "", "con", "x" * 129, "r\u0435snet"])
def test_a_name_that_is_none_is_refused_in_words_and_nothing_is_stored(client: Client, name: str) -> None:
    before = uids(client)
    training = Training()
    with pytest.raises(InvalidArgument, match=r"run is .*; it must be 1 to 128 letters"):
        training.epochs(RemoteLR(training.optimizer, STEP_LR, run=name), 1)
    assert training.used == []
    assert uids(client) == before
