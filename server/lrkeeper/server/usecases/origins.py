"""Where a run begins: at step 0 of its definition, or where its job stands."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lrkeeper.errors import InvalidArgument, ScheduleFails
from lrkeeper.schedules import Schedule, codec
from lrkeeper.schedules.cursor import FAILURES, Cursor, begin, extend
from lrkeeper.schedules.given import AXES, NOTHING, Given
from lrkeeper.schedules.numbers import Row, cast_row
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs.acquire import Start
from lrkeeper.server.runs.limits import MAX_AHEAD
from lrkeeper.server.runs.records import Edit, Origin, base_row, current_row
from lrkeeper.server.storage.ids import new_uid


@dataclass(frozen=True)
class Carried:
    """What a checkpoint carries of its run, to go on without the run's past."""

    schedule: Schedule
    cursor: str
    cursor_step: int
    values: Table
    given: Given = NOTHING
    """What the step after the cursor's was given; the values are that step's then."""


def fresh_origin(start: Start) -> Origin:
    """Return step 0 of the start's definition. Raises ScheduleFails."""
    schedule = codec.from_json(start.definition)
    base = base_row(start.groups)
    try:
        cursor = begin(schedule, base, current_row(start.groups))
    except tuple(FAILURES.values()) as error:
        raise ScheduleFails(f"{schedule} cannot start: {error}") from error
    return Origin(
        definition=start.definition,
        schedule_uid=start.schedule_uid,
        schedule_revision=start.schedule_revision,
        step=0,
        values=Table.from_rows(0, [cursor.row]),
        cursor=cursor.to_json(base),
        parameters=start.parameters,
    )


# What a step may need from outside, for a trial of a cursor.
ANYTHING = Given(metric=0.0, factors=(1.0,) * 10_000, progress=dict.fromkeys(AXES, 0.0))


def checked_cursor(schedule: Schedule, base: Row, text: str, field: str) -> Cursor:
    """Return the evaluation that a job has carried. Raises InvalidArgument where the schedule cannot go on from it."""
    try:
        cursor = Cursor.from_json(text, base)
        _, _, failure = extend(schedule, base, cursor, 1, ANYTHING)
        if failure is not None and (
            failure.type in ("TypeError", "IndexError")
            or any(word in failure.message for word in ("unpack", "zip()"))
        ):
            raise ValueError(failure.message)
    except Exception as error:  # a cursor is opaque to who carries it: whatever it breaks, it is no cursor
        raise InvalidArgument(
            f"{field} is not one of this schedule and these param groups", field=field
        ) from error
    return cursor


def carried_origin(start: Start, carried: Carried) -> Origin:
    """Return the step at which a job stands. Raises InvalidArgument, ScheduleFails."""
    step = carried.values.first_step
    base = base_row(start.groups)
    cursor = checked_cursor(carried.schedule, base, carried.cursor, "origin.cursor")
    behind = step - cursor.step
    if cursor.step != carried.cursor_step or not 0 <= behind <= MAX_AHEAD:
        raise InvalidArgument(
            f"origin.cursor_step is {carried.cursor_step}; it must be the cursor's step, {cursor.step}, "
            f"and not above the values', {step}",
            field="origin.cursor_step",
        )
    values = carried.values
    if set(values.tracks) != set(base):
        raise InvalidArgument(
            f"origin.values has the tracks {list(values.tracks)}; the groups have {list(base)}",
            field="origin.values",
        )
    if values.groups != len(start.groups):
        raise InvalidArgument(
            f"origin.values has {values.groups} param groups; the request has {len(start.groups)}",
            field="origin.values",
        )
    if any(math.isnan(value) for track in values.row(step).values() for value in track):
        raise InvalidArgument("origin.values must be numbers, not nan", field="origin.values")
    if carried.given and behind != 1:
        raise InvalidArgument(
            f"origin.given is what one step was given, and origin.cursor_step is {cursor.step}; it must be "
            f"{step - 1}",
            field="origin.given",
        )
    cursor, _, failure = extend(carried.schedule, base, cursor, behind, carried.given)
    if failure is not None:
        raise ScheduleFails(f"{carried.schedule} fails at step {failure.step}: {failure.message}")
    cast = cast_row(values.row(step), cursor.row)
    cursor = cursor._replace(step=step, row=cast)
    return Origin(
        definition=start.definition,
        schedule_uid=start.schedule_uid,
        schedule_revision=start.schedule_revision,
        step=step,
        values=Table.from_rows(step, [cast]),
        cursor=cursor.to_json(base),
        parameters=start.parameters,
    )


def carried_edit(run_uid: str, branch: int, revision: int, origin: Origin, definition: str, now: int) -> Edit:
    """Return the edit that a checkpoint's definition was, where the job brings another."""
    return Edit(
        run_uid=run_uid,
        revision=revision,
        branch=branch,
        request_id=new_uid(),
        digest="",
        operation="replace",
        definition=definition,
        schedule_uid=None,
        schedule_revision=None,
        effective_step=origin.step,
        clamped=False,
        cursor=origin.cursor,
        author="lrkeeper",
        reason="carried over from the checkpoint",
        created_at=now,
        parameters=origin.parameters,
    )
