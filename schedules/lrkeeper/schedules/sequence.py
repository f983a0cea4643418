"""Stages one after another that carry the value on: what torch's SequentialLR does not do."""

from __future__ import annotations

from collections import abc
from dataclasses import dataclass
from typing import Any

from lrkeeper.schedules import checks
from lrkeeper.schedules.given import NO_INPUTS, Inputs
from lrkeeper.schedules.numbers import Row, cast_row
from lrkeeper.schedules.schedule import Memory, Schedule, all_tracks, definition


@dataclass(frozen=True)
class Stage:
    """One stage of a sequence: a schedule, and the step at which it starts (none for the first)."""

    schedule: Schedule
    at: int | None = None


@definition("sequence")
class Sequence(Schedule):
    """Stages one after another, each from the value the stage before has reached.

    The step at which a stage starts still has the value of the stage before. That value is the base
    the stage starts from, and the stage counts its own steps from there: `MultiStepLR([10, 20])` and
    then, at 20, `StepLR(5)` drops at 10, 20, 25, 30, … (`schedule.then(other, at=20)` builds it.)

    Args:
        stages: at least one; the first without `at`, the others with increasing ones.

    Raises:
        TypeError: a stage is no schedule.
        ValueError: a stage's `at` is missing, not a whole number above 0, or does not increase.
    """

    stages: abc.Sequence[Stage]

    def check(self) -> None:
        object.__setattr__(self, "stages", tuple(self.stages))
        if not self.stages:
            raise ValueError("Sequence: stages is empty; it must have at least one")
        for place, stage in enumerate(self.stages):
            if not isinstance(stage.schedule, Schedule):
                raise TypeError(f"Sequence: stages[{place}].schedule is {stage.schedule!r}; use a schedule")
        if self.stages[0].at:
            raise ValueError(f"Sequence: stages[0].at is {self.stages[0].at!r}; the first stage starts at 0")
        before = 0
        for place, stage in enumerate(self.stages[1:], start=1):
            where, wanted = f"stages[{place}].at", f"a whole number above {before}"
            checks.number("Sequence", where, stage.at, wanted)
            assert stage.at is not None
            if stage.at != int(stage.at) or stage.at <= before:
                raise ValueError(
                    f"Sequence: {where} is {stage.at!r}, after {before}; "
                    "it must be a whole number, and starts must increase"
                )
            before = stage.at

    @property
    def tracks(self) -> tuple[str, ...]:
        return all_tracks(stage.schedule for stage in self.stages)

    @property
    def takes_metric(self) -> bool:
        return any(stage.schedule.takes_metric for stage in self.stages)

    def callers(self) -> abc.Iterator[Schedule]:
        for stage in self.stages:
            yield from stage.schedule.callers()

    # Memory: the step, the stage in force, its base lrs (none: the run's), its own memory.

    def start(self, base: Row, now: Row, inputs: Inputs = NO_INPUTS) -> tuple[Memory, Row]:
        memory, row = self.stages[0].schedule.start(base, now, inputs)
        return [0, 0, None, memory], row

    def advance(self, memory: Any, base: Row, now: Row, inputs: Inputs) -> tuple[Memory, Row]:
        step, index, carried, inner = memory
        step += 1
        if carried is not None:
            base = cast_row(carried, now)
        inner, row = self.stages[index].schedule.advance(inner, base, now, inputs)
        if index + 1 < len(self.stages) and self.stages[index + 1].at == step:
            index, base = index + 1, row
            carried = _to_json(base)
            inner, row = self.stages[index].schedule.start(base, row, inputs)
        return [step, index, carried, inner], row


def _to_json(row: Row) -> dict[str, list[float]]:
    return {track: [float(value) for value in values] for track, values in row.items()}
