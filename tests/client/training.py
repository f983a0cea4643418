"""Small real trainings, and what the optimizer used at each of its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import lr_scheduler as torch_schedulers

from lrkeeper import RemoteLR, lr_scheduler
from lrkeeper import schedules as S

Row = tuple[str, ...]
"""The lr of each param group, as `float.hex` gives it."""


class Training:
    """A model of one layer a param group, and its optimizer."""

    def __init__(self, *lrs: Any) -> None:
        layers = [nn.Linear(2, 2) for _ in lrs or (0.1,)]
        self.model = nn.Sequential(*layers)
        groups = zip(layers, lrs or (0.1,), strict=True)
        self.optimizer: torch.optim.Optimizer = torch.optim.SGD(
            [{"params": layer.parameters(), "lr": lr} for layer, lr in groups]
        )
        self.used: list[Row] = []
        """The lrs that the optimizer saw at each `take_step`."""

    def _note(self, *_: Any) -> None:
        self.used.append(self.lrs())

    def lrs(self) -> Row:
        """The lrs that the optimizer has now."""
        return hexes(group["lr"] for group in self.optimizer.param_groups)

    def update(self) -> None:
        """One `optimizer.step()`, with a real loss behind it."""
        self.optimizer.zero_grad()
        self.model(torch.ones(4, 2)).pow(2).mean().backward()
        self.take_step()

    def take_step(self, wrapper: Any = None) -> None:
        """One `optimizer.step()`, with the gradients there are, or a wrapper's; note the lrs after all other hooks."""
        last_hook = self.optimizer.register_step_pre_hook(self._note)
        try:
            (wrapper or self.optimizer).step()
        finally:
            last_hook.remove()

    def epochs(self, scheduler: Any, count: int) -> list[Row]:
        """Train so many epochs; return the lrs that they used."""
        for _ in range(count):
            self.update()
            scheduler.step()
        return self.used[-count:]


def hexes(lrs: Iterable[Any]) -> Row:
    """Return lrs, numbers or tensors, so that equal means the same bits."""
    return tuple(float(lr).hex() for lr in lrs)


def undisturbed(shape: str, count: int, *lrs: Any) -> list[Row]:
    """Return what torch's own scheduler of a shape gives, from step 0 on."""
    training = Training(*lrs)
    return training.epochs(SHAPES[shape](torch_schedulers, training.optimizer), count)


# The same curve by torch's class, by the drop-in, and by a definition.

SHAPES: dict[str, Callable[[Any, torch.optim.Optimizer], Any]] = {
    "StepLR": lambda module, optimizer: module.StepLR(optimizer, 2, gamma=0.7),
    "MultiStepLR": lambda module, optimizer: module.MultiStepLR(optimizer, [2, 5, 5, 9], gamma=0.3),
    "SequentialLR": lambda module, optimizer: module.SequentialLR(
        optimizer,
        [
            module.StepLR(optimizer, 2, gamma=0.7),
            module.MultiStepLR(optimizer, [1, 3], gamma=0.3),
            module.StepLR(optimizer, 1, gamma=0.9),
        ],
        [4, 9],
    ),
}

DEFINITIONS: dict[str, S.Schedule] = {
    "StepLR": S.StepLR(2, gamma=0.7),
    "MultiStepLR": S.MultiStepLR.unchecked(milestones=(2, 5, 5, 9), gamma=0.3),
    "SequentialLR": S.SequentialLR(
        [S.StepLR(2, gamma=0.7), S.MultiStepLR([1, 3], gamma=0.3), S.StepLR(1, gamma=0.9)], [4, 9]
    ),
}


def kept(kind: str, optimizer: torch.optim.Optimizer, **options: Any) -> Any:
    """Return a scheduler of a kind such as "StepLR drop-in" or "StepLR RemoteLR"; options are RemoteLR's."""
    shape, _, by = kind.partition(" ")
    if by == "drop-in":
        assert not options, "a drop-in is configured by the environment"
        return SHAPES[shape](lr_scheduler, optimizer)
    return RemoteLR(optimizer, DEFINITIONS[shape], **options)


KINDS = [f"{shape} {by}" for shape in SHAPES for by in ("drop-in", "RemoteLR")]
