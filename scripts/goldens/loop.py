"""A training loop with a real torch optimizer, read at each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.optim import SGD, Adam, Optimizer

from scripts.goldens.write import Value


def optimizer_with(lr: Value, kind: type[SGD] | type[Adam] = SGD) -> Optimizer:
    """An optimizer with one group for each lr; SGD with momentum 0.9, Adam with betas (0.9, 0.999)."""
    lrs = lr if isinstance(lr, list) else [lr]
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": one} for one in lrs]
    return SGD(groups, lr=lrs[0], momentum=0.9) if kind is SGD else Adam(groups, lr=lrs[0])


def run(
    optimizer: Optimizer,
    after: Callable[[int], Any],
    steps: int,
    *,
    track: str | None = None,
    before: Callable[[int], Any] = lambda _step: None,
) -> tuple[list[Value], dict[str, list[Value]] | None]:
    """Do the optimizer's steps.

    Args:
        optimizer: whose groups are read just before its own step.
        after: what follows step k, given k: a scheduler's step. Nothing follows the last.
        steps: how many.
        track: the key of the groups that is read besides lr; of `betas` the first.
        before: what precedes step k.

    Returns:
        The lrs, and the other track by its name if there is one.
    """
    lrs: list[Value] = []
    others: list[Value] = []
    for step in range(steps):
        before(step)
        lrs.append(_read(optimizer, "lr"))
        if track is not None:
            others.append(_read(optimizer, track))
        if step + 1 < steps:
            optimizer.step()
            after(step)
    return lrs, None if track is None else {track: others}


def _read(optimizer: Optimizer, key: str) -> Value:
    found: Sequence[Any] = [group[key] for group in optimizer.param_groups]
    values = [float(one[0] if isinstance(one, tuple) else one) for one in found]
    return values if len(values) > 1 else values[0]
