"""Random schedulers: torch's, built on an optimizer, and how to write the same for lrkeeper."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

import torch

Kind = Literal["StepLR", "MultiStepLR", "SequentialLR"]
KINDS: tuple[Kind, ...] = ("StepLR", "MultiStepLR", "SequentialLR")


@dataclass(frozen=True)
class Configuration:
    """A scheduler on an optimizer with some param groups."""

    lrs: tuple[float, ...]
    tensor: Literal["", "float32", "float64"]
    build: Callable[[Any, Any], Any]
    """(module with torch's classes, optimizer) → scheduler."""

    def optimizer(self) -> torch.optim.Optimizer:
        groups = []
        for lr in self.lrs:
            value: Any = lr
            if self.tensor:
                value = torch.tensor(lr, dtype=getattr(torch, self.tensor))
            groups.append({"params": [torch.zeros(1, requires_grad=True)], "lr": value})
        return torch.optim.SGD(groups, lr=0.1)


def configuration(kind: Kind, random: Random) -> Configuration:
    """Draw a scheduler of a kind: also steps, milestones and nestings that only torch takes."""
    lrs = tuple(
        random.choice([0.1, 1, 1e-3, random.uniform(1e-6, 2)]) for _ in range(random.choice([1, 1, 2, 3]))
    )
    tensor: Literal["", "float32", "float64"] = random.choice(["", "", "", "float32", "float64"])
    return Configuration(lrs, tensor, _build(kind, random, depth=0))


def _build(kind: Kind, random: Random, depth: int) -> Callable[[Any, Any], Any]:
    gamma = random.choice([0.1, 0.5, 2, random.uniform(0, 1.2), random.uniform(0, 1.2)])
    if random.random() < 0.04:
        gamma = 1.0  # moves nothing, as no milestones do: both are taken, and rare
    if kind == "StepLR":
        size = random.choice([1, 2, 3, 30, random.randint(1, 80), random.randint(1, 80), 2.5, -7, 0])
        return lambda module, optimizer: module.StepLR(optimizer, size, gamma)
    if kind == "MultiStepLR":
        count = 0 if random.random() < 0.04 else random.randint(1, 8)
        milestones = [random.randint(-1, 120) for _ in range(count)]
        if random.random() < 0.7:
            milestones.sort()
        return lambda module, optimizer: module.MultiStepLR(optimizer, milestones, gamma=gamma)
    kinds = KINDS if depth < 2 and random.random() < 0.3 else KINDS[:2]
    count = random.randint(1, 4)
    members = [_build(random.choice(kinds), random, depth + 1) for _ in range(count)]
    milestones = [random.randint(0, 150) for _ in range(count - 1)]
    if random.random() < 0.85:
        milestones.sort()
    return lambda module, optimizer: module.SequentialLR(
        optimizer, [build(module, optimizer) for build in members], milestones
    )
