"""Stages one after another that can go on from the value reached: what torch's SequentialLR does not do."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import abc
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, cast

from lrkeeper.schedules import checks
from lrkeeper.schedules.composable.closed_form import ClosedForm, Curve, Scope, compiled, finite, is_closed
from lrkeeper.schedules.composable.metric_driven import MetricDriven
from lrkeeper.schedules.composable.parts import Length, length, span
from lrkeeper.schedules.given import NO_INPUTS, Inputs
from lrkeeper.schedules.numbers import Row, totals_of, with_added
from lrkeeper.schedules.schedule import Memory, Schedule, all_tracks, definition


@dataclass(frozen=True)
class Stage:
    """One stage of a sequence: a schedule, and when it starts or how long it is.

    Args:
        schedule: what rules in the stage.
        at: the step at which it starts; the first stage has none (it starts at 0), nor has one after a stage
            with `over`. Where the clock counts something else than steps, `over` says it.
        over: how long it is; the last stage may go on for ever without.
        label: what people call it.
        clock: what the schedule counts: "local", from the stage's start, or "outer", as the sequence does. A torch
            class has its own.
    """

    schedule: Schedule
    at: int | None = None
    over: Length | None = None
    label: str | None = None
    clock: str = "local"


@definition("sequence")
class Sequence(ClosedForm):
    """Stages one after another, each able to go on from the value the stage before has reached.

    A stage of a torch class takes the value reached as its base lr, and counts its own steps from there:
    `MultiStepLR([10, 20])` and then, at 20, `StepLR(5)` drops at 10, 20, 25, 30, … (`schedule.then(other, at=20)`
    builds it.) So does a stage with a torch class in it. In a stage in closed form the base value stays the
    param group's, and a level says where it goes on from the value reached (`Level(before=1)`). With such stages alone
    a sequence is in closed form itself.

    Args:
        stages: at least one.
        boundary: whose value the time has at which a stage starts: "later" or "earlier". (A stage with a torch class
            starts with its own value there; most classes keep the value reached.)

    Raises:
        TypeError: a stage is no schedule.
        ValueError: a start is missing, does not increase, or is given twice.
    """

    stages: abc.Sequence[Stage]
    boundary: str = "later"

    def check(self) -> None:
        checks.one_of("Sequence", "boundary", self.boundary, ("later", "earlier"))
        if not self.stages:
            raise ValueError("Sequence: stages is empty; it must have at least one")
        object.__setattr__(self, "stages", tuple(map(_checked, range(len(self.stages)), self.stages)))
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

    def check_within(self, totals: abc.Mapping[str, float]) -> None:
        axis = self.axis
        for place, stage in enumerate(self.stages):
            if stage.at and axis != "steps":
                raise ValueError(
                    f"Sequence: stages[{place}].at is {stage.at}, in steps, and the clock counts {axis}; "
                    "say how long the stage before is with `over`"
                )
        starts = self.starts()
        for place, (one, other) in enumerate(pairwise(starts), start=1):
            if other <= one:
                raise ValueError(f"Sequence: stages[{place}] starts at {other:g}, not after {one:g}")
        super().check_within(totals)
        if self.closed:
            return
        if axis != "steps":
            raise ValueError(
                "Sequence: a stage of a torch class, or one that is given a metric, counts steps, and the spans "
                f"are {axis}"
            )
        for place, (start, stage) in enumerate(zip(starts, self.stages, strict=True)):
            if not start.is_integer():
                raise ValueError(
                    f"Sequence: stages[{place}] starts at {start:g}; beside a torch class or a metric it must be a "
                    "whole step"
                )
            stage.schedule.check_within(totals)

    @property
    def moves(self) -> tuple[str, ...]:
        return all_tracks(stage.schedule for stage in self.stages)

    @property
    def closed(self) -> bool:
        return all(is_closed(stage.schedule) for stage in self.stages)

    def starts(self) -> list[float]:
        """Return when each stage starts, in the clock's unit."""
        found = [0.0]
        for earlier, stage in pairwise(self.stages):
            if earlier.over is not None:
                found.append(found[-1] + length(earlier.over))
            else:
                assert stage.at is not None
                found.append(float(stage.at))
        return found

    def compile(self, scope: Scope) -> Curve:
        starts, before = self.starts(), scope.before
        curves: list[Curve] = []
        for place in range(len(self.stages)):
            curves.append(self._stage_curve(place, starts, scope._replace(before=before)))
            if place + 1 < len(starts):
                before = curves[-1](starts[place + 1])
        if len(curves) == 1:
            return curves[0]
        ends, find = starts[1:], bisect_right if self.boundary == "later" else bisect_left
        return lambda time: curves[find(ends, time)](time)

    def _stage_curve(self, place: int, starts: list[float], scope: Scope) -> Curve:
        """Return a stage's curve over the sequence's time, `scope.before` being what has been reached."""
        stage, began = self.stages[place], starts[place]
        if stage.clock == "outer" or not began:
            if place + 1 < len(starts) and stage.clock == "local":
                scope = scope._replace(length=starts[place + 1])
            return compiled(stage.schedule, scope)
        end = starts[place + 1] if place + 1 < len(starts) else scope.length
        rest = None if end is None else end - began
        curve = compiled(stage.schedule, scope._replace(began=scope.began + began, length=rest))
        return lambda time: curve(time - began)

    # Memory where a stage is of a torch class: the step, the stage in force, the row that the stage before has
    # reached (none: the run's base), the stage's own memory (none in closed form).

    def start(self, base: Row, now: Row, inputs: Inputs = NO_INPUTS) -> tuple[Memory, Row]:
        if self.closed:
            return super().start(base, now, inputs)
        if is_closed(self.stages[0].schedule):
            return [0, 0, None, None], self._closed_row(0, 0, base, base, now)
        memory, row = self.stages[0].schedule.start(base, now, inputs)
        return [0, 0, None, memory], row

    def advance(self, memory: Any, base: Row, now: Row, inputs: Inputs) -> tuple[Memory, Row]:
        if self.closed:
            return super().advance(memory, base, now, inputs)
        step, index, carried, inner = memory
        step += 1
        reached = base if carried is None else with_added(carried, now)
        stage = self.stages[index].schedule
        if is_closed(stage):
            row = self._closed_row(index, step, base, reached, now)
        elif isinstance(stage, MetricDriven) and stage.keeps_base:
            inner, row = stage.advance(inner, base, now, inputs)
        else:
            inner, row = stage.advance(inner, self._base_of_stage(carried, reached), now, inputs)
        if index + 1 < len(self.stages) and self._start(index + 1) == step:
            index, reached = index + 1, row
            carried = _to_json(row)
            stage = self.stages[index].schedule
            if isinstance(stage, MetricDriven):
                inner, later = stage.go_on(base if stage.keeps_base else row, row, inputs)
                row = later if self.boundary == "later" else row
            elif not is_closed(stage):
                inner, row = stage.start(self._base_of_stage(carried, reached), row, inputs)
            else:
                inner = None
                if self.boundary == "later":
                    row = self._closed_row(index, step, base, reached, row)
        return [step, index, carried, inner], row

    def _closed_row(self, index: int, step: int, base: Row, reached: Row, now: Row) -> Row:
        """Return the row of a stage in closed form at a step of the sequence."""
        key = index, base["lr"], reached["lr"]
        kept = self.__dict__.get("_kept")
        if kept is None or kept[0] != key:
            starts, total = self.starts(), totals_of(base).get("steps")
            curves = [
                self._stage_curve(index, starts, Scope(float(b), float(r), total))
                for b, r in zip(base["lr"], reached["lr"], strict=True)
            ]
            kept = self.__dict__["_kept"] = key, curves
        values = [
            finite(type(like)(curve(float(step))), step)
            for like, curve in zip(now["lr"], kept[1], strict=True)
        ]
        return {**now, "lr": tuple(values)}

    def _base_of_stage(self, carried: Any, reached: Row) -> Row:
        """Return the base row of a stage with a torch class: one object for the length of the stage."""
        kept = self.__dict__.get("_kept")
        if kept is None or kept[0] != carried or kept[1] != reached:
            kept = self.__dict__["_kept"] = carried, reached
        return cast(Row, kept[1])

    def _start(self, index: int) -> int:
        found = self.__dict__.get("_starts")
        if found is None:
            found = self.__dict__["_starts"] = [int(start) for start in self.starts()]
        return cast(int, found[index])


def _checked(place: int, stage: Stage) -> Stage:
    """Return a stage, checked."""
    if not isinstance(stage.schedule, Schedule):
        raise TypeError(f"Sequence: stages[{place}].schedule is {stage.schedule!r}; use a schedule")
    where = f"stages[{place}]"
    checks.one_of("Sequence", f"{where}.clock", stage.clock, ("local", "outer"))
    if stage.clock == "outer" and not is_closed(stage.schedule):
        raise ValueError(
            f"Sequence: {where}.clock is 'outer'; {stage.schedule.kind} has a torch class in it, "
            "which counts its own steps"
        )
    if stage.over is None:
        return stage
    return replace(stage, over=span("Sequence", f"{where}.over", stage.over, above=0))


def _to_json(row: Row) -> dict[str, list[float]]:
    return {track: [float(value) for value in values] for track, values in row.items()}
