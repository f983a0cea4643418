"""What is read off a live torch scheduler."""

from __future__ import annotations

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


def test_a_tensor_among_the_arguments_is_refused_by_its_name() -> None:
    scheduler = torch_schedulers.ExponentialLR(optimizer(), torch.tensor(0.5))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"ExponentialLR: gamma is tensor\(0.5000\); it must hold no tensor"):
        definition_of(scheduler)


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
