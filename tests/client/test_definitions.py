"""What is read off a live torch scheduler."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as torch_schedulers
from torch.optim.swa_utils import SWALR

from lrkeeper import schedules as S
from lrkeeper.torch.definitions import definition_of
from lrkeeper.torch.memories import base_of, memory_of, row_of


def optimizer(lr: Any = 0.1) -> torch.optim.Optimizer:
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr, momentum=0.9)


def test_a_one_cycle_is_read_as_it_was_written() -> None:
    scheduler = torch_schedulers.OneCycleLR(optimizer(), 0.7, total_steps=90, pct_start=0.37, div_factor=3)
    assert definition_of(scheduler) == S.OneCycleLR(0.7, 90, pct_start=0.37, div_factor=3)


def test_a_cycle_is_read_as_it_was_written() -> None:
    scheduler = torch_schedulers.CyclicLR(optimizer(), 0.1, 0.7, 13, 29, mode="triangular2")
    assert definition_of(scheduler) == S.CyclicLR(0.1, 0.7, 13, 29, mode="triangular2")


def test_members_have_the_numbers_that_the_last_constructor_left() -> None:
    found = optimizer()
    members: list[torch_schedulers.LRScheduler] = [SWALR(found, 0.3), SWALR(found, 0.2)]
    scheduler = torch_schedulers.SequentialLR(found, members, [5])
    assert definition_of(scheduler) == S.SequentialLR([S.SWALR(0.2), S.SWALR(0.2)], [5])


def test_a_subclass_is_read_as_its_class() -> None:
    class Mine(torch_schedulers.ExponentialLR):
        pass

    assert definition_of(Mine(optimizer(), 0.5)) == S.ExponentialLR(0.5)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "no number": (
        lambda: torch_schedulers.ExponentialLR(optimizer(), torch.tensor([0.5])),  # type: ignore[arg-type]
        r"ExponentialLR: gamma is tensor\(\[0.5000\]\); it must hold no such tensor: use a Python number",
    ),
    "a half": (
        lambda: torch_schedulers.ExponentialLR(optimizer(), torch.tensor(0.5).half()),  # type: ignore[arg-type]
        r"ExponentialLR: gamma is tensor\(.*float16\); it must hold no such tensor",
    ),
    "a number of steps": (
        lambda: torch_schedulers.StepLR(optimizer(), torch.tensor(3)),  # type: ignore[arg-type]
        r"StepLR: step_size is tensor\(3\); it must hold no such tensor",
    ),
    "an exponent": (
        lambda: torch_schedulers.PolynomialLR(optimizer(), power=torch.tensor(2.0)),  # type: ignore[arg-type]
        r"PolynomialLR: power is tensor\(2.\); it must hold no such tensor",
    ),
    "of another kind than the lr": (
        lambda: torch_schedulers.ExponentialLR(optimizer(torch.tensor(0.1).double()), torch.tensor(0.5)),  # type: ignore[arg-type]
        "are of float32 and of float64; they must be of one kind",
    ),
    "one that moves with the lr": (
        lambda: torch_schedulers.CyclicLR(optimizer(), torch.tensor(0.1), 0.3),  # type: ignore[arg-type]
        "base_lr is a tensor and the param group's lr a Python number: torch makes them one tensor",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_tensor_that_no_definition_can_say_is_refused(case: str) -> None:
    make, message = REFUSED[case]
    with pytest.raises(TypeError, match=message):
        definition_of(make())


def test_members_with_tensors_of_two_kinds_are_refused() -> None:
    found = optimizer()
    members: list[Any] = [
        torch_schedulers.ExponentialLR(found, torch.tensor(0.5)),  # type: ignore[arg-type]
        torch_schedulers.ExponentialLR(found, torch.tensor(0.5).double()),  # type: ignore[arg-type]
    ]
    with pytest.raises(
        TypeError, match="ChainedScheduler: the tensors among its arguments, and the lr, are of"
    ):
        definition_of(torch_schedulers.ChainedScheduler(members))


def test_base_lrs_that_are_not_the_groups_are_in_the_memory() -> None:
    found = optimizer(torch.tensor(0.5))
    first = torch_schedulers.CosineAnnealingLR(found, 10)
    torch_schedulers.OneCycleLR(found, 0.25, total_steps=10, div_factor=1)
    assert memory_of(first) == {"base_lrs": [[0.5, "float32"]], "memory": 0}
    assert base_of(found) == {"lr": (0.25,)}
    assert row_of(found, ("lr", "momentum")) == {"lr": (0.25,), "momentum": (0.95,)}


def test_the_last_constructor_need_not_be_the_last_members() -> None:
    found = optimizer()
    last = SWALR(found, 0.2)
    members: list[torch_schedulers.LRScheduler] = [SWALR(found, 0.3), last]
    scheduler = torch_schedulers.SequentialLR(found, members, [5])
    assert definition_of(scheduler) == S.SequentialLR([S.SWALR(0.3), S.SWALR(0.3)], [5])
