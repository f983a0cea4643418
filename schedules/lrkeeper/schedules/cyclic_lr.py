"""torch.optim.lr_scheduler.CyclicLR."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import InitVar
from typing import Any

from lrkeeper.schedules import checks
from lrkeeper.schedules.calling import CallingSchedule
from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Row, Steps
from lrkeeper.schedules.schedule import definition
from lrkeeper.schedules.torch_schedule import Built, GroupKeys, PerGroup, each, written

MODES = ("triangular", "triangular2", "exp_range")


@definition("cyclic_lr")
class CyclicLR(CallingSchedule):
    """Moves the lr between `base_lr` and `max_lr`, up and down again in each cycle; momentum against it.

    Source: torch.optim.lr_scheduler.CyclicLR, after Smith, Cyclical Learning Rates for Training Neural
    Networks: lr = base_lr + (max_lr - base_lr) · x · scale, where x rises from 0 to 1 in step_size_up
    steps and falls in step_size_down. scale is 1 (triangular), 1 / 2^(cycle - 1) (triangular2), gamma^t
    (exp_range), or a factor that the step is given.

    Args:
        base_lr: the lowest lr; one, or one for each param group.
        max_lr: the highest lr; likewise.
        step_size_up: steps from the lowest to the highest, above 0.
        step_size_down: steps back; step_size_up if absent.
        mode: "triangular", "triangular2" or "exp_range".
        gamma: the factor of a step in mode exp_range.
        custom_scale_fn: each step is given factors: for each param group, then, with cycle_momentum, for
            each group's momentum.
        scale_mode: what such a function is called with, "cycle" or "iterations".
        cycle_momentum: whether momentum moves from max_momentum to base_momentum and back.
        base_momentum: the lowest momentum; one, or one for each param group.
        max_momentum: the highest momentum; likewise.
        scale_fn: the function that gives these factors, for a RemoteLR to call. It is no part of the definition,
            and stays in this process.
        pure: the function depends on what it is called with alone; as LambdaLR's.
        total_size: steps of a cycle, where a scheduler's own is no sum of two sizes.
        step_ratio: the part of a cycle in which the lr rises, likewise.

    Raises:
        TypeError: a field is of a wrong type.
        ValueError: a field is out of its range.
    """

    base_lr: PerGroup
    max_lr: PerGroup
    step_size_up: Steps = 2000
    step_size_down: Steps | None = None
    mode: str = "triangular"
    gamma: float = 1.0
    custom_scale_fn: bool = False
    scale_mode: str = "cycle"
    cycle_momentum: bool = True
    base_momentum: PerGroup = (0.8,)
    max_momentum: PerGroup = (0.9,)
    total_size: Steps | None = None
    step_ratio: float | None = None
    scale_fn: InitVar[Any] = None
    pure: InitVar[bool] = False

    def __post_init__(self, scale_fn: Any, pure: bool) -> None:
        self._take("scale_fn", scale_fn, pure=pure)
        if scale_fn is not None:
            object.__setattr__(self, "custom_scale_fn", True)

    @property
    def calls(self) -> bool:
        return self.custom_scale_fn

    def check(self) -> None:
        checks.per_group("CyclicLR", self, "base_lr", "max_lr", "base_momentum", "max_momentum")
        checks.inside("CyclicLR", "step_size_up", self.step_size_up, above=0)
        if self.step_size_down is not None:
            checks.inside("CyclicLR", "step_size_down", self.step_size_down, at_least=0)
        checks.one_of("CyclicLR", "mode", self.mode, MODES)
        checks.one_of("CyclicLR", "scale_mode", self.scale_mode, ("cycle", "iterations"))
        checks.decay_factor("CyclicLR", self.gamma)
        checks.flags("CyclicLR", self, "custom_scale_fn", "cycle_momentum")
        if self.total_size is not None:
            checks.inside("CyclicLR", "total_size", self.total_size, above=0)
        if self.step_ratio is not None:
            checks.inside("CyclicLR", "step_ratio", self.step_ratio, above=0, at_most=1)

    @property
    def moves(self) -> tuple[str, ...]:
        return ("lr", "momentum") if self.cycle_momentum else ("lr",)

    def writes(self) -> GroupKeys:
        if not self.cycle_momentum:
            return {}
        return {"base_momentum": self.base_momentum, "max_momentum": self.max_momentum}

    def construct(self, initial: Row | None, now: Row, inputs: Inputs) -> Built:
        now = written(now, "lr", each(self.base_lr, now["lr"]))
        base = now if initial is None else initial
        row = written(now, "lr", self._lrs(base["lr"], 0, inputs))  # torch sets its base_lrs only afterwards
        momentums = self.get_momentum(0, now, inputs)
        return Built(0, base, row if momentums is None else written(row, "momentum", momentums))

    def get_lr(self, last_epoch: Steps, base: Row, now: Row, inputs: Inputs) -> Iterable[float]:
        return self._lrs(each(self.base_lr, now["lr"]), last_epoch, inputs)

    def _lrs(self, lows: Sequence[float], last_epoch: Steps, inputs: Inputs) -> list[float]:
        cycle, height = self._place(last_epoch)
        highs = each(self.max_lr, lows)
        return [
            low + (high - low) * height * self._scale(cycle, last_epoch, inputs, group)
            for group, (low, high) in enumerate(zip(lows, highs, strict=True))
        ]

    def get_momentum(self, last_epoch: Steps, now: Row, inputs: Inputs) -> Iterable[float] | None:
        if not self.cycle_momentum:
            return None
        cycle, height = self._place(last_epoch)
        lows, highs = each(self.base_momentum, now["lr"]), each(self.max_momentum, now["lr"])
        return [
            high - (high - low) * height * self._scale(cycle, last_epoch, inputs, group)
            for group, (low, high) in enumerate(zip(lows, highs, strict=True))
        ]

    def _place(self, last_epoch: Steps) -> tuple[int, float]:
        """Return the number of the cycle, from 1 on, and how high the lr is in it, from 0 to 1."""
        up = float(self.step_size_up)
        total = up + (up if self.step_size_down is None else float(self.step_size_down))
        if self.total_size is not None:
            total = self.total_size
        ratio = up / total if self.step_ratio is None else self.step_ratio
        cycle = math.floor(1 + last_epoch / total)
        x = 1.0 + last_epoch / total - cycle
        return cycle, x / ratio if x <= ratio else (x - 1) / (ratio - 1)

    def _scale(self, cycle: int, last_epoch: Steps, inputs: Inputs, group: int) -> float:
        if self.custom_scale_fn:
            at = cycle if self.scale_mode == "cycle" else last_epoch
            return inputs.factor(self.functions, group, at)
        if self.mode == "triangular2":
            return 1 / (2.0 ** (cycle - 1))
        return 1.0 if self.mode == "triangular" else self.gamma**last_epoch
