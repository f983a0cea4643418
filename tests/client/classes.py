"""Every torch scheduler, to be made of torch's module or of the drop-ins'."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch.optim.swa_utils import SWALR

TORCH = SimpleNamespace(**vars(torch.optim.lr_scheduler), SWALR=SWALR)


def falling(epoch: int) -> float:
    """A function of LambdaLR's kind."""
    return math.pow(0.95, epoch)


def warming(epoch: int) -> float:
    """Another."""
    return min(1.0, (epoch + 1) / 6)


def fading(cycle: float) -> float:
    """A function of CyclicLR's kind."""
    return math.pow(0.9, cycle)


CLASSES: dict[str, Callable[[Any, torch.optim.Optimizer], Any]] = {
    "LambdaLR": lambda m, o: m.LambdaLR(o, [falling, warming]),
    "MultiplicativeLR": lambda m, o: m.MultiplicativeLR(o, falling),
    "StepLR": lambda m, o: m.StepLR(o, 3, gamma=0.7),
    "MultiStepLR": lambda m, o: m.MultiStepLR(o, [3, 5, 5, 9], gamma=0.3),
    "ConstantLR": lambda m, o: m.ConstantLR(o, factor=0.3, total_iters=4),
    "LinearLR": lambda m, o: m.LinearLR(o, start_factor=0.1, total_iters=7),
    "ExponentialLR": lambda m, o: m.ExponentialLR(o, 0.9),
    "PolynomialLR": lambda m, o: m.PolynomialLR(o, total_iters=11, power=2.0),
    "CosineAnnealingLR": lambda m, o: m.CosineAnnealingLR(o, T_max=7, eta_min=0.001),
    "CosineAnnealingWarmRestarts": lambda m, o: m.CosineAnnealingWarmRestarts(o, T_0=3, T_mult=2),
    "CyclicLR": lambda m, o: m.CyclicLR(o, 0.01, [0.1, 0.3], step_size_up=3, step_size_down=4),
    "CyclicLR scale_fn": lambda m, o: m.CyclicLR(o, 0.01, 0.1, step_size_up=3, scale_fn=fading),
    "OneCycleLR": lambda m, o: m.OneCycleLR(o, max_lr=[0.3, 0.1], total_steps=40),
    "SWALR": lambda m, o: m.SWALR(o, swa_lr=0.05, anneal_epochs=6),
    "ReduceLROnPlateau": lambda m, o: m.ReduceLROnPlateau(o, patience=1, factor=0.5, cooldown=1),
    "SequentialLR": lambda m, o: m.SequentialLR(
        o, [m.LinearLR(o, total_iters=4), m.CosineAnnealingLR(o, 9), m.ExponentialLR(o, 0.9)], [4, 13]
    ),
    "SequentialLR of functions": lambda m, o: m.SequentialLR(
        o, [m.LambdaLR(o, warming), m.MultiplicativeLR(o, falling)], [5]
    ),
    "ChainedScheduler": lambda m, o: m.ChainedScheduler(
        [m.LinearLR(o, total_iters=4), m.ExponentialLR(o, 0.9), m.LambdaLR(o, falling)]
    ),
    "ChainedScheduler in a SequentialLR": lambda m, o: m.SequentialLR(
        o, [m.ChainedScheduler([m.ConstantLR(o), m.ExponentialLR(o, 0.9)]), m.StepLR(o, 3)], [6]
    ),
}
TAKE_EPOCHS = [name for name in CLASSES if name.split()[0] not in ("SequentialLR", "ChainedScheduler")]

OPTIMIZERS: dict[str, Callable[[], torch.optim.Optimizer]] = {
    "SGD, floats": lambda: _optimizer(torch.optim.SGD, float, momentum=0.9),
    "Adam, float32 tensors": lambda: _optimizer(torch.optim.Adam, torch.tensor),
}


def _optimizer(cls: Any, number: Any, **arguments: Any) -> torch.optim.Optimizer:
    layers = [torch.nn.Linear(2, 2) for _ in range(2)]
    optimizer: torch.optim.Optimizer = cls(
        [
            {"params": layer.parameters(), "lr": number(lr)}
            for layer, lr in zip(layers, (0.1, 0.02), strict=True)
        ],
        **arguments,
    )
    return optimizer


def bits(optimizer: torch.optim.Optimizer) -> tuple[str, ...]:
    """Return each group's lr and momentum, so that equal means the same bits."""
    found = []
    for group in optimizer.param_groups:
        momentum = group["betas"][0] if "betas" in group else group["momentum"]
        found += [float(group["lr"]).hex(), float(momentum).hex()]
    return tuple(found)


def run(
    scheduler: Any, first: int, end: int, before: Callable[[int], None] = lambda epoch: None, epochs: Any = ()
) -> list[Any]:
    """Step through epochs; return what the optimizer and `get_last_lr()` have after each.

    A metric-driven one is given a loss that falls and stays. `epochs` are given to `step` where they come.
    """
    found = []
    for epoch in range(first, end):
        scheduler.optimizer.step()
        before(epoch)
        if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
            scheduler.step(1.0 / (1 + epoch % 5), *([epoch] if epoch in epochs else []))
        else:
            scheduler.step(*([epoch] if epoch in epochs else []))
        found.append((bits(scheduler.optimizer), [float(lr).hex() for lr in scheduler.get_last_lr()]))
    return found
