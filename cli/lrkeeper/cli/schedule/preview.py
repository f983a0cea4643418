"""`lrkeeper schedule preview`."""

from __future__ import annotations

import math
from pathlib import PurePath
from typing import TYPE_CHECKING

import click

from lrkeeper.cli import schedule_files
from lrkeeper.cli.forms import definition, form, rows
from lrkeeper.cli.options import connect, json_option, server_option, utf8
from lrkeeper.cli.picture import picture_options, save
from lrkeeper.cli.sampling import ALL, MOST, sample
from lrkeeper.cli.schedule.showing import Shown, read_schedule, tell
from lrkeeper.cli.screen import put_json
from lrkeeper.cli.spans import spans_of
from lrkeeper.cli.stages import corners, stage_forms, within

if TYPE_CHECKING:
    from lrkeeper.schedules import Schedule
    from lrkeeper.views import Preview

_PIECE = 10_000
_FARTHEST = 10_000_000


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
    "--first-step", type=click.IntRange(0, _FARTHEST), default=0, show_default=True, help="The first one."
)
@click.option(
    "--lr",
    "base_lrs",
    type=float,
    multiple=True,
    metavar="LR",
    help="The lr a param group starts from; once for each group.  [default: one group, 0.1]",
)
@click.option("-v", "--verbose", is_flag=True, help="Print the canonical form, too.")
@picture_options
@server_option
@json_option
def preview(
    schedule: str,
    steps: int,
    first_step: int,
    base_lrs: tuple[float, ...],
    verbose: bool,
    png: str | None,
    svg: str | None,
    server: str | None,
    as_json: bool,
) -> None:
    """Show which values a schedule would give.

    An argument with a slash or the ending .yaml, .yml or .json is a file ("-": standard input), which is
    evaluated here, without a server; any other one is the name of a stored schedule.
    """
    if any(math.isnan(lr) for lr in base_lrs):
        raise click.BadParameter("an lr is nan; it must be a number", param_hint="--lr")
    from lrkeeper.schedules.outline import stages_of

    if steps > ALL:
        read = read_schedule(schedule, server)
        stages = within(stages_of(read), first_step, first_step + steps)
        spans = sample(read, {"lr": base_lrs or (0.1,)}, first_step, steps, corners(stages))
        shown = Shown(read, spans, stages, sampled=True)
    else:
        if schedule_files.is_file(schedule):
            found = evaluated(schedule_files.read(schedule).schedule, base_lrs or (0.1,), first_step, steps)
        else:
            with connect(server) as client:
                found = client.preview_schedule(schedule, steps, first_step=first_step, base_lrs=base_lrs)
        stages = within(stages_of(found.schedule), first_step, found.table.end_step)
        shown = Shown(found.schedule, list(spans_of(found.table)), stages, found.failure)
    save({"png": png, "svg": svg}, PurePath(schedule).name, {schedule: shown.spans}, stages)
    if not as_json:
        tell(shown, verbose=verbose)
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


def evaluated(schedule: Schedule, base_lrs: tuple[float, ...], first_step: int, steps: int) -> Preview:
    """Evaluate a definition in this process. Raises ScheduleFails if it ends before the first step."""
    from lrkeeper.errors import ScheduleFails
    from lrkeeper.schedules.cursor import FAILURES, begin, extend
    from lrkeeper.schedules.table import Table
    from lrkeeper.views import Preview

    base = {"lr": base_lrs}
    try:
        cursor = begin(schedule, base, base)
    except tuple(FAILURES.values()) as error:
        raise ScheduleFails(f"the schedule cannot start: {error}") from None
    while cursor.step < first_step:
        cursor, _, failure = extend(schedule, base, cursor, min(_PIECE, first_step - cursor.step))
        if failure is not None:
            raise ScheduleFails(
                f"the schedule cannot get beyond step {failure.step - 1}: {failure.message}",
                step=failure.step,
            )
    _, found, failure = extend(schedule, base, cursor, steps - 1)
    return Preview(schedule, Table.from_rows(first_step, [cursor.row, *found]), failure)
