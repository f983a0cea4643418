"""torch.optim.lr_scheduler.LambdaLR and MultiplicativeLR: factors of functions, which stay with the caller."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import InitVar
from typing import Any

from lrkeeper.schedules.calling import CallingSchedule
from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Row, Steps
from lrkeeper.schedules.schedule import definition


@definition("lambda_lr")
class LambdaLR(CallingSchedule):
    """Sets the lr to the base lr times a factor; every step is given one for each param group.

    Source: torch.optim.lr_scheduler.LambdaLR: lr = base lr · lr_lambda(t).

    Args:
        lr_lambda: the function, or one for each param group, for a RemoteLR to call. It is no part of the
            definition, and stays in this process; None: of another process, whose steps are given.
        pure: the functions depend on the epoch alone, so that a RemoteLR calls them ahead of their steps,
            in the background.

    Raises:
        TypeError: lr_lambda is no function.
    """

    lr_lambda: InitVar[Any] = None
    pure: InitVar[bool] = False

    def __post_init__(self, lr_lambda: Any, pure: bool) -> None:
        self._take("lr_lambda", lr_lambda, pure=pure)

    def check(self) -> None:
        """There is nothing to check."""

    def get_lr(self, last_epoch: Steps, base: Row, now: Row, inputs: Inputs) -> Iterable[float]:
        lrs = enumerate(base["lr"])
        return [lr * inputs.factor(self.functions, group, last_epoch) for group, lr in lrs]


@definition("multiplicative_lr")
class MultiplicativeLR(CallingSchedule):
    """Multiplies the lr by a factor; every step is given one for each param group.

    Source: torch.optim.lr_scheduler.MultiplicativeLR: lr ← lr · lr_lambda(t) at every step but step 0.

    Args:
        lr_lambda: the function, or one for each param group; as LambdaLR's.
        pure: as LambdaLR's.

    Raises:
        TypeError: lr_lambda is no function.
    """

    lr_lambda: InitVar[Any] = None
    pure: InitVar[bool] = False

    keeps_initial = True

    def __post_init__(self, lr_lambda: Any, pure: bool) -> None:
        self._take("lr_lambda", lr_lambda, pure=pure)

    def check(self) -> None:
        """There is nothing to check."""

    def get_lr(self, last_epoch: Steps, base: Row, now: Row, inputs: Inputs) -> Iterable[float]:
        lrs = enumerate(now["lr"])
        return [lr * inputs.factor(self.functions, group, last_epoch) for group, lr in lrs]
