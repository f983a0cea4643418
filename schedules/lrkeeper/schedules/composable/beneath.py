"""The schedule beneath another that changes its rows: it goes its own way, as if it were alone.

What is kept of it is, where it is in closed form, what the stage before has reached (none: the base values), and else
its memory and its row.
"""

from __future__ import annotations

from typing import Any

from lrkeeper.schedules.composable.closed_form import ClosedForm, Scope
from lrkeeper.schedules.composable.metric_driven import numbers_beside, numbers_or_base
from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Row, cast_row, totals_of
from lrkeeper.schedules.schedule import Schedule


def begun(schedule: Schedule, base: Row, reached: Row, inputs: Inputs) -> tuple[Any, Row]:
    """Return what is kept of a schedule and its row at step 0, after a stage that has reached a row."""
    if schedule.closed:
        kept = numbers_beside(reached, base)
        return kept, _closed_row(schedule, kept, 0, base, reached, inputs)
    memory, row = schedule.start(base, reached, inputs)
    return [memory, _to_json(row)], row


def advanced(
    schedule: Schedule, kept: Any, step: int, base: Row, now: Row, inputs: Inputs
) -> tuple[Any, Row]:
    """Return what is kept of a schedule and its own row at a step, from what was kept at the step before."""
    if schedule.closed:
        return kept, _closed_row(schedule, kept, step, base, now, inputs)
    memory, row = schedule.advance(kept[0], base, cast_row(kept[1], now), inputs)
    return [memory, _to_json(row)], row


def _closed_row(schedule: Schedule, kept: Any, step: int, base: Row, now: Row, inputs: Inputs) -> Row:
    assert isinstance(schedule, ClosedForm)
    if kept is None:
        return schedule.advance(step - 1, base, now, inputs)[1]
    time, axis = schedule.time(step, inputs), schedule.axis
    total = totals_of(base).get(axis)
    values = [
        type(like)(schedule.compile(Scope(float(one), reached, total, axis=axis))(time))
        for one, reached, like in zip(base["lr"], numbers_or_base(kept, base), now["lr"], strict=True)
    ]
    return {**now, "lr": tuple(values)}


def _to_json(row: Row) -> dict[str, list[float]]:
    return {track: [float(value) for value in values] for track, values in row.items()}
