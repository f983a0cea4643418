"""Long evaluations, off the commit path: in pieces, so that other requests go on in between.

A schedule in closed form is asked for the step itself, and needs no pieces.
"""

from __future__ import annotations

import asyncio

from lrkeeper.errors import ScheduleFails
from lrkeeper.schedules import Schedule
from lrkeeper.schedules.composable.closed_form import counted
from lrkeeper.schedules.cursor import FAILURES, Cursor, Failure, begin, extend
from lrkeeper.schedules.numbers import Row
from lrkeeper.schedules.pace import NO_PACE, Pace, near, paced
from lrkeeper.server.runs.head import Head, advanced

_PIECE = 2000


async def seek(schedule: Schedule, base: Row, now: Row, step: int, pace: Pace = NO_PACE) -> Cursor:
    """Return a schedule's evaluation at a step, from the start. Raises ScheduleFails.

    Where the values hang on what the job reports (tokens), the row is one that the steps after it do not need,
    unless a pace says what the job would report.
    """
    if pace == NO_PACE and step > 0 and (found := _at(schedule, base, now, step)) is not None:
        return found
    try:
        cursor = begin(schedule, base, now)
        if pace != NO_PACE:
            cursor = near(schedule, base, cursor, step)
    except tuple(FAILURES.values()) as error:
        raise ScheduleFails(f"{schedule} cannot start: {error}") from error
    while cursor.step < step:
        piece = min(step, cursor.step + _PIECE)
        if pace != NO_PACE:
            cursor = _checked(schedule, *paced(schedule, base, cursor, piece - cursor.step, pace))
        else:
            cursor = onwards(schedule, base, cursor, step if schedule.closed else piece)
        await asyncio.sleep(0)
    return cursor


def onwards(schedule: Schedule, base: Row, cursor: Cursor, step: int) -> Cursor:
    """Return the evaluation at a later step. Raises ScheduleFails."""
    if step > cursor.step and (found := _at(schedule, base, cursor.row, step)) is not None:
        return found
    return _checked(schedule, *extend(schedule, base, cursor, step - cursor.step))


def _checked(schedule: Schedule, cursor: Cursor, _: list[Row], failure: Failure | None) -> Cursor:
    if failure is not None:
        raise cannot_reach(schedule, failure)
    return cursor


def cannot_reach(schedule: Schedule, failure: Failure) -> ScheduleFails:
    """Return the error of a schedule that ends too early."""
    if failure.type == "NotTold":
        return ScheduleFails(
            f"{schedule} cannot be given to a run that is under way: a part of it goes step by step from the start, "
            f"and another counts what the job has reported since; use kinds in closed form for both "
            f"({failure.message})",
            step=failure.step,
        )
    return ScheduleFails(
        f"{schedule} cannot get beyond step {failure.step - 1}: {failure.message}", step=failure.step
    )


async def rows(
    schedule: Schedule, base: Row, cursor: Cursor, count: int, pace: Pace = NO_PACE
) -> tuple[Cursor, list[Row], Failure | None]:
    """Return up to `count` rows after a cursor, and what ends them early."""
    found: list[Row] = []
    failure = None
    while len(found) < count and failure is None:
        cursor, piece, failure = paced(schedule, base, cursor, min(_PIECE, count - len(found)), pace)
        found += piece
        await asyncio.sleep(0)
    return cursor, found, failure


async def plan(head: Head, frontier: int) -> tuple[Head, Failure | None]:
    """Return the head as it will be when the run gets to `frontier`, if nothing changes."""
    failure = None
    while (head := _ahead(head, frontier)).frontier < frontier and failure is None:
        head, _, failure = advanced(head, min(frontier, head.frontier + _PIECE), head.heard_at)
        await asyncio.sleep(0)
    return head, failure


def _at(schedule: Schedule, base: Row, now: Row, step: int) -> Cursor | None:
    """Return the evaluation at a step, of a schedule in closed form. Raises ScheduleFails."""
    try:
        found = schedule.at(step, base, now)
    except tuple(FAILURES.values()) as error:
        raise ScheduleFails(f"{schedule} has no value at step {step}: {error}", step=step) from error
    return None if found is None else Cursor(step, *found)


def _ahead(head: Head, frontier: int) -> Head:
    """Return the head one step short of `frontier` or the next edit; as it is if no closed form rules there."""
    end = min(frontier, head.pending[0].effective_step if head.pending else frontier) - 1
    if end <= head.frontier or any(counted(head.schedule)):
        return head
    try:
        cursor = _at(head.schedule, head.branch.base, head.cursor.row, end - 1)
    except ScheduleFails:
        return head  # going on finds where it fails first
    if cursor is None or cursor.row is head.cursor.row:  # what it would be there is not known
        return head
    return head._replace(frontier=end, cursor=cursor, cursor_text=cursor.to_json(head.branch.base))
