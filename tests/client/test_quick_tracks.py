"""Steps from memory that move more than plain lrs: tensors, weight decays, momentums, betas."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from lrkeeper import RemoteLR
from lrkeeper import schedules as S
from lrkeeper.torch.quick import QuickTracks
from tests.support.server import ServerProcess

COSINE = S.CosineAnnealingLR(90)
DECAYED = S.Tracks([S.Track(COSINE), S.Track(S.ExponentialLR(0.99), name="weight_decay")])
BETAS = S.Tracks(
    [
        S.Track(COSINE),
        S.Track(S.Ramp(S.Span(steps=100), end=S.Level(absolute=0.5)), "momentum"),
        S.Track(S.Ramp(S.Span(steps=50), end=S.Level(absolute=0.9)), "beta2"),
    ]
)
ONE_CYCLE = S.OneCycleLR(max_lr=0.4, total_steps=5000)
STEPS = 400


def tensors(dtype: torch.dtype) -> Callable[[list[Any]], torch.optim.Optimizer]:
    return lambda layers: torch.optim.SGD(
        [
            {"params": layer.parameters(), "lr": torch.tensor(0.1 / n, dtype=dtype)}
            for n, layer in enumerate(layers, 1)
        ]
    )


def sgd(layers: list[Any]) -> torch.optim.Optimizer:
    groups = [{"params": layer.parameters(), "lr": 0.1 / n} for n, layer in enumerate(layers, 1)]
    return torch.optim.SGD(groups, momentum=0.9, weight_decay=0.02)


def adam(layers: list[Any]) -> torch.optim.Optimizer:
    groups = [{"params": layer.parameters(), "lr": 0.1 / n} for n, layer in enumerate(layers, 1)]
    return torch.optim.AdamW(groups, betas=(0.8, 0.99))


JOBS: dict[str, tuple[Callable[[list[Any]], torch.optim.Optimizer], S.Schedule]] = {
    "float32 tensors": (tensors(torch.float32), COSINE),
    "float64 tensors": (tensors(torch.float64), COSINE),
    "tensors that end at zero": (tensors(torch.float32), S.PolynomialLR(30)),
    "weight decay": (sgd, DECAYED),
    "one cycle's momentum": (sgd, ONE_CYCLE),
    "one cycle's betas": (adam, ONE_CYCLE),
    "both betas": (adam, BETAS),
}


class Job:
    """A training, and all numbers that its optimizer began each step with."""

    def __init__(self, kind: str, groups: int, **options: Any) -> None:
        make, schedule = JOBS[kind]
        self.layers = [nn.Linear(2, 2) for _ in range(groups)]
        self.optimizer = make(self.layers)
        self.scheduler = RemoteLR(self.optimizer, schedule, **options)
        self.used: list[list[str]] = []
        self.last_lrs: list[list[str]] = []

    def numbers(self) -> list[str]:
        return [
            float(value).hex()
            for group in self.optimizer.param_groups
            for value in (
                group["lr"],
                group.get("momentum", 0.0),
                group["weight_decay"],
                *group.get("betas", ()),
            )
        ]

    def train(self, steps: int) -> list[list[str]]:
        for _ in range(steps):
            self.optimizer.zero_grad()
            sum(layer(torch.ones(4, 2)).pow(2).mean() for layer in self.layers).backward()
            hook = self.optimizer.register_step_pre_hook(lambda *_: self.used.append(self.numbers()))
            self.optimizer.step()
            hook.remove()
            self.scheduler.step()
            self.last_lrs.append([float(lr).hex() for lr in self.scheduler.get_last_lr()])
        return self.used[-steps:]

    def until_quick(self) -> None:
        for _ in range(5000):
            if isinstance(self.scheduler._quick, QuickTracks):
                return
            self.train(1)
        raise AssertionError("no step is quick")


def local(kind: str, groups: int, steps: int) -> Job:
    """A job without a server, each of whose steps is computed when it comes."""
    job = Job(kind, groups, mode="off")
    job.train(steps)
    return job


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("kind", JOBS)
def test_they_give_what_each_step_alone_gives(server: ServerProcess, kind: str, groups: int) -> None:
    job = Job(kind, groups)
    job.until_quick()
    job.train(STEPS)
    expected = local(kind, groups, len(job.used))
    assert job.used == expected.used
    assert job.last_lrs == expected.last_lrs
    assert job.numbers() == expected.numbers()


@pytest.mark.parametrize("kind", ["float32 tensors", "weight decay", "both betas"])
def test_a_number_that_other_code_writes_is_seen_and_written_over(server: ServerProcess, kind: str) -> None:
    def meddle(group: dict[str, Any]) -> None:
        if kind == "float32 tensors":
            group["lr"].mul_(2)
        elif kind == "weight decay":
            group["weight_decay"] = 0.7
        else:
            group["betas"] = (group["betas"][0], 0.123)

    job = Job(kind, 2)
    for _ in range(3):
        job.until_quick()
        job.train(3)
        meddle(job.optimizer.param_groups[1])
        with pytest.warns(UserWarning, match="param group 1 was changed from"):
            job.scheduler.step()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            job.train(20)
    expected = local(kind, 2, job.scheduler.last_epoch)
    assert job.numbers() == expected.numbers()
    assert job.used[-1] == expected.used[-1]


def test_a_tensor_in_the_place_of_another_is_written_from_then_on(server: ServerProcess) -> None:
    job = Job("float32 tensors", 2)
    job.until_quick()
    group = job.optimizer.param_groups[0]
    before, group["lr"] = group["lr"], group["lr"].clone()
    job.train(20)
    assert group["lr"] is not before
    assert job.used == local("float32 tensors", 2, len(job.used)).used


def test_the_tensor_stays_and_get_last_lr_gives_copies(server: ServerProcess) -> None:
    job = Job("float32 tensors", 2)
    mine = [group["lr"] for group in job.optimizer.param_groups]
    job.until_quick()
    job.train(5)
    assert all(group["lr"] is lr for group, lr in zip(job.optimizer.param_groups, mine, strict=True))
    given = job.scheduler.get_last_lr()
    assert not {id(lr) for lr in given} & {id(lr) for lr in mine}
    given[0].fill_(9.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        job.train(5)


@pytest.mark.parametrize("kind", ["float64 tensors", "both betas"])
def test_a_checkpoint_and_a_copy_amid_quick_steps_go_on_alike(server: ServerProcess, kind: str) -> None:
    job = Job(kind, 2)
    job.until_quick()
    job.train(30)
    done, state, held = len(job.used), job.scheduler.state_dict(), copy.deepcopy(job.optimizer.state_dict())
    copied = copy.deepcopy(job)
    expected = local(kind, 2, done + 50).used[done:]
    assert copied.train(50) == expected
    resumed = Job(kind, 2)
    resumed.optimizer.load_state_dict(held)
    resumed.scheduler.load_state_dict(state)
    assert resumed.train(50) == expected


def test_a_group_that_is_added_is_scheduled_from_then_on(server: ServerProcess) -> None:
    job = Job("weight decay", 1)
    job.until_quick()
    more = nn.Linear(2, 2)
    job.layers.append(more)
    job.optimizer.add_param_group({"params": more.parameters(), "lr": 0.3})
    job.train(3)
    first = job.optimizer.param_groups[1]["weight_decay"]
    job.until_quick()
    job.train(10)
    assert job.optimizer.param_groups[1]["weight_decay"] < first
