"""torch.optim.lr_scheduler.ConstantLR and LinearLR: a factor in force, or growing, up to a step."""

from __future__ import annotations

from collections.abc import Iterable

from lrkeeper.schedules import checks
from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Row, Steps
from lrkeeper.schedules.schedule import definition
from lrkeeper.schedules.torch_schedule import EpochSchedule


@definition("constant_lr")
class ConstantLR(EpochSchedule):
    """Multiplies the lr by `factor`, until step `total_iters` undoes it.

    Source: torch.optim.lr_scheduler.ConstantLR: lr ← lr · factor at step 0, lr ← lr · (1 / factor) at
    step total_iters.

    Args:
        factor: above 0, at most 1.
        total_iters: the step at which the factor ends, above 0.

    Raises:
        TypeError: a field is not a number.
        ValueError: a field is out of its range.
    """

    factor: float = 1.0 / 3
    total_iters: Steps = 5

    def check(self) -> None:
        checks.inside("ConstantLR", "factor", self.factor, above=0, at_most=1)
        checks.whole("ConstantLR", "total_iters", self.total_iters, at_least=1)

    def get_lr(self, last_epoch: Steps, base: Row, now: Row, inputs: Inputs) -> Iterable[float]:
        if last_epoch == 0:
            return [lr * self.factor for lr in now["lr"]]
        if last_epoch != self.total_iters:
            return now["lr"]
        return [lr * (1.0 / self.factor) for lr in now["lr"]]

    def closed_form(self, epoch: Steps, base: Row) -> Iterable[float]:
        factor = self.factor + (epoch >= self.total_iters) * (1 - self.factor)
        return [lr * factor for lr in base["lr"]]


@definition("linear_lr")
class LinearLR(EpochSchedule):
    """Moves a factor of the lr from `start_factor` to `end_factor`, in equal parts over `total_iters` steps.

    Source: torch.optim.lr_scheduler.LinearLR, with s = start_factor and d = end_factor - s:
    lr ← lr · s at step 0, then lr ← lr · (1 + d / (total_iters · s + (t - 1) · d)) at step t.

    Args:
        start_factor: the factor at step 0, above 0, at most 1.
        end_factor: the factor at step total_iters, from 0 to 1.
        total_iters: the step at which end_factor is reached, above 0.

    Raises:
        TypeError: a field is not a number.
        ValueError: a field is out of its range.
    """

    start_factor: float = 1.0 / 3
    end_factor: float = 1.0
    total_iters: Steps = 5

    def check(self) -> None:
        checks.inside("LinearLR", "start_factor", self.start_factor, above=0, at_most=1)
        checks.inside("LinearLR", "end_factor", self.end_factor, at_least=0, at_most=1)
        checks.whole("LinearLR", "total_iters", self.total_iters, at_least=1)

    def get_lr(self, last_epoch: Steps, base: Row, now: Row, inputs: Inputs) -> Iterable[float]:
        if last_epoch == 0:
            return [lr * self.start_factor for lr in now["lr"]]
        if last_epoch > self.total_iters:
            return now["lr"]
        rise = self.end_factor - self.start_factor
        factor = 1.0 + rise / (self.total_iters * self.start_factor + (last_epoch - 1) * rise)
        return [lr * factor for lr in now["lr"]]

    def closed_form(self, epoch: Steps, base: Row) -> Iterable[float]:
        rise = self.end_factor - self.start_factor
        factor = self.start_factor + rise * min(self.total_iters, epoch) / self.total_iters
        return [lr * factor for lr in base["lr"]]
