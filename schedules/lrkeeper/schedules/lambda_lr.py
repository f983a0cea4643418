"""torch.optim.lr_scheduler.LambdaLR and MultiplicativeLR: factors of functions, which stay with the caller."""

from __future__ import annotations

from collections.abc import Iterable

from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Row, Steps
from lrkeeper.schedules.schedule import definition
from lrkeeper.schedules.torch_schedule import EpochSchedule


@definition("lambda_lr")
class LambdaLR(EpochSchedule):
    """Sets the lr to the base lr times a factor; every step is given one for each param group.

    Source: torch.optim.lr_scheduler.LambdaLR: lr = base lr · lr_lambda(t).

    Raises:
        TypeError: an argument is given; functions do not belong into a definition.
    """

    def check(self) -> None:
        """There is nothing to check."""

    def get_lr(self, last_epoch: Steps, base: Row, now: Row, inputs: Inputs) -> Iterable[float]:
        return [lr * inputs.factor() for lr in base["lr"]]


@definition("multiplicative_lr")
class MultiplicativeLR(EpochSchedule):
    """Multiplies the lr by a factor; every step is given one for each param group.

    Source: torch.optim.lr_scheduler.MultiplicativeLR: lr ← lr · lr_lambda(t) at every step but step 0.

    Raises:
        TypeError: an argument is given; functions do not belong into a definition.
    """

    keeps_initial = True

    def check(self) -> None:
        """There is nothing to check."""

    def get_lr(self, last_epoch: Steps, base: Row, now: Row, inputs: Inputs) -> Iterable[float]:
        return [lr * inputs.factor() for lr in now["lr"]]
