"""A schedule that follows what a job measures: each of its steps is given a metric."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

from lrkeeper.schedules.given import NO_INPUTS, Inputs
from lrkeeper.schedules.numbers import Row
from lrkeeper.schedules.schedule import Memory, Schedule


class MetricDriven(Schedule):
    """A schedule whose steps are given a metric.

    As a stage of a sequence it counts its own steps, from the stage's start.
    """

    mode: str
    threshold: float
    threshold_mode: str

    @property
    def takes_metric(self) -> bool:
        """Whether its steps are given a metric: `scheduler.step(metric)`."""
        return True

    @property
    def keeps_base(self) -> bool:
        """Whether the base value stays the param group's where it is a stage; else it is the value reached."""
        return True

    @abstractmethod
    def go_on(self, base: Row, reached: Row, inputs: Inputs) -> tuple[Memory, Row]:
        """Return the memory and the row at step 0 of a stage, after one that has reached a row."""

    def start(self, base: Row, now: Row, inputs: Inputs = NO_INPUTS) -> tuple[Memory, Row]:
        return self.go_on(base, now, inputs)

    def worst(self) -> float:
        """Return the best metric before there was any."""
        return math.inf if self.mode == "min" else -math.inf

    def bound(self, best: float) -> float:
        """Return what a metric must be better than to be a new best."""
        if self.mode == "min":
            return best * (1.0 - self.threshold) if self.threshold_mode == "rel" else best - self.threshold
        return best * (1.0 + self.threshold) if self.threshold_mode == "rel" else best + self.threshold


def given_metric(inputs: Inputs) -> float:
    """Return the metric of a step. Raises TypeError where there is none, as torch does."""
    if inputs.metric is None:
        raise TypeError("the step was given no metric: use step(metric)")
    return inputs.metric


def numbers_beside(row: Row, base: Row) -> list[float] | None:
    """Return a row's lrs for a memory; None where they are the base's."""
    lrs = [float(value) for value in row["lr"]]
    return None if lrs == [float(value) for value in base["lr"]] else lrs


def numbers_or_base(kept: Any, base: Row) -> list[float]:
    """Return what `numbers_beside` kept; the base values of param groups that were added since."""
    lrs = [float(value) for value in base["lr"]]
    return lrs if kept is None else [*kept, *lrs[len(kept) :]]
