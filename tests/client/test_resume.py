"""A job goes on where its checkpoint lies, whatever was restored of the optimizer, and in which order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lrkeeper import Client, lr_scheduler
from tests.client.processes import in_new_process
from tests.client.training import KINDS, Row, Training, kept, undisturbed
from tests.support.server import ServerProcess

SAVED_AT = 6  # in the second member of the composites
MORE = 6

Restore = Callable[[str, Training, dict[str, Any]], Any]


def scheduler_then_optimizer(kind: str, training: Training, saved: dict[str, Any]) -> Any:
    scheduler = kept(kind, training.optimizer)
    scheduler.load_state_dict(saved["scheduler"])
    training.optimizer.load_state_dict(saved["optimizer"])
    return scheduler


def optimizer_then_scheduler(kind: str, training: Training, saved: dict[str, Any]) -> Any:
    scheduler = kept(kind, training.optimizer)
    training.optimizer.load_state_dict(saved["optimizer"])
    scheduler.load_state_dict(saved["scheduler"])
    return scheduler


def only_the_scheduler(kind: str, training: Training, saved: dict[str, Any]) -> Any:
    scheduler = kept(kind, training.optimizer)
    scheduler.load_state_dict(saved["scheduler"])
    return scheduler


def only_the_scheduler_and_a_stale_lr(kind: str, training: Training, saved: dict[str, Any]) -> Any:
    scheduler = only_the_scheduler(kind, training, saved)
    for group in training.optimizer.param_groups:
        group["lr"] = 17.0
    return scheduler


def a_scheduler_built_after_the_optimizer(kind: str, training: Training, saved: dict[str, Any]) -> Any:
    training.optimizer.load_state_dict(saved["optimizer"])
    scheduler = kept(kind, training.optimizer)
    scheduler.load_state_dict(saved["scheduler"])
    return scheduler


def after_a_look_at_the_lr(kind: str, training: Training, saved: dict[str, Any]) -> Any:
    """A program that logs the lr before it finds the checkpoint, and after."""
    scheduler = kept(kind, training.optimizer)
    scheduler.get_last_lr()
    training.optimizer.load_state_dict(saved["optimizer"])
    scheduler.load_state_dict(saved["scheduler"])
    scheduler.get_last_lr()
    return scheduler


RESTORES: list[Restore] = [
    scheduler_then_optimizer,
    optimizer_then_scheduler,
    only_the_scheduler,
    only_the_scheduler_and_a_stale_lr,
    a_scheduler_built_after_the_optimizer,
    after_a_look_at_the_lr,
]


def train_and_save(kind: str, path: Path, number: Callable[[float], Any]) -> list[Row]:
    """Train to the checkpoint and a while beyond, as a job does that is killed later."""
    training = Training(number(0.1), number(0.02))
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, SAVED_AT)
    saved = {"optimizer": training.optimizer.state_dict(), "scheduler": scheduler.state_dict()}
    torch.save(saved, path)
    training.epochs(scheduler, 3)
    return training.used


def resume(kind: str, path: Path, number: Callable[[float], Any]) -> dict[str, tuple[list[Row], Row, int]]:
    """Restore in every order, one after the other; return the lrs used, the last ones, and the step."""
    found = {}
    for restore in RESTORES:
        training = Training(number(0.1), number(0.02))
        scheduler = restore(kind, training, torch.load(path, weights_only=True))
        training.epochs(scheduler, MORE)
        found[restore.__name__] = training.used, training.lrs(), scheduler.state_dict()["lrkeeper"]["step"]
    return found


@pytest.mark.parametrize("number", [float, torch.tensor])
@pytest.mark.parametrize("kind", KINDS)
def test_every_order_of_restoring_goes_on_with_the_same_bits(
    server: ServerProcess, tmp_path: Path, kind: str, number: Callable[[float], Any]
) -> None:
    path = tmp_path / "checkpoint.pt"
    expected = undisturbed(kind.split()[0], SAVED_AT + MORE + 1, number(0.1), number(0.02))
    before = in_new_process(train_and_save, kind, path, number, LRKEEPER_SERVER=server.address)
    assert before == expected[: SAVED_AT + 3]

    found = in_new_process(resume, kind, path, number, LRKEEPER_SERVER=server.address)

    assert found.keys() == {restore.__name__ for restore in RESTORES}
    for order, (used, last, step) in found.items():
        assert used == expected[SAVED_AT:-1], order
        assert (last, step) == (expected[-1], SAVED_AT + MORE), order


@pytest.mark.usefixtures("step_by_step")
@pytest.mark.parametrize("restore", RESTORES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_process_goes_back_on_its_run(client: Client, kind: str, restore: Restore) -> None:
    training = Training()
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, SAVED_AT)
    saved = {"optimizer": training.optimizer.state_dict(), "scheduler": scheduler.state_dict()}
    training.epochs(scheduler, 3)
    name = saved["scheduler"]["lrkeeper"]["run"]
    before = client.get_run(name)

    second = Training()
    resumed = restore(kind, second, saved)
    assert second.epochs(resumed, MORE) == undisturbed(kind.split()[0], SAVED_AT + MORE)[SAVED_AT:]
    after = client.get_run(name)
    assert (after.fence, after.branch, after.uid) == (before.fence, before.branch, before.uid)
    assert after.frontier == SAVED_AT + MORE + 1


def test_the_first_update_after_a_resume_sees_the_runs_row_in_every_hook(server: ServerProcess) -> None:
    """Hooks made before and after ours, among them one that reads the lr as the optimizer will."""
    first = Training()
    scheduler = kept("StepLR RemoteLR", first.optimizer)
    first.epochs(scheduler, SAVED_AT)

    second = Training()
    seen: list[tuple[str, Row]] = []
    second.optimizer.register_step_pre_hook(lambda *_: seen.append(("before", second.lrs())))
    resumed = kept("StepLR RemoteLR", second.optimizer)
    second.optimizer.register_step_pre_hook(lambda *_: seen.append(("after", second.lrs())))
    resumed.load_state_dict(scheduler.state_dict())
    second.optimizer.param_groups[0]["lr"] = 17.0
    second.epochs(resumed, 2)
    expected = undisturbed("StepLR", SAVED_AT + 2)[SAVED_AT:]
    assert [row for when, row in seen if when == "after"] == expected
    assert second.used == expected


@pytest.mark.parametrize("kind", ["StepLR drop-in", "SequentialLR RemoteLR"])
def test_a_job_that_is_killed_again_and_again_makes_the_undisturbed_curve(
    server: ServerProcess, tmp_path: Path, kind: str
) -> None:
    path, used = tmp_path / "checkpoint.pt", []
    for _ in range(4):
        used += in_new_process(train_three, kind, path, LRKEEPER_SERVER=server.address)
    assert used == undisturbed(kind.split()[0], 12)


def train_three(kind: str, path: Path) -> list[Row]:
    training = Training()
    scheduler = kept(kind, training.optimizer)
    if path.exists():
        scheduler.load_state_dict(torch.load(path, weights_only=True))
    training.epochs(scheduler, 3)
    torch.save(scheduler.state_dict(), path)
    training.epochs(scheduler, 1)  # lost with the process
    return training.used[:-1]


def test_two_schedulers_resume_each_on_its_own_run(server: ServerProcess) -> None:
    """As a job with two optimizers does, with generated names."""

    def both(state: dict[str, Any] | None) -> tuple[list[list[Row]], dict[str, Any]]:
        trainings = {"generator": Training(0.1), "discriminator": Training(0.3)}
        schedulers = {name: lr_scheduler.StepLR(t.optimizer, 2, gamma=0.7) for name, t in trainings.items()}
        if state is not None:
            for name in reversed(schedulers):
                schedulers[name].load_state_dict(state[name])
        used = [trainings[name].epochs(schedulers[name], 4) for name in schedulers]
        return used, {name: scheduler.state_dict() for name, scheduler in schedulers.items()}

    first, state = both(None)
    second, _ = both(state)
    for lr, before, after in zip((0.1, 0.3), first, second, strict=True):
        assert before + after == undisturbed("StepLR", 8, lr)
