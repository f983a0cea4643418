"""What Accelerate puts around an optimizer and a scheduler, as 1.15.0 does it; processes are only counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch


@dataclass
class Accelerator:
    """The state that the wrappers share: how many processes there are, and whether this batch ends an accumulation."""

    num_processes: int = 1
    split_batches: bool = False
    sync_gradients: bool = True
    scaler: torch.amp.GradScaler | None = None
    _batches: int = field(default=0, init=False)

    @contextmanager
    def accumulate(self, count: int) -> Iterator[None]:
        """One batch; every count-th ends an accumulation."""
        self._batches += 1
        self.sync_gradients = self._batches % count == 0
        yield


class WrappedOptimizer(torch.optim.Optimizer):
    """An Optimizer to isinstance, though the constructor of Optimizer never runs: all it has is another's."""

    def __init__(self, optimizer: torch.optim.Optimizer, accelerator: Accelerator) -> None:
        self.optimizer, self.accelerator = optimizer, accelerator
        self.step_was_skipped = False

    param_groups = property(lambda self: self.optimizer.param_groups)
    state = property(lambda self: self.optimizer.state)
    defaults = property(lambda self: self.optimizer.defaults)

    def zero_grad(self, set_to_none: bool = True) -> None:
        if self.accelerator.sync_gradients:
            self.optimizer.zero_grad(set_to_none)

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Do nothing within an accumulation; with a scaler, notice whether that called the optimizer."""
        if not self.accelerator.sync_gradients:
            return
        scaler = self.accelerator.scaler
        if scaler is None:
            self.optimizer.step(closure)
            return
        before = scaler.get_scale()
        scaler.step(self.optimizer)
        scaler.update()
        self.step_was_skipped = scaler.get_scale() < before


class WrappedScheduler:
    """Steps a scheduler with its optimizer, once for each process: each has had a batch of its own."""

    def __init__(self, scheduler: Any, optimizer: WrappedOptimizer, accelerator: Accelerator) -> None:
        self.scheduler, self.optimizer, self.accelerator = scheduler, optimizer, accelerator

    def step(self, *args: Any) -> None:
        if not self.accelerator.sync_gradients:
            self.scheduler._step_count += 1  # else torch would warn of the order
        elif not self.optimizer.step_was_skipped:
            for _ in range(1 if self.accelerator.split_batches else self.accelerator.num_processes):
                self.scheduler.step(*args)
