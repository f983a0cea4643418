"""torch.optim.lr_scheduler.ExponentialLR and PolynomialLR."""

from __future__ import annotations

from collections.abc import Iterable

from lrkeeper.schedules import checks
from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Row, Steps
from lrkeeper.schedules.schedule import definition
from lrkeeper.schedules.torch_schedule import EpochSchedule


@definition("exponential_lr")
class ExponentialLR(EpochSchedule):
    """Multiplies the lr by `gamma` at every step.

    Source: torch.optim.lr_scheduler.ExponentialLR: lr ← lr · gamma at every step but step 0.

    Args:
        gamma: the factor of a step, at least 0.

    Raises:
        TypeError: gamma is not a number.
        ValueError: gamma is out of its range.
    """

    gamma: float

    keeps_initial = True

    def check(self) -> None:
        checks.decay_factor("ExponentialLR", self.gamma)

    def get_lr(self, last_epoch: Steps, base: Row, now: Row, inputs: Inputs) -> Iterable[float]:
        return [lr * self.gamma for lr in now["lr"]]

    def closed_form(self, epoch: Steps, base: Row) -> Iterable[float]:
        factor = self.gamma**epoch
        return [lr * factor for lr in base["lr"]]


@definition("polynomial_lr")
class PolynomialLR(EpochSchedule):
    """Lets the lr fall to 0 over `total_iters` steps, as a power of the part that is left.

    Source: torch.optim.lr_scheduler.PolynomialLR, with T = total_iters:
    lr ← lr · ((1 - t / T) / (1 - (t - 1) / T))^power at every step t up to T.

    Args:
        total_iters: the step at which 0 is reached, above 0.
        power: above 0.

    Raises:
        TypeError: a field is not a number.
        ValueError: a field is out of its range.
    """

    total_iters: Steps = 5
    power: float = 1.0

    keeps_initial = True

    def check(self) -> None:
        checks.whole("PolynomialLR", "total_iters", self.total_iters, at_least=1)
        checks.inside("PolynomialLR", "power", self.power, above=0)

    def get_lr(self, last_epoch: Steps, base: Row, now: Row, inputs: Inputs) -> Iterable[float]:
        if last_epoch > self.total_iters:
            return now["lr"]
        left = 1.0 - last_epoch / self.total_iters
        factor = (left / (1.0 - (last_epoch - 1) / self.total_iters)) ** self.power
        return [lr * factor for lr in now["lr"]]

    def closed_form(self, epoch: Steps, base: Row) -> Iterable[float]:
        factor = (1.0 - min(self.total_iters, epoch) / self.total_iters) ** self.power
        return [lr * factor for lr in base["lr"]]
