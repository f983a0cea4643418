"""`lrkeeper schedule preview`."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lrkeeper.cli import schedule_files
from lrkeeper.cli.forms import definition, form, rows
from lrkeeper.cli.groups import base_of, groups_of
from lrkeeper.cli.options import (
    connect,
    groups_option,
    json_option,
    numbers,
    server_option,
    set_option,
    utf8,
)
from lrkeeper.cli.picture import picture_options, save
from lrkeeper.cli.sampling import ALL, MOST, sample
from lrkeeper.cli.schedule.showing import Shown, read_schedule, tell
from lrkeeper.cli.screen import put_json
from lrkeeper.cli.spans import spans_of
from lrkeeper.cli.stages import corners, stage_forms, within

if TYPE_CHECKING:
    from lrkeeper.schedules import Schedule
    from lrkeeper.schedules.pace import Pace
    from lrkeeper.views import Group, Preview

_PIECE = 10_000
_FARTHEST = 10_000_000
_FARTHEST_CLOSED = 10**15

Command = TypeVar("Command", bound=Callable[..., Any])


def _rate(name: str, says: str) -> Callable[[Command], Command]:
    return click.option(
        name,
        type=float,
        metavar="X",
        help=f"{says}, for the drawing only: a run goes by what its job reports.",
    )


@click.command()
@click.argument("schedule", metavar="NAME-or-FILE", callback=utf8)
@click.option(
    "--steps",
    type=click.IntRange(1, MOST),
    default=100,
    show_default=True,
    help=f"How many steps. Beyond {ALL:,} some of them are shown, if it is in closed form.",
)
@click.option(
    "--first-step",
    type=click.IntRange(0, _FARTHEST_CLOSED),
    default=0,
    show_default=True,
    help="The first one.",
)
@click.option(
    "--lr",
    "base_lrs",
    type=float,
    multiple=True,
    metavar="LR",
    help="The lr a param group starts from; once for each group.  [default: one group, 0.1]",
)
@groups_option
@click.option(
    "--base",
    "bases",
    multiple=True,
    callback=numbers,
    metavar="TRACK=NUMBER",
    help="What another track than the lr starts from.  [default: 1]",
)
@set_option
@_rate("--steps-per-epoch", "How many steps an epoch has")
@_rate("--samples-per-step", "How many samples a step has")
@_rate("--tokens-per-step", "How many tokens a step has")
@click.option("-v", "--verbose", is_flag=True, help="Print the canonical form, too.")
@picture_options
@server_option
@json_option
def preview(
    schedule: str,
    steps: int,
    first_step: int,
    base_lrs: tuple[float, ...],
    groups: tuple[str | None, ...],
    bases: dict[str, float],
    parameters: dict[str, float],
    verbose: bool,
    png: str | None,
    svg: str | None,
    server: str | None,
    as_json: bool,
    **rates: float | None,
) -> None:
    """Show which values a schedule would give.

    An argument with a slash or the ending .yaml, .yml or .json is a file ("-": standard input), which is
    evaluated here, without a server; any other one is the name of a stored schedule, or of a preset, such as
    presets/wsd.
    """
    if any(math.isnan(lr) for lr in base_lrs):
        raise click.BadParameter("an lr is nan; it must be a number", param_hint="--lr")
    from lrkeeper.schedules.outline import stages_of
    from lrkeeper.schedules.pace import Pace

    try:
        pace = Pace(**rates)
    except ValueError as error:
        raise click.UsageError(f"--{str(error).replace('_', '-')}") from None
    there = groups_of(base_lrs or (0.1,), groups, bases)
    if steps > ALL:
        read = _filled(read_schedule(schedule, server), parameters)
        stages = within(stages_of(read), first_step, first_step + steps)
        spans = sample(read, base_of(there, read.moves), first_step, steps, corners(stages))
        shown = Shown(read, spans, stages, sampled=True)
    else:
        if schedule_files.is_file(schedule):
            written = _filled(schedule_files.read(schedule).schedule, parameters)
            _check(written, pace)
            found = evaluated(written, there, first_step, steps, pace)
        else:
            with connect(server) as client:
                _check(client.get_schedule(schedule).schedule, pace)
                found = client.preview_schedule(
                    schedule, steps, first_step=first_step, groups=there, parameters=parameters, pace=pace
                )
        stages = within(stages_of(found.schedule), first_step, found.table.end_step)
        shown = Shown(found.schedule, list(spans_of(found.table)), stages, found.failure)
    save({"png": png, "svg": svg}, PurePath(schedule).name, {schedule: shown.spans}, stages)
    if not as_json:
        tell(shown, there, verbose=verbose)
        return
    put_json(
        {
            "schedule": definition(shown.schedule),
            "stages": stage_forms(stages, shown.spans),
            "rows": [{"step": s.first, "values": form(s.values)} for s in shown.spans]
            if steps > ALL
            else rows(found.table),
            "failure": form(shown.failure),
        }
    )


def _filled(schedule: Schedule, parameters: dict[str, float]) -> Schedule:
    from lrkeeper.schedules.composable.parameters import filled

    try:
        return filled(schedule, parameters)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise click.ClickException(str(error)) from None


def _check(schedule: Schedule, pace: Pace) -> None:
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
