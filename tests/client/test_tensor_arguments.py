"""Tensors among a drop-in's arguments: the numbers, and the objects in the optimizer, are torch's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import torch

from lrkeeper import Client, RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from lrkeeper.schedules import codec
from lrkeeper.schedules.numbers import F32, F64
from tests.client.classes import TORCH, bits, run
from tests.support.server import ServerProcess

Number = Callable[[float], Any]
MADE: dict[str, Callable[[Any, Any, Number], Any]] = {
    "StepLR": lambda m, o, n: m.StepLR(o, 3, gamma=n(0.7)),
    "MultiStepLR": lambda m, o, n: m.MultiStepLR(o, [3, 5, 5, 5, 9, 9], gamma=n(0.3)),
    "ConstantLR": lambda m, o, n: m.ConstantLR(o, factor=n(0.3), total_iters=4),
    "LinearLR": lambda m, o, n: m.LinearLR(o, start_factor=n(0.1), end_factor=0.9, total_iters=7),
    "ExponentialLR": lambda m, o, n: m.ExponentialLR(o, n(0.9)),
    "CosineAnnealingLR": lambda m, o, n: m.CosineAnnealingLR(o, T_max=7, eta_min=n(0.001)),
    "CyclicLR": lambda m, o, n: m.CyclicLR(
        o, 0.01, n(0.3), 3, 4, "exp_range", n(0.99), base_momentum=n(0.7), max_momentum=[n(0.9), 0.95]
    ),
    "OneCycleLR": lambda m, o, n: m.OneCycleLR(o, max_lr=[n(0.3), 0.1], total_steps=40, div_factor=n(7)),
    "SWALR": lambda m, o, n: m.SWALR(o, swa_lr=n(0.05), anneal_epochs=6),
    "ReduceLROnPlateau": lambda m, o, n: m.ReduceLROnPlateau(
        o, patience=1, factor=n(0.5), threshold=n(0.01), eps=n(1e-6)
    ),
    "SequentialLR": lambda m, o, n: m.SequentialLR(
        o, [m.ConstantLR(o, n(0.3)), m.CosineAnnealingLR(o, 9), m.ExponentialLR(o, n(0.9))], [4, 13]
    ),
    "ChainedScheduler": lambda m, o, n: m.ChainedScheduler([m.LinearLR(o), m.ExponentialLR(o, n(0.9))]),
}
NUMBERS: dict[str, Callable[[float], Any]] = {
    "float": float,
    "float32": lambda value: torch.tensor(value),
    "float64": lambda value: torch.tensor(value, dtype=torch.float64),
}
KINDS = [
    ("float", torch.float32),
    ("float32", torch.float32),
    ("float", torch.float64),
    ("float64", torch.float64),
]


def optimizer(kind: str = "float") -> torch.optim.Optimizer:
    number = NUMBERS[kind]
    groups = [{"params": [torch.zeros(1, requires_grad=True)], "lr": number(lr)} for lr in (0.1, 0.02)]
    return torch.optim.SGD(groups, lr=0.1, momentum=0.9)


def made(name: str, module: Any, found: torch.optim.Optimizer, dtype: torch.dtype) -> Any:
    return MADE[name](module, found, lambda value: torch.tensor(value, dtype=dtype))


@pytest.mark.parametrize(("kind", "dtype"), KINDS)
@pytest.mark.parametrize("name", MADE)
def test_a_tensor_among_the_arguments_gives_torchs_bits_and_objects(
    server: ServerProcess, name: str, kind: str, dtype: torch.dtype
) -> None:
    found = []
    for module in (lr_scheduler, TORCH):
        scheduler = made(name, module, optimizer(kind), dtype)
        rows = run(scheduler, 0, 30)
        found.append((rows, [type(group["lr"]) for group in scheduler.optimizer.param_groups]))
    assert found[0] == found[1]


@pytest.mark.parametrize("name", MADE)
def test_a_checkpoint_goes_on_with_the_same_bits(server: ServerProcess, name: str) -> None:
    undisturbed = run(made(name, TORCH, optimizer(), torch.float32), 0, 30)
    scheduler = made(name, lr_scheduler, optimizer(), torch.float32)
    rows = run(scheduler, 0, 11)
    fresh = optimizer()
    resumed = made(name, lr_scheduler, fresh, torch.float32)
    fresh.load_state_dict(scheduler.optimizer.state_dict())
    resumed.load_state_dict(scheduler.state_dict())
    assert rows + run(resumed, 11, 30) == undisturbed


@pytest.mark.parametrize("name", MADE)
def test_a_checkpoint_goes_on_without_its_optimizer(server: ServerProcess, name: str) -> None:
    scheduler = made(name, lr_scheduler, optimizer(), torch.float32)
    run(scheduler, 0, 11)
    state = scheduler.state_dict()
    expected = run(scheduler, 11, 30)
    del scheduler
    resumed = made(name, lr_scheduler, optimizer(), torch.float32)
    resumed.load_state_dict(state)
    assert run(resumed, 11, 30) == expected


def test_the_same_start_again_is_the_same_definition(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRKEEPER_RUN", f"run-{uuid4().hex[:12]}")
    first = made("OneCycleLR", lr_scheduler, optimizer(), torch.float32)
    rows = run(first, 0, 5)
    del first
    again = made("OneCycleLR", lr_scheduler, optimizer(), torch.float32)
    assert run(again, 0, 5) == rows


def test_a_definition_read_off_a_scheduler_gives_its_bits_to_a_remote_lr(client: Client) -> None:
    theirs = made("OneCycleLR", TORCH, optimizer(), torch.float32)
    ours = RemoteLR(optimizer(), S.from_torch(theirs))
    assert bits(ours.optimizer) == bits(theirs.optimizer)
    assert run(ours, 0, 20) == run(theirs, 0, 20)


@pytest.mark.parametrize("kind", [F32, F64])
def test_the_kinds_of_a_definitions_numbers_are_in_its_text(kind: type[float]) -> None:
    schedule = S.CyclicLR((kind(0.1), kind(0.2)), (0.5, kind(0.3)), gamma=kind(0.9))
    text = codec.to_json(schedule)
    name = "float32" if kind is F32 else "float64"
    assert f'"{name}":["base_lr","max_lr[1]","gamma"]' in text
    again = codec.from_json(text)
    assert again == schedule
    assert codec.to_json(again) == text


@pytest.mark.parametrize("name", ["max_lr[2]", "max_lr[x]", "mode", "step_size", "gamma[0]", ""])
def test_a_kind_of_what_is_no_number_is_refused(name: str) -> None:
    definition = {"cyclic_lr": {"base_lr": 0.1, "max_lr": [0.2, 0.3]}, "float32": [name]}
    with pytest.raises(ValueError, match=r"^schedule\.float32: has .* which is no number of this definition"):
        codec.from_dict(definition)
