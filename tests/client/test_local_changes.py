"""Other code writes the lr: RemoteLR overwrites it, and says so; a drop-in goes on from it, as torch does."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch

from lrkeeper import Client, RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from lrkeeper.errors import GroupsDiffer
from tests.client.relay import Relay
from tests.client.training import DEFINITIONS, KINDS, SHAPES, Training, kept, undisturbed
from tests.support.server import ServerProcess

REMOTE = [kind for kind in KINDS if kind.endswith("RemoteLR")]


def warned_of(training: Training, scheduler: Any, epochs: int) -> list[warnings.WarningMessage]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        training.epochs(scheduler, epochs)
    return caught


@pytest.mark.parametrize("number", [float, torch.tensor])
@pytest.mark.parametrize("kind", REMOTE)
def test_a_change_by_other_code_lasts_until_the_next_step_and_is_warned_of(
    server: ServerProcess, kind: str, number: Any
) -> None:
    shape = kind.split()[0]
    training = Training(number(0.1), number(0.02))
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, 3)
    change = training.optimizer.param_groups[1]
    was = float(change["lr"])
    change["lr"] = number(0.75)
    (warning,) = warned_of(training, scheduler, 1)
    said = str(warning.message)
    assert f"the lr of param group 1 was changed from {was!r} to 0.75 by other code" in said
    assert "the run's values overwrite it" in said
    assert "lrkeeper run set-schedule" in said
    assert issubclass(warning.category, UserWarning)
    # The update that other code meant it for had it; the step after is the run's again.
    assert training.used[3] == (undisturbed(shape, 4, number(0.1), number(0.02))[3][0], (0.75).hex())
    assert training.epochs(scheduler, 4) == undisturbed(shape, 8, number(0.1), number(0.02))[4:]


def test_the_warning_names_the_line_of_the_step(server: ServerProcess) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["StepLR"])
    training.epochs(scheduler, 1)
    training.optimizer.param_groups[0]["lr"] = 3.0
    with pytest.warns(UserWarning, match="by other code") as caught:
        scheduler.step()
    assert caught[0].filename == __file__


def test_every_group_that_was_changed_is_named(server: ServerProcess) -> None:
    training = Training(0.1, 0.2, 0.3)
    scheduler = RemoteLR(training.optimizer, S.StepLR(5))
    training.epochs(scheduler, 1)
    training.optimizer.param_groups[0]["lr"] = 1.0
    training.optimizer.param_groups[2]["lr"] = 2.0
    said = " ".join(str(w.message) for w in warned_of(training, scheduler, 1))
    assert "param group 0 was changed from 0.1 to 1.0" in said
    assert "param group 2 was changed from 0.3 to 2.0" in said
    assert "param group 1" not in said


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_construction_or_a_load_writes_is_no_change_by_other_code(
    server: ServerProcess, kind: str
) -> None:
    training = Training()
    scheduler = kept(kind, training.optimizer)
    assert warned_of(training, scheduler, 3) == []
    state, lrs = scheduler.state_dict(), training.optimizer.state_dict()
    assert warned_of(training, scheduler, 3) == []
    scheduler.load_state_dict(state)
    training.optimizer.load_state_dict(lrs)
    assert warned_of(training, scheduler, 3) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_stale_lr_after_a_resume_is_no_change_by_other_code(server: ServerProcess, kind: str) -> None:
    first = Training()
    scheduler = kept(kind, first.optimizer)
    first.epochs(scheduler, 5)
    training = Training()
    resumed = kept(kind, training.optimizer)
    resumed.load_state_dict(scheduler.state_dict())
    training.optimizer.param_groups[0]["lr"] = 17.0
    assert warned_of(training, resumed, 3) == []
    assert training.used == undisturbed(kind.split()[0], 8)[5:]


@pytest.mark.parametrize("kind", REMOTE)
def test_a_change_before_the_run_is_opened_does_not_last_and_is_warned_of(
    server: ServerProcess, kind: str
) -> None:
    training = Training()
    scheduler = kept(kind, training.optimizer)
    training.optimizer.param_groups[0]["lr"] = 0.001
    (warning,) = warned_of(training, scheduler, 3)
    assert "the lr of param group 0 was changed from 0.1 to 0.001 by other code" in str(warning.message)
    assert training.used == undisturbed(kind.split()[0], 3)


@pytest.mark.parametrize("kind", KINDS)
def test_a_param_group_that_is_taken_away_is_refused_in_words_and_nothing_moves(
    server: ServerProcess, kind: str
) -> None:
    training = Training(0.1, 0.2)
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, 3)
    before = scheduler.state_dict()
    del training.optimizer.param_groups[1]
    lrs = training.lrs()
    with pytest.raises(GroupsDiffer, match=r"optimizer has 1 param groups; run .* has 2"):
        scheduler.step()
    assert (scheduler.state_dict(), training.lrs()) == (before, lrs)


# Adopting.


def changed_by_hand(scheduler: Any, training: Training) -> list[Any]:
    """Train nine epochs; other code writes the second group's lr after some of them."""
    for epoch in range(9):
        if epoch in (0, 3, 7):
            training.optimizer.param_groups[1]["lr"] = 0.25 + epoch
        training.epochs(scheduler, 1)
    return training.used


