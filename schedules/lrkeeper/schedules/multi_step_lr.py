"""torch.optim.lr_scheduler.MultiStepLR."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property

from lrkeeper.schedules import checks
from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Row, Steps
from lrkeeper.schedules.schedule import definition
from lrkeeper.schedules.torch_schedule import EpochSchedule


@definition("multi_step_lr", instead={"step_size": "StepLR(step_size={!r})"})
class MultiStepLR(EpochSchedule):
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

    def get_lr(self, last_epoch: Steps, base: Row, now: Row, inputs: Inputs) -> Iterable[float]:
        times = self._drops.get(last_epoch)
        if times is None:
            return now["lr"]
        factor = self.gamma**times
        return [lr * factor for lr in now["lr"]]

    def closed_form(self, epoch: Steps, base: Row) -> Iterable[float]:
        factor = self.gamma ** bisect_right(sorted(self.milestones), epoch)
        return [lr * factor for lr in base["lr"]]
