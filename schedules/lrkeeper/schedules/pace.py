"""A job that goes evenly: what a preview takes steps to have, where a schedule counts something else."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lrkeeper.schedules.composable.closed_form import counted
from lrkeeper.schedules.cursor import Cursor, Failure, extend
from lrkeeper.schedules.given import NOTHING, Given
from lrkeeper.schedules.numbers import Row
from lrkeeper.schedules.schedule import Schedule

_FIELDS = {"epochs": "steps_per_epoch", "samples": "samples_per_step", "tokens": "tokens_per_step"}


@dataclass(frozen=True)
class Pace:
    """How many steps an epoch has, how many samples and tokens a step has, where that is known.

    Raises ValueError for a number that is not above 0.
    """

    steps_per_epoch: float | None = None
    samples_per_step: float | None = None
    tokens_per_step: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} is {value!r}; it must be a finite number above 0")

    def missing(self, schedule: Schedule) -> tuple[str, str] | None:
        """Return what a schedule counts that the pace does not say, and the field that would say it."""
        for axis in counted(schedule):
            if getattr(self, _FIELDS[axis]) is None:
                return axis, _FIELDS[axis]
        return None

    def per_step(self) -> dict[str, float]:
        """Return how many of each axis that is known a step has."""
        rates = {
            "steps": 1.0,
            "epochs": None if self.steps_per_epoch is None else 1 / self.steps_per_epoch,
            "samples": self.samples_per_step,
            "tokens": self.tokens_per_step,
        }
        return {axis: rate for axis, rate in rates.items() if rate is not None}

    def at(self, step: int) -> Given:
        """Return what a step is told."""
        totals = {
            "epochs": None if self.steps_per_epoch is None else step / self.steps_per_epoch,
            "samples": None if self.samples_per_step is None else step * self.samples_per_step,
            "tokens": None if self.tokens_per_step is None else step * self.tokens_per_step,
        }
        return Given(progress={axis: total for axis, total in totals.items() if total is not None})


NO_PACE = Pace()


def paced(
    schedule: Schedule, base: Row, cursor: Cursor, count: int, pace: Pace
) -> tuple[Cursor, list[Row], Failure | None]:
    """Return what `extend` does, each step being told what the pace says."""
    if pace == NO_PACE:
        return extend(schedule, base, cursor, count, NOTHING)
    rows: list[Row] = []
    failure = None
    while len(rows) < count and failure is None:
        cursor, found, failure = extend(schedule, base, cursor, 1, pace.at(cursor.step + 1))
        rows += found
    return cursor, rows, failure


def near(schedule: Schedule, base: Row, cursor: Cursor, step: int) -> Cursor:
    """Return an evaluation at the step before, where a schedule can be asked for any; else the cursor."""
    found = schedule.at(step - 1, base, cursor.row) if cursor.step < step - 1 else None
    return cursor if found is None else Cursor(step - 1, *found)
