"""Stages one after another that can go on from the value reached: what torch's SequentialLR does not do."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import abc
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from lrkeeper.schedules import checks
from lrkeeper.schedules.composable.closed_form import ClosedForm, Curve, Scope
from lrkeeper.schedules.composable.parts import Span, span
from lrkeeper.schedules.given import NO_INPUTS, Inputs
from lrkeeper.schedules.numbers import Row, cast_row
from lrkeeper.schedules.schedule import Memory, Schedule, all_tracks, definition


@dataclass(frozen=True)
class Stage:
    """One stage of a sequence: a schedule, and when it starts or how long it is.

    Args:
        schedule: what rules in the stage.
        at: the step at which it starts; the first stage has none (it starts at 0), nor has one after a stage
            with `over`.
        over: how long it is; the last stage may go on for ever without.
        label: what people call it.
        clock: what the schedule counts: "local", from the stage's start, or "outer", as the sequence does.
    """

    schedule: Schedule
    at: int | None = None
    over: Span | None = None
    label: str | None = None
    clock: str = "local"


@definition("sequence")
class Sequence(ClosedForm):
    """Stages one after another, each able to go on from the value the stage before has reached.

    A stage of a torch class takes the value reached as its base lr, and counts its own steps from there:
    `MultiStepLR([10, 20])` and then, at 20, `StepLR(5)` drops at 10, 20, 25, 30, … (`schedule.then(other, at=20)`
    builds it.) In a stage of a composable kind the base value stays the param group's, and a level says where it
    goes on from the value reached (`Level(before=1)`). With such stages alone a sequence is in closed form itself.

    Args:
        stages: at least one.
        boundary: whose value the time has at which a stage starts: "later" or "earlier". (A torch class has
            the value that the stage before has reached there, and both are the same.)

    Raises:
        TypeError: a stage is no schedule.
        ValueError: a start is missing, does not increase, or is given twice.
    """

    stages: abc.Sequence[Stage]
    boundary: str = "later"

    def check(self) -> None:
        object.__setattr__(self, "stages", tuple(self.stages))
        checks.one_of("Sequence", "boundary", self.boundary, ("later", "earlier"))
        if not self.stages:
            raise ValueError("Sequence: stages is empty; it must have at least one")
        for place, stage in enumerate(self.stages):
            if not isinstance(stage.schedule, Schedule):
                raise TypeError(f"Sequence: stages[{place}].schedule is {stage.schedule!r}; use a schedule")
            checks.one_of("Sequence", f"stages[{place}].clock", stage.clock, ("local", "outer"))
            if stage.over is not None:
                object.__setattr__(
                    stage, "over", span("Sequence", f"stages[{place}].over", stage.over, above=0)
                )
        if self.stages[0].at:
            raise ValueError(f"Sequence: stages[0].at is {self.stages[0].at!r}; the first stage starts at 0")
        before = 0
        for place, (earlier, stage) in enumerate(pairwise(self.stages), start=1):
            where, wanted = f"stages[{place}].at", f"a whole number above {before}"
            if earlier.over is not None:
                if stage.at is not None:
                    raise ValueError(
                        f"Sequence: {where} is {stage.at!r}; the stage before has `over`, which says it already"
                    )
                continue
            checks.number("Sequence", where, stage.at, wanted)
            assert stage.at is not None
            if stage.at != int(stage.at) or stage.at <= before:
                raise ValueError(
                    f"Sequence: {where} is {stage.at!r}, after {before}; "
                    "it must be a whole number, and starts must increase"
                )
            before = stage.at

    def check_whole(self) -> None:
        super().check_whole()
        starts = self.starts()
        for place, (one, other) in enumerate(pairwise(starts), start=1):
            if other <= one:
                raise ValueError(f"Sequence: stages[{place}] starts at {other:g}, not after {one:g}")
        if self.closed:
            return
        if self.axis != "steps":
            raise ValueError(
                f"Sequence: a stage of a torch class counts steps, and the spans are {self.axis}"
            )
        for place, start in enumerate(starts):
            if not start.is_integer():
                raise ValueError(
                    f"Sequence: stages[{place}] starts at {start:g}; beside a torch class it must be a whole step"
                )
            self.stages[place].schedule.check_whole()

    @property
    def tracks(self) -> tuple[str, ...]:
        return all_tracks(stage.schedule for stage in self.stages)

    @property
    def closed(self) -> bool:
        return all(stage.schedule.closed for stage in self.stages)

    def starts(self) -> list[float]:
        """Return when each stage starts, in the clock's unit."""
        found = [0.0]
        for earlier, stage in pairwise(self.stages):
            if earlier.over is not None:
                found.append(found[-1] + earlier.over.length)
            else:
                assert stage.at is not None
                found.append(float(stage.at))
        return found

    def compile(self, scope: Scope) -> Curve:
        starts, before = self.starts(), scope.before
        curves: list[Curve] = []
        for place, stage in enumerate(self.stages):
            assert isinstance(stage.schedule, ClosedForm)
            began = starts[place]
            curve = stage.schedule.compile(
                scope._replace(before=before, began=scope.began + (began if stage.clock == "local" else 0.0))
            )
            curves.append(curve if stage.clock == "outer" or not began else _from(curve, began))
            if place + 1 < len(starts):
                before = curves[-1](starts[place + 1])
        if len(curves) == 1:
            return curves[0]
        ends, find = starts[1:], bisect_right if self.boundary == "later" else bisect_left
        return lambda time: curves[find(ends, time)](time)

    # Memory where a stage is of a torch class: the step, the stage in force, the row that the stage before has
    # reached (none: the run's base), the stage's own memory.

    def start(self, base: Row, now: Row, inputs: Inputs = NO_INPUTS) -> tuple[Memory, Row]:
        if self.closed:
            return super().start(base, now, inputs)
        memory, row = self.stages[0].schedule.start(base, now, inputs)
        return [0, 0, None, memory], row

    def advance(self, memory: Any, base: Row, now: Row, inputs: Inputs) -> tuple[Memory, Row]:
        if self.closed:
            return super().advance(memory, base, now, inputs)
        step, index, carried, inner = memory
        step += 1
        reached = base if carried is None else cast_row(carried, now)
        inner, row = self._stage_row(index, step, inner, base, reached, now, inputs)
        if index + 1 < len(self.stages) and self._whole_starts()[index + 1] == step:
            index, reached = index + 1, row
            carried = _to_json(row)
            stage = self.stages[index].schedule
            if isinstance(stage, ClosedForm) and stage.closed:
                later = self._stage_row(index, step, None, base, reached, row, inputs)[1]
                row = later if self.boundary == "later" else row
                inner = None
            else:
                inner, row = stage.start(row, row, inputs)
        return [step, index, carried, inner], row

    def _stage_row(
        self, index: int, step: int, inner: Any, base: Row, reached: Row, now: Row, inputs: Inputs
    ) -> tuple[Memory, Row]:
        """Return a stage's memory and row at a step of the sequence."""
        stage = self.stages[index]
        if not (isinstance(stage.schedule, ClosedForm) and stage.schedule.closed):
            return stage.schedule.advance(inner, reached, now, inputs)
        start = self._whole_starts()[index]
        time = float(step if stage.clock == "outer" else step - start)
        values = [
            type(like)(stage.schedule.compile(Scope(float(b), float(r), began=start))(time))
            for b, r, like in zip(base["lr"], reached["lr"], now["lr"], strict=True)
        ]
        return inner, {**now, "lr": tuple(values)}

    def _whole_starts(self) -> list[int]:
        return [int(start) for start in self.starts()]


def _from(curve: Curve, began: float) -> Curve:
    return lambda time: curve(time - began)


def _to_json(row: Row) -> dict[str, list[float]]:
    return {track: [float(value) for value in values] for track, values in row.items()}
