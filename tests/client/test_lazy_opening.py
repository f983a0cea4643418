"""A run is opened when it is needed, so that nothing is left behind by what only looks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lrkeeper import Client, RemoteLR, lr_scheduler
from lrkeeper.errors import NotConfigured, RunNotFound, ScheduleNotFound
from tests.client.newest import newest, uids
from tests.client.training import DEFINITIONS, KINDS, SHAPES, Training, kept, undisturbed
from tests.support.server import ServerProcess, free_port

STEP_LR = DEFINITIONS["StepLR"]


@pytest.mark.parametrize("kind", KINDS)
def test_construction_leaves_no_run_behind(client: Client, kind: str) -> None:
    before = uids(client)
    training = Training()
    scheduler = kept(kind, training.optimizer)
    scheduler.state_dict()
    assert (scheduler.last_epoch, training.lrs()) == (0, undisturbed(kind.split()[0], 1)[0])
    assert uids(client) == before


@pytest.mark.parametrize("kind", KINDS)
def test_loading_leaves_no_run_behind(client: Client, kind: str) -> None:
    training = Training()
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, 3)
    before = uids(client)
    resumed = kept(kind, Training().optimizer)
    resumed.load_state_dict(scheduler.state_dict())
    resumed.get_last_lr()
    assert uids(client) == before
    resumed.step()
    assert uids(client) == before


OPENERS: dict[str, Callable[[Training, Any], object]] = {
    "optimizer.step": lambda training, scheduler: training.update(),
    "scheduler.step": lambda training, scheduler: scheduler.step(),
    "get_last_lr": lambda training, scheduler: scheduler.get_last_lr(),
}


@pytest.mark.filterwarnings("ignore:Detected call of")
@pytest.mark.parametrize("by", OPENERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_is_opened_by_what_needs_it(client: Client, kind: str, by: str) -> None:
    before = uids(client)
    training = Training()
    scheduler = kept(kind, training.optimizer)
    OPENERS[by](training, scheduler)
    (opened,) = [run for run in newest(client) if run.uid not in before]
    assert opened.frontier == (2 if by == "scheduler.step" else 1)
    OPENERS[by](training, scheduler)
    assert len(uids(client) - before) == 1


def test_a_composites_members_open_no_runs_of_their_own(client: Client) -> None:
    before = uids(client)
    training = Training()
    scheduler = SHAPES["SequentialLR"](lr_scheduler, training.optimizer)
    for member in scheduler._schedulers:
        member.get_last_lr()
        member.state_dict()
    assert uids(client) == before
    training.epochs(scheduler, 11)
    assert len(uids(client) - before) == 1


def test_a_run_that_was_opened_and_is_empty_is_dropped_by_a_load(client: Client) -> None:
    training = Training()
    scheduler = kept("StepLR drop-in", training.optimizer)
    training.epochs(scheduler, 3)
    before = uids(client)

    resumed = kept("StepLR drop-in", Training().optimizer)
    resumed.get_last_lr()
    assert len(uids(client) - before) == 1
    resumed.load_state_dict(scheduler.state_dict())
    assert uids(client) == before


def test_a_run_that_has_steps_is_not_dropped_by_a_load(client: Client) -> None:
    training = Training()
    scheduler = kept("StepLR drop-in", training.optimizer)
    training.epochs(scheduler, 3)

    other = Training()
    resumed = kept("StepLR drop-in", other.optimizer)
    other.epochs(resumed, 1)
    before = uids(client)
    resumed.load_state_dict(scheduler.state_dict())
    resumed.step()
    assert uids(client) == before


def test_a_run_that_has_steps_is_not_dropped_though_the_scheduler_is_back_at_its_start(
    client: Client,
) -> None:
    saved = Training()
    scheduler = kept("StepLR drop-in", saved.optimizer)
    saved.epochs(scheduler, 3)

    other = Training()
    resumed = kept("StepLR drop-in", other.optimizer)
    start = resumed.state_dict()
    other.epochs(resumed, 2)
    before = uids(client)
    resumed.load_state_dict(start)
    resumed.load_state_dict(scheduler.state_dict())
    assert uids(client) == before


def test_a_run_that_was_there_before_is_not_dropped_by_a_load(
    client: Client, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = Training()
    scheduler = kept("StepLR drop-in", saved.optimizer)
    saved.epochs(scheduler, 3)

    first = RemoteLR(Training().optimizer, STEP_LR, run=run)
    first.get_last_lr()
    first.finish()
    del first
    monkeypatch.setenv("LRKEEPER_RUN", run)
    monkeypatch.setenv("LRKEEPER_INCARNATION", "another-start")
    second = RemoteLR(Training().optimizer, STEP_LR, on_existing="takeover")
    second.get_last_lr()
    second.load_state_dict(scheduler.state_dict())
    assert client.get_run(run).fence == 2


@pytest.mark.parametrize("kind", KINDS)
def test_no_server_named_is_an_error_that_names_the_variable(kind: str) -> None:
    with pytest.raises(NotConfigured, match="set LRKEEPER_SERVER to its host:port"):
        kept(kind, Training().optimizer)


@pytest.mark.parametrize("kind", ["StepLR RemoteLR", "StepLR drop-in"])
def test_a_server_that_does_not_answer_is_warned_of_at_construction(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("lrkeeper.torch.source._LOOK_SECONDS", 0.1)
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("LRKEEPER_SERVER", address)
    with pytest.warns(
        UserWarning, match=f"the lrkeeper server at {address} cannot be reached; unless a checkpoint"
    ):
        kept(kind, Training().optimizer)


def test_a_server_that_has_gone_since_is_warned_of_at_the_next_construction(
    own_server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lrkeeper.torch.source._LOOK_SECONDS", 0.1)
    kept("StepLR drop-in", Training().optimizer)
    own_server.stop()
    with pytest.warns(UserWarning, match="the first step waits for it up to 300 s"):
        kept("StepLR drop-in", Training().optimizer)


def test_a_keyword_goes_before_the_environment(
    client: Client, run: str, server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRKEEPER_SERVER", f"127.0.0.1:{free_port()}")
    monkeypatch.setenv("LRKEEPER_RUN", f"{run}-of-the-environment")
    scheduler = RemoteLR(Training().optimizer, STEP_LR, run=run, server=server.address)
    scheduler.get_last_lr()
    assert client.get_run(run).frontier == 1
    with pytest.raises(RunNotFound):
        client.get_run(f"{run}-of-the-environment")


def test_a_stored_schedule_that_is_not_there_is_an_error_at_construction(client: Client, run: str) -> None:
    with pytest.raises(ScheduleNotFound, match="imagenet-90ep"):
        RemoteLR(Training().optimizer, "imagenet-90ep", run=run)


def test_a_stored_schedule_is_followed_by_its_name(client: Client, run: str) -> None:
    client.create_schedule(f"{run}-schedule", STEP_LR)
    training = Training()
    scheduler = RemoteLR(
        training.optimizer, f"{run}-schedule", run=run, unit="epoch", labels={"team": "vision"}
    )
    assert training.epochs(scheduler, 5) == undisturbed("StepLR", 5)
    stored = client.get_run(run)
    assert (stored.schedule_name, stored.schedule_revision) == (f"{run}-schedule", 1)
    assert (stored.unit, stored.labels) == ("epoch", {"team": "vision"})
