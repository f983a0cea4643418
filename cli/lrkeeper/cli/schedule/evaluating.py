"""A definition's values, evaluated in this process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lrkeeper.cli.groups import base_of

if TYPE_CHECKING:
    from lrkeeper.schedules import Schedule
    from lrkeeper.schedules.pace import Pace
    from lrkeeper.views import Group, Preview

_PIECE = 10_000
_FARTHEST = 10_000_000


def filled_schedule(schedule: Schedule, parameters: dict[str, float]) -> Schedule:
    """Return a schedule with numbers in place of its parameters. Raises ClickException."""
    from lrkeeper.schedules.composable.parameters import filled

    try:
        return filled(schedule, parameters)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise click.ClickException(str(error)) from None


def check_pace(schedule: Schedule, pace: Pace) -> None:
    """Raise ClickException if the schedule counts what the pace does not say."""
    if lacking := pace.missing(schedule):
        axis, field = lacking
        raise click.ClickException(
            f"the schedule counts {axis}, which a run's job reports at every step; to draw it, say "
            f"--{field.replace('_', '-')}"
        )


def evaluated(
    schedule: Schedule, groups: tuple[Group, ...], first_step: int, steps: int, pace: Pace
) -> Preview:
    """Evaluate a definition in this process. Raises ScheduleFails if it ends before the first step."""
    from lrkeeper.errors import ScheduleFails, StepOutOfRange
    from lrkeeper.schedules.cursor import FAILURES, Cursor, begin
    from lrkeeper.schedules.pace import paced
    from lrkeeper.schedules.table import Table
    from lrkeeper.views import Preview

    base = base_of(groups, schedule.moves)
    before = max(0, first_step - 1)
    if before > _FARTHEST and not schedule.closed:
        raise StepOutOfRange(f"first_step is {first_step}; it must be from 0 to {_FARTHEST}")
    try:
        known = schedule.at(before, base, base) if before else None
        cursor = begin(schedule, base, base) if known is None else Cursor(before, *known)
    except tuple(FAILURES.values()) as error:
        raise ScheduleFails(f"the schedule cannot start: {error}") from None
    failure, first = None, [] if first_step else [cursor.row]
    while cursor.step < before and failure is None:
        cursor, _, failure = paced(schedule, base, cursor, min(_PIECE, before - cursor.step), pace)
    found = list(first)
    if failure is None:
        _, rows_after, failure = paced(schedule, base, cursor, steps - len(first), pace)
        found += rows_after
    if not found:
        assert failure is not None
        raise ScheduleFails(
            f"the schedule cannot get beyond step {failure.step - 1}: {failure.message}", step=failure.step
        )
    return Preview(schedule, Table.from_rows(first_step, found), failure)
