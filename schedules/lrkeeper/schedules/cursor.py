"""Evaluation: from a cursor, the rows that follow."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from lrkeeper.schedules.given import NO_INPUTS, NOTHING, Given, Inputs, NotTold, progress_problem
from lrkeeper.schedules.numbers import Row, cast_row, kinds, of_kinds
from lrkeeper.schedules.schedule import Memory, Schedule

EVALUATOR_VERSION = "1"
"""Changes when an evaluator's bits or memory do."""

_to_text = json.JSONEncoder(separators=(",", ":")).encode


class Cursor(NamedTuple):
    """Where an evaluation stands: the last step evaluated, the schedule's memory and its row there.

    `progress` has the totals that the job told last, up to and with this step.
    """

    step: int
    memory: Memory
    row: Row
    progress: Mapping[str, float] = MappingProxyType({})

    def to_json(self, base: Row) -> str:
        """Return the cursor as text; `from_json` gives the same bits back for the same base values.

        Where a tensor among the schedule's arguments has made the row of other kinds of number than the base
        is, the text has the kinds too.
        """
        more: list[Any] = []
        if other := kinds(self.row, base):
            more.append(other)
        if self.progress:
            more.append({"progress": dict(self.progress)})
        return _to_text((*self[:3], *more))

    @classmethod
    def from_json(cls, text: str, base: Row) -> Cursor:
        """Read what `to_json` wrote, for param groups with these base values.

        Raises ValueError if the text is no cursor of such groups.
        """
        try:
            step, memory, row, *more = json.loads(text)
            cast = cast_row(row, base)
            progress: dict[str, float] = {}
            for found in more:
                if isinstance(found.get("progress"), dict):
                    progress = found["progress"]
                else:
                    cast = of_kinds(cast, found)
            if any(progress_problem(axis, total) for axis, total in progress.items()):
                raise ValueError(progress)
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise ValueError("not a cursor of these param groups") from error
        if not isinstance(step, int) or row.keys() != base.keys():
            raise ValueError("not a cursor of these param groups")
        return cls(step, memory, cast, progress)


@dataclass(frozen=True)
class Failure:
    """Where a schedule cannot go on: the step it cannot reach, and torch's exception there."""

    step: int
    type: str
    message: str


FAILURES: dict[str, type[Exception]] = {
    error.__name__: error
    for error in (
        ZeroDivisionError,
        OverflowError,
        NotImplementedError,
        TypeError,
        ValueError,
        IndexError,
        RuntimeError,
        NotTold,
    )
}
"""The exceptions an evaluation may end with, by name."""


def begin(schedule: Schedule, base: Row, now: Row, inputs: Inputs = NO_INPUTS) -> Cursor:
    """Return the cursor at step 0; raises what torch's constructor would."""
    memory, row = schedule.start(base, now, inputs)
    return Cursor(0, memory, row)


def extend(
    schedule: Schedule, base: Row, cursor: Cursor, count: int, given: Given = NOTHING
) -> tuple[Cursor, list[Row], Failure | None]:
    """Return the cursor `count` steps on and the rows of those steps; fewer, and why, on a failure.

    What is given is given to each of them.
    """
    _, memory, row, progress = cursor
    if count > 1 and not given:
        with suppress(*FAILURES.values()):  # one by one they tell which
            found = schedule.ahead(cursor.step, count, base, row)
            if found is not None:
                return Cursor(cursor.step + count, found[0], found[1][-1], progress), found[1], None
    rows: list[Row] = []
    failure = None
    for step in range(cursor.step + 1, cursor.step + count + 1):
        try:
            if given.seen is not None:
                row = cast_row(given.seen, row)
            inputs = Inputs(given) if given else NO_INPUTS
            if given.epoch is None:
                memory, row = schedule.advance(memory, base, row, inputs)
            else:
                memory, row = schedule.to_epoch(memory, base, row, given.epoch, inputs)
        except tuple(FAILURES.values()) as error:
            failure = Failure(step, type(error).__name__, f"{type(schedule).__name__}: {error}")
            break
        rows.append(row)
        if given.progress:
            progress = {**progress, **given.progress}
    return Cursor(cursor.step + len(rows), memory, row, progress), rows, failure