@pytest.mark.parametrize("kind", KINDS)
def test_a_scheduler_that_adopts_goes_on_from_a_change_as_torch_does(
    server: ServerProcess, kind: str
) -> None:
    shape, _, by = kind.partition(" ")
    theirs = Training(0.1, 0.02)
    expected = changed_by_hand(SHAPES[shape](torch.optim.lr_scheduler, theirs.optimizer), theirs)
    ours = Training(0.1, 0.02)
    options = {"on_local_change": "adopt"} if by == "RemoteLR" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert changed_by_hand(kept(kind, ours.optimizer, **options), ours) == expected


class Reached(threading.Event):
    """What an answer waits for; and whether one does."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self.reached.set()
        return super().wait(timeout)


@pytest.mark.parametrize("kind", ["StepLR drop-in", "StepLR RemoteLR"])
def test_a_change_while_the_next_steps_are_asked_for_is_gone_on_from_too(relay: Relay, kind: str) -> None:
    def trained(scheduler: Any, training: Training, asked: Callable[[], object]) -> list[Any]:
        training.epochs(scheduler, 5)
        asked()
        training.optimizer.param_groups[0]["lr"] = 0.25
        training.epochs(scheduler, 6)
        return training.used

    answer = Reached()

    def committed_and_not_answered() -> None:
        assert answer.reached.wait(30)
        del relay.hold["NextLr"]  # later calls are answered

    theirs, ours = Training(), Training()
    expected = trained(SHAPES["StepLR"](torch.optim.lr_scheduler, theirs.optimizer), theirs, lambda: None)
    options = {"on_local_change": "adopt"} if kind.endswith("RemoteLR") else {}
    scheduler = kept(kind, ours.optimizer, **options)
    scheduler.optimizer.register_step_pre_hook(
        lambda *_: relay.hold.update(NextLr=answer) if scheduler.last_epoch == 2 else None
    )  # the first two steps ask by themselves
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert trained(scheduler, ours, committed_and_not_answered) == expected
    finally:
        answer.set()


def test_what_was_adopted_is_in_the_record(client: Client) -> None:
    training = Training()
    scheduler = lr_scheduler.StepLR(training.optimizer, 2, gamma=0.5)
    training.epochs(scheduler, 2)
    training.optimizer.param_groups[0]["lr"] = 3.0
    training.epochs(scheduler, 2)
    run = scheduler.state_dict()["lrkeeper"]["run"]
    assert client.explain(run, 3).given.seen == {"lr": (3.0,)}
    assert client.explain(run, 3).values.row(3) == {"lr": (3.0,)}
    assert client.explain(run, 4).values.row(4) == {"lr": (1.5,)}
    assert not client.explain(run, 4).given


def test_two_schedulers_on_one_optimizer_give_what_torchs_give(server: ServerProcess) -> None:
    def trained(module: Any) -> list[Any]:
        training = Training(0.1, 0.02)
        first = module.ExponentialLR(training.optimizer, 0.9)
        second = module.StepLR(training.optimizer, 3, gamma=0.5)
        for _ in range(10):
            training.epochs(first, 1)
            second.step()
        return [*training.used, training.lrs(), first.get_last_lr(), second.get_last_lr()]

    assert trained(lr_scheduler) == trained(torch.optim.lr_scheduler)


def test_a_change_at_a_step_that_is_committed_already_is_overwritten_and_warned_of(
    server: ServerProcess,
) -> None:
    first = Training()
    scheduler = lr_scheduler.StepLR(first.optimizer, 2, gamma=0.5)
    first.epochs(scheduler, 2)
    state = scheduler.state_dict()
    first.epochs(scheduler, 4)
    training = Training()
    resumed = lr_scheduler.StepLR(training.optimizer, 2, gamma=0.5)
    resumed.load_state_dict(state)
    training.update()
    training.optimizer.param_groups[0]["lr"] = 3.0
    with pytest.warns(UserWarning, match="which has its values already; they overwrite the change") as caught:
        resumed.step()
    assert caught[0].filename == __file__
    assert training.lrs() == ((0.05).hex(),)
