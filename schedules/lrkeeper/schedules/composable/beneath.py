"""The schedule beneath another that changes its rows: it goes its own way, as if it were alone.

What is kept of it is, where it is in closed form, what the stage before has reached (none: the base values), and else
its memory and its row.
"""

from __future__ import annotations

from typing import Any, cast

from lrkeeper.schedules.composable.closed_form import ClosedForm, Curve, Scope, finite
from lrkeeper.schedules.composable.metric_driven import numbers_beside, numbers_or_base
from lrkeeper.schedules.composable.work import Work
from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Row, totals_of, with_added
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
    memory, row = schedule.advance(kept[0], base, with_added(kept[1], now), inputs)
    return [memory, _to_json(row)], row


def _closed_row(schedule: Schedule, kept: Any, step: int, base: Row, now: Row, inputs: Inputs) -> Row:
    assert isinstance(schedule, ClosedForm)
    if kept is None:
        return schedule.advance(step - 1, base, now, inputs)[1]
    curves, work = _curves(schedule, kept, base)
    time = schedule.time(step, inputs)
    values = []
    for curve, like in zip(curves, now["lr"], strict=True):
        work.spent = 0
        values.append(type(like)(finite(curve(time), step)))
    return {**now, "lr": tuple(values)}


def _curves(schedule: ClosedForm, kept: Any, base: Row) -> tuple[list[Curve], Work]:
    """Return a curve for each param group and what they spend from; kept for what they were last asked with."""
    before = schedule.__dict__.get("_beneath")
    if before is not None and before[0] is base and before[1] == kept:
        return cast(tuple[list[Curve], Work], before[2])
    axis, work = schedule.axis, Work()
    total = totals_of(base).get(axis)
    curves = [
        schedule.compile(Scope(float(one), reached, total, axis=axis, work=work))
        for one, reached in zip(base["lr"], numbers_or_base(kept, base), strict=True)
    ]
    schedule.__dict__["_beneath"] = base, kept, (curves, work)
    return curves, work


def _to_json(row: Row) -> dict[str, list[float]]:
    return {track: [float(value) for value in values] for track, values in row.items()}
