"""LRKEEPER_MODE=off: the same program and the same values without a server."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lrkeeper import Client, RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from lrkeeper.errors import NotConfigured, RunNotFound
from tests.client.processes import in_new_process
from tests.client.training import DEFINITIONS, KINDS, SHAPES, Row, Training, kept, undisturbed
from tests.support.server import ServerProcess, free_port

OFF = {"LRKEEPER_MODE": "off"}


@pytest.fixture
def off(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server anywhere: one that is named would not answer."""
    monkeypatch.setenv("LRKEEPER_MODE", "off")
    monkeypatch.setenv("LRKEEPER_SERVER", f"127.0.0.1:{free_port()}")


@pytest.mark.usefixtures("off")
@pytest.mark.parametrize("number", [float, torch.tensor])
@pytest.mark.parametrize("kind", KINDS)
def test_the_values_are_torchs_without_a_server(kind: str, number: Any) -> None:
    training = Training(number(0.1), number(0.02))
    scheduler = kept(kind, training.optimizer)
    assert training.epochs(scheduler, 12) == undisturbed(kind.split()[0], 12, number(0.1), number(0.02))


def test_the_mode_is_a_keyword_too() -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["StepLR"], mode="off")
    assert training.epochs(scheduler, 5) == undisturbed("StepLR", 5)


@pytest.mark.usefixtures("off")
def test_a_sequence_gives_what_the_server_gives(client: Client, server: ServerProcess) -> None:
    schedule = S.MultiStepLR([2, 4], gamma=0.3).then(S.StepLR(2, gamma=0.7), at=4)
    here, there = Training(), Training()
    local = RemoteLR(here.optimizer, schedule)
    remote = RemoteLR(there.optimizer, schedule, mode="on", server=server.address)
    assert here.epochs(local, 12) == there.epochs(remote, 12)


@pytest.mark.usefixtures("off")
def test_an_error_of_the_schedule_comes_at_torchs_step() -> None:
    training = Training()
    scheduler = lr_scheduler.StepLR(training.optimizer, 0)
    training.update()
    with pytest.raises(ZeroDivisionError, match=r"step 1 of run .* cannot be reached"):
        scheduler.step()


@pytest.mark.usefixtures("off")
def test_a_stored_schedule_needs_a_server() -> None:
    with pytest.raises(
        NotConfigured, match=r"'imagenet-90ep' is kept on a server, and LRKEEPER_MODE=off has none"
    ):
        RemoteLR(Training().optimizer, "imagenet-90ep")


def test_a_mode_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRKEEPER_MODE", "offline")
    with pytest.raises(NotConfigured, match="LRKEEPER_MODE is 'offline'; it must be 'on' or 'off'"):
        lr_scheduler.StepLR(Training().optimizer, 3)


# State dicts.


@pytest.mark.usefixtures("off")
@pytest.mark.parametrize("kind", KINDS)
def test_a_state_goes_on_in_the_same_process(kind: str) -> None:
    training = Training()
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, 6)
    state = scheduler.state_dict()
    training.epochs(scheduler, 3)
    expected = undisturbed(kind.split()[0], 12)[6:]
    second = Training()
    resumed = kept(kind, second.optimizer)
    resumed.load_state_dict(state)
    assert second.epochs(resumed, 6) == expected
    del resumed
    scheduler.load_state_dict(state)
    assert training.epochs(scheduler, 6) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_goes_on_in_another_process(kind: str) -> None:
    used, state = in_new_process(train, kind, None, False, **OFF)
    more, state = in_new_process(train, kind, state, False, **OFF)
    last, state = in_new_process(train, kind, state, False, **OFF)
    assert used + more + last == undisturbed(kind.split()[0], 12)


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_goes_on_in_another_process_that_has_trained_before(kind: str) -> None:
    """Its own runs are other runs, whatever they are called."""
    used, state = in_new_process(train, kind, None, False, **OFF)
    more, _ = in_new_process(train, kind, state, True, **OFF)
    assert used + more == undisturbed(kind.split()[0], 8)


def train(kind: str, state: dict[str, Any] | None, after_another: bool) -> tuple[list[Row], dict[str, Any]]:
    """Train four epochs; in a process whose scheduler has trained something else before, if asked for."""
    training = Training(0.7) if after_another else Training()
    scheduler = kept(kind, training.optimizer)
    if after_another:
        training.epochs(scheduler, 1)
    if state is not None:
        scheduler.load_state_dict(state)
    return training.epochs(scheduler, 4), scheduler.state_dict()


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_of_a_server_goes_on_without_one(server: ServerProcess, kind: str) -> None:
    used, state = in_new_process(train, kind, None, False, LRKEEPER_SERVER=server.address)
    more, _ = in_new_process(train, kind, state, False, **OFF)
    assert used + more == undisturbed(kind.split()[0], 8)


@pytest.mark.usefixtures("step_by_step")
@pytest.mark.usefixtures("off")
@pytest.mark.parametrize("shape", SHAPES)
def test_a_state_of_no_server_goes_on_at_one_that_may_create_its_run(
    client: Client, server: ServerProcess, run: str, shape: str
) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, DEFINITIONS[shape], run=run)
    training.epochs(scheduler, 6)

    second = Training()
    refused = RemoteLR(Training().optimizer, DEFINITIONS[shape], mode="on", server=server.address)
    with pytest.raises(RunNotFound, match="on_missing='create'"):
        refused.load_state_dict(scheduler.state_dict())
    moved = RemoteLR(
        second.optimizer, DEFINITIONS[shape], mode="on", server=server.address, on_missing="create"
    )
    moved.load_state_dict(scheduler.state_dict())
    assert second.epochs(moved, 6) == undisturbed(shape, 12)[6:]
    stored = client.get_run(run)
    assert (stored.origin_step, stored.frontier) == (6, 13)


@pytest.mark.usefixtures("off")
def test_two_schedulers_do_not_mix() -> None:
    trainings = [Training(0.1), Training(0.3)]
    schedulers = [lr_scheduler.StepLR(training.optimizer, 2, gamma=0.7) for training in trainings]
    for _ in range(5):
        for training, scheduler in zip(trainings, schedulers, strict=True):
            training.epochs(scheduler, 1)
    assert trainings[0].used == undisturbed("StepLR", 5, 0.1)
    assert trainings[1].used == undisturbed("StepLR", 5, 0.3)


@pytest.mark.usefixtures("off")
def test_finish_has_nothing_to_do() -> None:
    training = Training()
    scheduler = lr_scheduler.StepLR(training.optimizer, 2)
    training.epochs(scheduler, 1)
    scheduler.finish()
