"""What Accelerate puts around an optimizer and a scheduler, as 1.15.0 does it; its processes are only a number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.optim.lr_scheduler import LRScheduler


@dataclass
class Accelerator:
    """Wraps optimizers and schedulers, and tells them whether a batch ends an accumulation."""

    num_processes: int = 1
    split_batches: bool = False
    gradient_accumulation_steps: int = 1
    scaler: torch.amp.GradScaler | None = None
    sync_gradients: bool = field(default=True, init=False)
    _batches: int = field(default=0, init=False)
    _optimizers: list[WrappedOptimizer] = field(default_factory=list, init=False)

    def prepare(self, *objects: Any) -> tuple[Any, ...]:
        """Return the objects, optimizers and schedulers wrapped; to isinstance, which knows no others."""
        self._optimizers += [
            WrappedOptimizer(o, self) for o in objects if isinstance(o, torch.optim.Optimizer)
        ]
        wrappers = {id(wrapper.optimizer): wrapper for wrapper in self._optimizers}
        return tuple(
            WrappedScheduler(o, self._optimizers, self)
            if isinstance(o, LRScheduler)
            else wrappers.get(id(o), o)
            for o in objects
        )

    @contextmanager
    def accumulate(self, *_models: torch.nn.Module) -> Iterator[None]:
        """One batch; every so many-th ends an accumulation."""
        self._batches += 1
        self.sync_gradients = self._batches % self.gradient_accumulation_steps == 0
        yield

    def backward(self, loss: torch.Tensor) -> None:
        loss = loss / self.gradient_accumulation_steps
        torch.autograd.backward(loss if self.scaler is None else self.scaler.scale(loss))


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

    def __init__(self, scheduler: Any, optimizers: list[WrappedOptimizer], accelerator: Accelerator) -> None:
        self.scheduler, self.optimizers, self.accelerator = scheduler, optimizers, accelerator

    def step(self, *args: Any) -> None:
        if not self.accelerator.sync_gradients:
            self.scheduler._step_count += 1  # else torch would warn of the order
        elif not any(optimizer.step_was_skipped for optimizer in self.optimizers):
            for _ in range(1 if self.accelerator.split_batches else self.accelerator.num_processes):
                self.scheduler.step(*args)
