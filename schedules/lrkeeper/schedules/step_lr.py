"""torch.optim.lr_scheduler.StepLR."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lrkeeper.schedules import checks
from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Row, Steps
from lrkeeper.schedules.schedule import Memory, definition
from lrkeeper.schedules.torch_schedule import TorchSchedule


@definition("step_lr", instead={"milestones": "MultiStepLR(milestones={!r})"})
class StepLR(TorchSchedule):
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

    def start(self, base: Row, now: Row) -> tuple[Memory, Row]:
        return 0, now

    def advance(self, memory: Any, base: Row, now: Row, inputs: Inputs) -> tuple[Memory, Row]:
        last_epoch = memory + 1
        if last_epoch == 0 or last_epoch % self.step_size != 0:
            return last_epoch, now
        return last_epoch, {**now, "lr": tuple(lr * self.gamma for lr in now["lr"])}

    def closed_form(self, epoch: int, base: Row) -> Row:
        factor = self.gamma ** (epoch // self.step_size)
        return {**base, "lr": tuple(lr * factor for lr in base["lr"])}
