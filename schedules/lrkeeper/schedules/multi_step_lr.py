"""torch.optim.lr_scheduler.MultiStepLR."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from lrkeeper.schedules import checks
from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Row, Steps
from lrkeeper.schedules.schedule import Memory, definition
from lrkeeper.schedules.torch_schedule import TorchSchedule


@definition("multi_step_lr", instead={"step_size": "StepLR(step_size={!r})"})
class MultiStepLR(TorchSchedule):
    """Multiplies the lr by `gamma` at each milestone.

    Source: torch.optim.lr_scheduler.MultiStepLR: lr ← lr · gamma^n at a step that is n times among the
    milestones.

    Args:
        milestones: the steps of the drops, increasing.
        gamma: the factor of a drop, at least 0.

    Raises:
        TypeError: milestones is not a sequence of numbers, or gamma not a number.
        ValueError: the milestones do not increase, or a field is out of its range.
    """

    milestones: Sequence[Steps]
    gamma: float = 0.1

    def check(self) -> None:
        if isinstance(self.milestones, int | float):
            raise TypeError(
                f"MultiStepLR: milestones is {self.milestones!r}; it must be a list of steps: "
                f"for a drop every {self.milestones!r} steps use StepLR(step_size={self.milestones!r})"
            )
        if not isinstance(self.milestones, list | tuple):
            raise TypeError(f"MultiStepLR: milestones is {self.milestones!r}; it must be a list of steps")
        object.__setattr__(self, "milestones", tuple(self.milestones))
        checks.milestones("MultiStepLR", "milestones", self.milestones, at_least=0)
        checks.decay_factor("MultiStepLR", self.gamma)

    @cached_property
    def _drops(self) -> Counter[float]:
        return Counter(self.milestones)

    def start(self, base: Row, now: Row) -> tuple[Memory, Row]:
        return self.advance(-1, base, now, Inputs())  # a milestone at 0 drops at once

    def advance(self, memory: Any, base: Row, now: Row, inputs: Inputs) -> tuple[Memory, Row]:
        last_epoch = memory + 1
        times = self._drops.get(last_epoch)
        if times is None:
            return last_epoch, now
        factor = self.gamma**times
        return last_epoch, {**now, "lr": tuple(lr * factor for lr in now["lr"])}

    def closed_form(self, epoch: int, base: Row) -> Row:
        factor = self.gamma ** bisect_right(sorted(self.milestones), epoch)
        return {**base, "lr": tuple(lr * factor for lr in base["lr"])}
