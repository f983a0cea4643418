"""A schedule times a factor that falls when a metric has not become better for a while."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lrkeeper.schedules import checks
from lrkeeper.schedules.composable.beneath import advanced, begun
from lrkeeper.schedules.composable.constant import Constant
from lrkeeper.schedules.composable.metric_driven import MetricDriven, given_metric
from lrkeeper.schedules.composable.parts import ZERO, Level, level
from lrkeeper.schedules.given import NO_INPUTS, Inputs
from lrkeeper.schedules.numbers import Row
from lrkeeper.schedules.schedule import Memory, Schedule, definition

_CONSTANT = Constant()


@definition("plateau")
class Plateau(MetricDriven):
    """A schedule times a factor that falls when a metric has not become better for a while.

    The rule is ReduceLROnPlateau's of many libraries, here on any curve: cosine × plateau. A step whose report is
    looked at must be given a metric; one that is no number (nan) is a bad report.

    Args:
        schedule: the curve; by default the base value.
        mode: "min" if the metric shall fall, "max" if it shall rise.
        factor: by what the factor is multiplied, at least 0, below 1.
        patience: bad reports in a row that are borne.
        threshold: by how much a metric must be better than the best.
        threshold_mode: "rel" if that is a part of the best, "abs" if not.
        cooldown: reports after a fall in which no bad ones are counted.
        low: the lowest value; a number is absolute.
        fires: it falls at a bad report that is "beyond" the patience (torch, transformers, mmengine) or the last "at"
            it (Keras, whose cooldown is one more), or whenever as many are counted "exactly" (optax).
        margin: by how much more a metric must be better, in its own unit (optax's atol beside an rtol).
        reports: how many reports make one: their mean counts.
        begin, end: the steps whose reports are looked at, from `begin` on and before `end`.
        eps: a fall that lowers no value by more than this is not made.

    Raises:
        TypeError, ValueError: a field is of another type or out of its range.
    """

    schedule: Schedule | None = None
    mode: str = "min"
    factor: float = 0.1
    patience: int = 10
    threshold: float = 1e-4
    threshold_mode: str = "rel"
    cooldown: int = 0
    low: Level = ZERO
    fires: str = "beyond"
    margin: float = 0.0
    reports: int = 1
    begin: int = 0
    end: int | None = None
    eps: float = 0.0

    def check(self) -> None:
        if self.schedule is not None and not isinstance(self.schedule, Schedule):
            raise TypeError(f"Plateau: schedule is {self.schedule!r}; it must be a schedule")
        checks.one_of("Plateau", "mode", self.mode, ("min", "max"))
        checks.inside("Plateau", "factor", self.factor, at_least=0, below=1)
        checks.one_of("Plateau", "threshold_mode", self.threshold_mode, ("rel", "abs"))
        checks.one_of("Plateau", "fires", self.fires, ("beyond", "at", "exactly"))
        for name, least in (("patience", 0), ("cooldown", 0), ("reports", 1), ("begin", 0)):
            checks.whole("Plateau", name, getattr(self, name), at_least=least)
        for name in ("threshold", "margin", "eps"):
            checks.inside("Plateau", name, getattr(self, name), at_least=0)
        if self.end is not None:
            checks.whole("Plateau", "end", self.end, at_least=self.begin + 1)
        object.__setattr__(self, "low", level("Plateau", "low", self.low))

    def check_within(self, totals: Mapping[str, float]) -> None:
        self.inner.check_within(totals)

    @property
    def inner(self) -> Schedule:
        """The curve."""
        return _CONSTANT if self.schedule is None else self.schedule

    @property
    def moves(self) -> tuple[str, ...]:
        return self.inner.moves

    @property
    def keeps_base(self) -> bool:
        return self.inner.closed

    # Memory: the step; what is kept of the curve; best, bad, cooldown and factor; how many reports there are of those
    # that make one, and their mean.

    def start(self, base: Row, now: Row, inputs: Inputs = NO_INPUTS) -> tuple[Memory, Row]:
        return self.go_on(base, base if self.inner.closed else now, inputs)

    def go_on(self, base: Row, reached: Row, inputs: Inputs) -> tuple[Memory, Row]:
        kept, row = begun(self.inner, base, reached, inputs)
        return [0, kept, [self.worst(), 0, 0, 1.0], [0, 0.0]], self._times(1.0, row, base)

    def advance(self, memory: Any, base: Row, now: Row, inputs: Inputs) -> tuple[Memory, Row]:
        step, kept, known, mean = memory
        step += 1
        kept, row = advanced(self.inner, kept, step, base, now, inputs)
        if self.begin <= step and (self.end is None or step < self.end):
            mean = _mean(mean, given_metric(inputs))
            if mean[0] == self.reports:
                known, mean = self._judged(known, mean[1], row, base), [0, 0.0]
        return [step, kept, known, mean], self._times(known[3], row, base)

    def _judged(self, known: Any, metric: float, row: Row, base: Row) -> list[Any]:
        """Return best, bad, cooldown and factor after a report."""
        best, bad, cooldown, factor = known
        bound = self.bound(best)
        better = metric < bound - self.margin if self.mode == "min" else metric > bound + self.margin
        best, bad = (metric, 0) if better else (best, bad + 1)
        if cooldown > 0:
            return [best, 0, cooldown - 1, factor]
        if self.fires == "exactly":
            falls = bad == self.patience
        else:
            falls = not better and bad >= self.patience + (self.fires == "beyond")
        if not falls:
            return [best, bad, cooldown, factor]
        before, after = (self._times(f, row, base)["lr"] for f in (factor, factor * self.factor))
        if any(b - a > self.eps for b, a in zip(before, after, strict=True)):
            factor *= self.factor
        return [best, 0, self.cooldown, factor]

    def _times(self, factor: float, row: Row, base: Row) -> Row:
        values = []
        for value, one in zip(row["lr"], base["lr"], strict=True):
            low = self.low.on(float(one), float(one))
            values.append(type(value)(max(float(value) * factor, low)))
        return {**row, "lr": tuple(values)}


def _mean(so_far: Any, metric: float) -> list[Any]:
    count, mean = so_far
    return [count + 1, (count * mean + metric) / (count + 1)]
