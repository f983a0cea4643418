"""Hugging Face's GreedyLR: the value rises while a metric becomes better, and falls while it does not."""

from __future__ import annotations

import math
from typing import Any

from lrkeeper.schedules import checks
from lrkeeper.schedules.composable.metric_driven import (
    MetricDriven,
    given_metric,
    numbers_beside,
    numbers_or_base,
)
from lrkeeper.schedules.composable.parts import ZERO, Level, level
from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Row
from lrkeeper.schedules.schedule import Memory, definition

_MOST_REPORTS = 1000


@definition("greedy")
class Greedy(MetricDriven):
    """Divides the value by `factor` after good reports of a metric, and multiplies it after bad ones.

    Source: transformers.optimization.GreedyLR, bit for bit. It goes on from the value reached. The defaults of
    `low` (0), `high`, `window` (10) and `reset_start` (never) are not those of that class (0.001, 1, 50, 500).

    Args:
        mode: "min" if the metric shall fall, "max" if it shall rise.
        factor: above 0, below 1.
        patience: good, or bad, reports in a row that are waited for; one more changes the value.
        threshold: by how much a metric must be better than the best.
        cooldown, warmup: reports after a fall, or a rise, that are not looked at.
        low, high: the bounds; a number is absolute.
        smooth: whether the mean of the last `window` reports counts instead of each.
        window: how many reports that are, at most 1000.
        reset_start: after how many falls that find or leave all values at `low` all begins anew; 0: never.
        threshold_mode: "rel" if the threshold is a part of the best, "abs" if not.
        eps: the smallest change that is made.

    Raises:
        TypeError, ValueError: a field is of another type or out of its range.
    """

    mode: str = "min"
    factor: float = 0.95
    patience: int = 10
    threshold: float = 1e-6
    cooldown: int = 0
    warmup: int = 0
    low: Level = ZERO
    high: Level | None = None
    smooth: bool = False
    window: int = 10
    reset_start: int = 0
    threshold_mode: str = "abs"
    eps: float = 1e-8

    def check(self) -> None:
        checks.one_of("Greedy", "mode", self.mode, ("min", "max"))
        checks.inside("Greedy", "factor", self.factor, above=0, below=1)
        checks.one_of("Greedy", "threshold_mode", self.threshold_mode, ("rel", "abs"))
        for name in ("threshold", "eps"):
            checks.inside("Greedy", name, getattr(self, name), at_least=0)
        for name in ("patience", "cooldown", "warmup", "reset_start"):
            checks.whole("Greedy", name, getattr(self, name), at_least=0)
        checks.whole("Greedy", "window", self.window, at_least=1)
        checks.inside("Greedy", "window", self.window, at_most=_MOST_REPORTS)
        checks.flags("Greedy", self, "smooth")
        object.__setattr__(self, "low", level("Greedy", "low", self.low))
        if self.high is not None:
            object.__setattr__(self, "high", level("Greedy", "high", self.high))

    # Memory: where it began (none: at the base), best, good, bad, the cooldown and the warmup left, the falls left
    # before all begins anew; the sum of the window's reports, and those.

    def go_on(self, base: Row, reached: Row, inputs: Inputs) -> tuple[Memory, Row]:
        return [numbers_beside(reached, base), *self._afresh()], reached

    def _afresh(self) -> list[Any]:
        return [self.worst(), 0, 0, 0, 0, self.reset_start, [0.0, []]]

    def advance(self, memory: Any, base: Row, now: Row, inputs: Inputs) -> tuple[Memory, Row]:
        began, best, good, bad, cooldown, warmup, resets, window = memory
        metric = given_metric(inputs)
        if self.smooth:
            metric, window = self._smoothed(metric, window)
        if cooldown > 0:
            return [began, best, 0, 0, cooldown - 1, warmup, resets, window], now
        if warmup > 0:
            return [began, best, 0, 0, cooldown, warmup - 1, resets, window], now
        bound = self.bound(best)
        if metric < bound if self.mode == "min" else metric > bound:
            best, good, bad = metric, good + 1, 0
        else:
            good, bad = 0, bad + 1
        if good > self.patience:
            rest = [best, 0, bad, cooldown, self.warmup, self.reset_start, window]
            return [began, *rest], self._risen(base, now)
        if bad <= self.patience:
            return [began, best, good, bad, cooldown, warmup, resets, window], now
        now = self._fallen(base, now)
        rest = [best, good, 0, self.cooldown, warmup, resets, window]
        if self.reset_start and all(lr <= low for lr, low in zip(now["lr"], self._lows(base), strict=True)):
            rest[5] -= 1
            if rest[5] <= 0:
                rest = [*self._afresh()]
                rest[3] = self.cooldown
                now = _with(now, numbers_or_base(began, base))
        return [began, *rest], now

    def _smoothed(self, metric: float, window: Any) -> tuple[float, Any]:
        total, reports = window[0] + metric, [*window[1], metric]
        if len(reports) > self.window:
            total -= reports.pop(0)
        return total / len(reports), [total, reports]

    def _risen(self, base: Row, now: Row) -> Row:
        values = []
        for lr, one in zip(now["lr"], base["lr"], strict=True):
            high = math.inf if self.high is None else self.high.on(float(one), float(one))
            new = min(float(lr) / self.factor, high)
            values.append(new if new - float(lr) > self.eps else lr)
        return _with(now, values)

    def _fallen(self, base: Row, now: Row) -> Row:
        values = []
        for lr, low in zip(now["lr"], self._lows(base), strict=True):
            new = max(float(lr) * self.factor, low)
            values.append(new if float(lr) - new > self.eps else lr)
        return _with(now, values)

    def _lows(self, base: Row) -> list[float]:
        return [self.low.on(float(one), float(one)) for one in base["lr"]]


def _with(row: Row, values: list[float]) -> Row:
    lrs = tuple(type(old)(value) for old, value in zip(row["lr"], values, strict=True))
    return {**row, "lr": lrs}
