"""torch.optim.lr_scheduler.ReduceLROnPlateau."""

from __future__ import annotations

import math
from typing import Any

from lrkeeper.schedules import checks
from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Row, Steps, is_below, put
from lrkeeper.schedules.schedule import Memory, definition
from lrkeeper.schedules.torch_schedule import Built, Move, PerGroup, TorchSchedule, each


@definition("reduce_lr_on_plateau")
class ReduceLROnPlateau(TorchSchedule):
    """Multiplies the lr by `factor` when a metric has not become better for a while; steps are given it.

    Source: torch.optim.lr_scheduler.ReduceLROnPlateau: lr ← max(lr · factor, min_lr) where that lowers it
    by more than eps, after more than `patience` bad steps in a row.

    Args:
        mode: "min" if the metric shall fall, "max" if it shall rise.
        factor: the factor of a reduction, at least 0, below 1.
        patience: bad steps that are borne.
        threshold: by how much a metric must be better than the best.
        threshold_mode: "rel" if that is a part of the best, "abs" if not.
        cooldown: steps after a reduction in which no bad ones are counted.
        min_lr: the lowest lr; one, or one for each param group.
        eps: the smallest change that is made.

    Raises:
        TypeError: a field is of a wrong type.
        ValueError: a field is out of its range.
    """

    mode: str = "min"
    factor: float = 0.1
    patience: Steps = 10
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    cooldown: Steps = 0
    min_lr: PerGroup = (0.0,)
    eps: float = 1e-8

    def check(self) -> None:
        checks.one_of("ReduceLROnPlateau", "mode", self.mode, ("min", "max"))
        checks.inside("ReduceLROnPlateau", "factor", self.factor, at_least=0, below=1)
        checks.whole("ReduceLROnPlateau", "patience", self.patience, at_least=0)
        checks.inside("ReduceLROnPlateau", "threshold", self.threshold, at_least=0)
        checks.one_of("ReduceLROnPlateau", "threshold_mode", self.threshold_mode, ("rel", "abs"))
        checks.whole("ReduceLROnPlateau", "cooldown", self.cooldown, at_least=0)
        checks.per_group("ReduceLROnPlateau", self, "min_lr")
        checks.inside("ReduceLROnPlateau", "eps", self.eps, at_least=0)

    @property
    def takes_metric(self) -> bool:
        return True

    # Memory: last_epoch, best, cooldown_counter, num_bad_epochs.

    def construct(self, initial: Row | None, now: Row, inputs: Inputs) -> Built:
        worst = math.inf if self.mode == "min" else -math.inf
        return Built([0, worst, 0, 0], now if initial is None else initial, now)

    def move(self, memory: Any, base: Row, now: Row, inputs: Inputs, move: Move) -> tuple[Memory, Row]:
        last_epoch, best, cooldown, bad = memory
        if inputs.metric is None:
            raise TypeError("the step was given no metric")
        last_epoch = last_epoch + 1 if move.epoch is None else move.epoch
        if self._is_better(inputs.metric, best):
            best, bad = inputs.metric, 0
        else:
            bad += 1
        if cooldown > 0:
            cooldown, bad = cooldown - 1, 0
        if bad > self.patience:
            now, cooldown, bad = self._reduced(now), self.cooldown, 0
        return [last_epoch, best, cooldown, bad], now

    def _is_better(self, metric: float, best: float) -> bool:
        relative = self.threshold_mode == "rel"
        if self.mode == "min":
            return is_below(metric, best * (1.0 - self.threshold) if relative else best - self.threshold)
        return is_below(best * (self.threshold + 1.0) if relative else best + self.threshold, metric)

    def _reduced(self, now: Row) -> Row:
        lows = each(self.min_lr, now["lr"])
        if len(lows) != len(now["lr"]):
            raise RuntimeError(f"min_lr has {len(lows)} numbers for {len(now['lr'])} param groups")
        lrs = []
        for old, low in zip(now["lr"], lows, strict=True):
            lr = float(old)  # torch computes in float64 here, whatever the tensor
            new = lr * self.factor
            new = low if is_below(new, low) else new
            lrs.append(put(old, new) if is_below(self.eps, lr - new) else old)
        return {**now, "lr": tuple(lrs)}
