"""torch.optim.lr_scheduler.StepLR."""

from __future__ import annotations

from collections.abc import Iterable

from lrkeeper.schedules import checks
from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Row, Steps
from lrkeeper.schedules.schedule import definition
from lrkeeper.schedules.torch_schedule import EpochSchedule


@definition("step_lr", instead={"milestones": "MultiStepLR(milestones={!r})"})
class StepLR(EpochSchedule):
    """Multiplies the lr by `gamma` every `step_size` steps.

    Source: torch.optim.lr_scheduler.StepLR: lr ← lr · gamma at every step that is a multiple of
    step_size, but for step 0.

    Args:
        step_size: steps between two drops, above 0.
        gamma: the factor of a drop, at least 0.

    Raises:
        TypeError: a field is not a number.
        ValueError: a field is out of its range.
    """

    step_size: Steps
    gamma: float = 0.1

    def check(self) -> None:
        if isinstance(self.step_size, Iterable) and not isinstance(self.step_size, str):
            raise TypeError(
                f"StepLR: step_size is {self.step_size!r}; it must be one number above 0: "
                f"for drops at given steps use MultiStepLR(milestones={list(self.step_size)!r})"
            )
        checks.number("StepLR", "step_size", self.step_size, "a number above 0")
        if self.step_size <= 0:
            raise ValueError(f"StepLR: step_size is {self.step_size!r}; it must be a number above 0")
        checks.decay_factor("StepLR", self.gamma)

    def get_lr(self, last_epoch: Steps, base: Row, now: Row, inputs: Inputs) -> Iterable[float]:
        if last_epoch == 0 or last_epoch % self.step_size != 0:
            return now["lr"]
        return [lr * self.gamma for lr in now["lr"]]

    def closed_form(self, epoch: Steps, base: Row) -> Iterable[float]:
        factor = self.gamma ** (epoch // self.step_size)
        return [lr * factor for lr in base["lr"]]
