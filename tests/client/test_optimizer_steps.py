"""Whether an optimizer has stepped: asked of real optimizers and GradScalers."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from lrkeeper import OptimizerSteps
from tests.client.accelerated import Accelerator, WrappedOptimizer

OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "SGD": lambda params: torch.optim.SGD(params, lr=0.1),
    "fused SGD": lambda params: torch.optim.SGD(params, lr=0.1, fused=True),
    "AdamW": lambda params: torch.optim.AdamW(params, lr=0.1),
    "fused AdamW": lambda params: torch.optim.AdamW(params, lr=0.1, fused=True),
}


class Scaled:
    """A model trained through a GradScaler."""

    def __init__(self, make: Callable[[Any], torch.optim.Optimizer]) -> None:
        self.model = nn.Linear(2, 1)
        self.optimizer = make(self.model.parameters())
        self.scaler = torch.amp.GradScaler("cpu", init_scale=4.0)

    def update(self, factor: float = 1.0, unscale: bool = False) -> bool:
        """One update with a loss times a factor; return whether the weights have moved."""
        before = self.model.weight.clone()
        self.optimizer.zero_grad()
        loss = self.model(torch.ones(4, 2)).pow(2).mean() * factor
        self.scaler.scale(loss).backward()
        if unscale:  # to clip, say
            self.scaler.unscale_(self.optimizer)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return not torch.equal(before, self.model.weight)


@pytest.mark.parametrize("unscale", [False, True])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_step_that_a_scaler_skips_is_none(name: str, unscale: bool) -> None:
    training = Scaled(OPTIMIZERS[name])
    steps = OptimizerSteps(training.optimizer)
    moved = []
    for factor in (1.0, float("inf"), 1.0, float("nan"), float("inf"), 1.0):
        moved.append(training.update(factor, unscale))
        assert steps.take() is moved[-1]
    assert moved == [True, False, True, False, False, True]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_epoch_has_stepped_if_one_of_its_updates_was_not_skipped(name: str) -> None:
    training = Scaled(OPTIMIZERS[name])
    steps = OptimizerSteps(training.optimizer)
    for factors, stepped in (
        ((float("inf"), float("inf")), False),
        ((1.0, float("inf")), True),
        ((float("inf"), 1.0), True),
        ((), False),
    ):
        for factor in factors:
            training.update(factor)
        assert steps.take() is stepped


def test_it_is_asked_as_often_as_one_likes_and_begins_anew_when_told() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(2))], lr=0.1)
    steps = OptimizerSteps(optimizer)
    assert not steps.pending
    optimizer.step()
    assert steps.pending
    assert steps.pending
    steps.clear()
    assert not steps.pending
    optimizer.step()
    assert steps.take()
    assert not steps.take()


def test_a_step_of_another_optimizer_is_none() -> None:
    mine, other = (torch.optim.SGD([nn.Parameter(torch.ones(2))], lr=0.1) for _ in range(2))
    steps = OptimizerSteps(mine)
    other.step()
    assert not steps.take()


def test_the_steps_of_a_wrapper_are_those_of_what_it_wraps() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(2))], lr=0.1)
    accelerator = Accelerator(gradient_accumulation_steps=2)
    wrapper = WrappedOptimizer(optimizer, accelerator)
    steps = OptimizerSteps(wrapper)
    taken = []
    for _ in range(4):
        with accelerator.accumulate():
            wrapper.step()
        taken.append(steps.take())
    assert taken == [False, True, False, True]


def test_what_takes_no_hooks_is_refused() -> None:
    class Lone:
        optimizer = None

    with pytest.raises(TypeError, match="optimizer is a Lone, which takes no hooks"):
        OptimizerSteps(Lone())  # type: ignore[arg-type]


@pytest.mark.parametrize("by", [copy.deepcopy, lambda steps: pickle.loads(pickle.dumps(steps))])
@pytest.mark.parametrize("stepped", [False, True])
def test_a_copy_remembers_and_watches_what_it_is_given(stepped: bool, by: Callable[[Any], Any]) -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(2))], lr=0.1)
    steps = OptimizerSteps(optimizer)
    if stepped:
        optimizer.step()
    twin = by(steps)
    optimizer.step()
    assert twin.take() is stepped
    twin.watch(optimizer)
    optimizer.step()
    assert twin.take()


def test_an_optimizer_keeps_nobody_alive_who_watched_it() -> None:
    optimizer = torch.optim.SGD([nn.Parameter(torch.ones(2))], lr=0.1)
    steps = OptimizerSteps(optimizer)
    seen = weakref.ref(steps)
    gc.disable()
    try:
        del steps
        assert seen() is None
    finally:
        gc.enable()
    optimizer.step()
