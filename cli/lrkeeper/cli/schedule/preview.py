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
from lrkeeper.cli.schedule.evaluating import check_pace, evaluated, filled_schedule
from lrkeeper.cli.schedule.showing import Shown, read_schedule, tell
from lrkeeper.cli.screen import put_json
from lrkeeper.cli.spans import spans_of
from lrkeeper.cli.stages import corners, stage_forms, within

if TYPE_CHECKING:
    from lrkeeper.schedules import Schedule

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
    help="How many steps; if it is not said the definition's total, or 100. "
    f"Beyond {ALL:,} some of them are shown, if it is in closed form.",
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
    steps: int | None,
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
    read = (
        None  # of a stored one only what the server answers is needed, if the steps are said and not too many
    )
    if steps is None or steps > ALL or schedule_files.is_file(schedule):
        read = filled_schedule(read_schedule(schedule, server), parameters)
    if steps is None:
        assert read is not None
        steps = _total(read)
    if steps > ALL:
        assert read is not None
        stages = within(stages_of(read), first_step, first_step + steps)
        spans = sample(read, base_of(there, read.moves), first_step, steps, corners(stages))
        shown = Shown(read, spans, stages, sampled=True)
    else:
        if schedule_files.is_file(schedule):
            assert read is not None
            check_pace(read, pace)
            found = evaluated(read, there, first_step, steps, pace)
        else:
            with connect(server) as client:
                check_pace(client.get_schedule(schedule).schedule, pace)
                found = client.preview_schedule(
                    schedule, steps, first_step=first_step, groups=there, parameters=parameters, pace=pace
                )
        stages = within(stages_of(found.schedule, pace.per_step()), first_step, found.table.end_step)
        shown = Shown(found.schedule, list(spans_of(found.table)), stages, found.failure)
    save(
        {"png": png, "svg": svg},
        PurePath(schedule).name,
        {schedule: shown.spans},
        stages,
        names=[group.name for group in there],
    )
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


def _total(schedule: Schedule) -> int:
    """Return how many steps a definition says that it is for; 100 if it does not."""
    total = getattr(schedule, "total", None)
    return 100 if total is None or total.steps is None else max(1, math.ceil(total.steps))
