"""torch.optim.swa_utils.SWALR."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Self

from lrkeeper.schedules import checks
from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Row, Steps
from lrkeeper.schedules.schedule import Memory, definition
from lrkeeper.schedules.torch_schedule import EpochSchedule, GroupKeys, Move, PerGroup, each, written


@definition("swalr")
class SWALR(EpochSchedule):
    """Anneals the lr from where it is to `swa_lr`, and keeps it there.

    Source: torch.optim.swa_utils.SWALR, with a(t) = (1 - cos(π t)) / 2 or t, of t from 0 to 1:
    lr ← swa_lr · a(t) + l · (1 - a(t)), where l = (lr - a(t') · swa_lr) / (1 - a(t')) is the lr at the
    start as it follows from the step before, t'.

    Args:
        swa_lr: the lr at the end; one, or one for each param group.
        anneal_epochs: steps until then, at least 0.
        anneal_strategy: "cos" or "linear".

    Raises:
        TypeError: a field is of a wrong type.
        ValueError: a field is out of its range.
    """

    swa_lr: PerGroup
    anneal_epochs: Steps = 10
    anneal_strategy: str = "cos"

    # Memory: last_epoch, _step_count.
    fresh = (-1, 0)

    def check(self) -> None:
        checks.per_group("SWALR", self, "swa_lr")
        checks.whole("SWALR", "anneal_epochs", self.anneal_epochs, at_least=0)
        checks.one_of("SWALR", "anneal_strategy", self.anneal_strategy, ("cos", "linear"))

    def writes(self) -> GroupKeys:
        return {"swa_lr": self.swa_lr}

    def reading(self, keys: GroupKeys) -> Self:
        return self.altered(swa_lr=keys["swa_lr"])

    def take_back(self, memory: Any) -> Memory:
        last_epoch, count = memory
        return [last_epoch - 1, count]

    def move(self, memory: Any, base: Row, now: Row, inputs: Inputs, move: Move) -> tuple[Memory, Row]:
        last_epoch, count = memory
        last_epoch = last_epoch + 1 if move.epoch is None else move.epoch
        count = 1 if move.initial else count + move.counted
        return [last_epoch, count], written(now, "lr", self.get_lr(count - 1, base, now, inputs))

    def get_lr(self, last_epoch: Steps, base: Row, now: Row, inputs: Inputs) -> Iterable[float]:
        step = max(1, last_epoch) if self.anneal_epochs == 0 else last_epoch
        before, here = self._part(step - 1), self._part(step)
        lrs = []
        for lr, end in zip(now["lr"], each(self.swa_lr, now["lr"]), strict=True):
            first = end if before == 1 else (lr - before * end) / (1 - before)
            lrs.append(end * here + first * (1 - here))
        return lrs

    def _part(self, step: Steps) -> float:
        t = max(0, min(1, step / max(1, self.anneal_epochs)))
        return t if self.anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2
