"""torch.optim.lr_scheduler.CosineAnnealingLR and CosineAnnealingWarmRestarts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from lrkeeper.schedules import checks
from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Row, Steps
from lrkeeper.schedules.schedule import Memory, definition
from lrkeeper.schedules.torch_schedule import Built, EpochSchedule, Move, TorchSchedule, written


@definition("cosine_annealing_lr", instead={"T_0": "CosineAnnealingWarmRestarts(T_0={!r})"})
class CosineAnnealingLR(EpochSchedule):
    """Lets the lr fall to `eta_min` over `T_max` steps along half a cosine, and rise again.

    Source: torch.optim.lr_scheduler.CosineAnnealingLR, with T = T_max: at step t
    lr ← eta_min + (lr - eta_min) · (1 + cos(π t / T)) / (1 + cos(π (t - 1) / T)), and out of a minimum
    lr ← lr + (base lr - eta_min) · (1 - cos(π / T)) / 2.

    Args:
        T_max: steps from the base lr to eta_min, above 0.
        eta_min: the lowest lr, at least 0.

    Raises:
        TypeError: a field is not a number.
        ValueError: a field is out of its range.
    """

    T_max: Steps
    eta_min: float = 0.0

    keeps_initial = True

    def check(self) -> None:
        checks.inside("CosineAnnealingLR", "T_max", self.T_max, above=0)
        checks.inside("CosineAnnealingLR", "eta_min", self.eta_min, at_least=0)

    def get_lr(self, last_epoch: Steps, base: Row, now: Row, inputs: Inputs) -> Iterable[float]:
        low = self.eta_min
        if (last_epoch - 1 - self.T_max) % (2 * self.T_max) == 0:
            rise = 1 - math.cos(math.pi / self.T_max)
            return [lr + (b - low) * rise / 2 for b, lr in zip(base["lr"], now["lr"], strict=True)]
        here = 1 + math.cos(math.pi * last_epoch / self.T_max)
        ratio = here / (1 + math.cos(math.pi * (last_epoch - 1) / self.T_max))
        return [ratio * (lr - low) + low for lr in now["lr"]]

    def closed_form(self, epoch: Steps, base: Row) -> Iterable[float]:
        return _cosine(base, self.eta_min, epoch, self.T_max)


@definition("cosine_annealing_warm_restarts", instead={"T_max": "CosineAnnealingLR(T_max={!r})"})
class CosineAnnealingWarmRestarts(TorchSchedule):
    """Lets the lr fall to `eta_min` along half a cosine, again and again from the base lr.

    Source: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts:
    lr = eta_min + (base lr - eta_min) · (1 + cos(π T_cur / T_i)) / 2, T_cur steps after a restart; T_i
    is T_0, and T_mult times as much after every restart. `step(epoch)` computes T_cur and T_i from a
    logarithm, which does not always give those that steps lead to.

    Args:
        T_0: steps to the first restart, a whole number above 0.
        T_mult: by what the steps between restarts grow, a whole number above 0.
        eta_min: the lowest lr, at least 0.

    Raises:
        TypeError: a field is not a number.
        ValueError: a field is out of its range.
    """

    T_0: Steps
    T_mult: Steps = 1
    eta_min: float = 0.0

    def check(self) -> None:
        checks.whole("CosineAnnealingWarmRestarts", "T_0", self.T_0, at_least=1)
        checks.whole("CosineAnnealingWarmRestarts", "T_mult", self.T_mult, at_least=1)
        checks.inside("CosineAnnealingWarmRestarts", "eta_min", self.eta_min, at_least=0)

    # Memory: last_epoch, T_cur, T_i.

    def construct(self, initial: Row | None, now: Row, inputs: Inputs) -> Built:
        base = now if initial is None else initial
        return Built([0, 0, self.T_0], base, written(now, "lr", _cosine(base, self.eta_min, 0, self.T_0)))

    def take_back(self, memory: Any) -> Memory:
        last_epoch, T_cur, T_i = memory
        return [last_epoch - 1, T_cur, T_i]

    def move(self, memory: Any, base: Row, now: Row, inputs: Inputs, move: Move) -> tuple[Memory, Row]:
        last_epoch, T_cur, T_i = memory
        epoch = move.epoch
        if not move.counted:
            assert epoch is not None
            last_epoch = epoch
        elif epoch is None and last_epoch >= 0:
            last_epoch, T_cur = math.floor(last_epoch + 1), T_cur + 1
            if T_cur >= T_i:
                T_cur, T_i = T_cur % T_i, T_i * self.T_mult
        else:
            epoch = 0 if epoch is None else epoch
            T_cur, T_i = self._place(epoch, T_i)
            last_epoch = math.floor(epoch)
        return [last_epoch, T_cur, T_i], written(now, "lr", _cosine(base, self.eta_min, T_cur, T_i))

    def _place(self, epoch: Steps, T_i: Steps) -> tuple[Steps, Steps]:
        """Return T_cur and T_i where `step(epoch)` goes."""
        if epoch < 0:
            raise ValueError(f"epoch is {epoch}; it must be at least 0")
        if not epoch >= self.T_0:
            return epoch, self.T_0
        if self.T_mult == 1:
            return epoch % self.T_0, T_i
        restarts = int(math.log(epoch / self.T_0 * (self.T_mult - 1) + 1, self.T_mult))
        last = self.T_0 * (self.T_mult**restarts - 1) / (self.T_mult - 1)
        return epoch - last, self.T_0 * self.T_mult**restarts


def _cosine(base: Row, low: float, at: Steps, period: Steps) -> Iterable[float]:
    height = 1 + math.cos(math.pi * at / period)
    return [low + (lr - low) * height / 2 for lr in base["lr"]]
