"""`lrkeeper run set-schedule`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from lrkeeper.cli import schedule_files
from lrkeeper.cli.edits import pending
from lrkeeper.cli.forms import failure_text, form, rows
from lrkeeper.cli.options import (
    a_revision,
    a_step,
    connect,
    json_option,
    run_argument,
    server_option,
    set_option,
    utf8,
)
from lrkeeper.cli.screen import put_json, say, table
from lrkeeper.cli.spans import Span, collapse, shown

if TYPE_CHECKING:
    from lrkeeper.schedules import Schedule
    from lrkeeper.views import Edit, Edited, Run


@click.command("set-schedule")
@run_argument
@click.argument("schedule", metavar="NAME-or-FILE", callback=utf8)
@click.option("--reason", required=True, callback=utf8, help="Why, for the record.")
@click.option(
    "--at-step",
    type=int,
    callback=a_step,
    metavar="N",
    help="From which step on.  [default: the run's frontier]",
)
@click.option(
    "--not-after-step", type=int, callback=a_step, metavar="N", help="Refuse rather than act later than this."
)
@click.option(
    "--expected-revision",
    type=int,
    callback=a_revision,
    metavar="N",
    help="Refuse if the run is not at this revision.  [default: the one just read]",
)
@click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")
@set_option
@server_option
@json_option
def set_schedule(
    name: str,
    schedule: str,
    reason: str,
    at_step: int | None,
    not_after_step: int | None,
    expected_revision: int | None,
    dry_run: bool,
    parameters: dict[str, float],
    server: str | None,
    as_json: bool,
) -> None:
    """Give a live run another schedule.

    It acts from a step that the run has not reached. From there on the values are those it would have
    given from the start: same base lr, same step numbers. An argument with a slash or the ending .yaml,
    .yml or .json is a file ("-": standard input); any other one is the name of a stored schedule, which
    the run then follows, or of a preset, such as presets/wsd.
    """
    chosen: Schedule | str = schedule
    if schedule_files.is_file(schedule):
        chosen = schedule_files.read(schedule).schedule
    with connect(server) as client:
        run = client.get_run(name)
        edited = client.edit_run(
            name,
            chosen,
            expected_revision=run.revision if expected_revision is None else expected_revision,
            reason=reason,
            at_step=at_step,
            not_after_step=not_after_step,
            validate_only=dry_run,
            parameters=parameters,
        )
    superseded = [e for e in pending(run) if e.effective_step >= edited.effective_step]
    if as_json:
        put_json(
            {
                "run": name,
                "dry_run": dry_run,
                "revision": edited.revision,
                "effective_step": edited.effective_step,
                "clamped": edited.clamped,
                "superseded": form(superseded),
                "preview": rows(edited.preview),
                "failure": form(edited.failure),
            }
        )
    else:
        _tell(run, edited, at_step, superseded, dry_run=dry_run)


def _tell(run: Run, edited: Edited, at_step: int | None, superseded: list[Edit], *, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    say(f"{would}effective from step {edited.effective_step} (revision {edited.revision})")
    if edited.clamped:
        say(f"later than --at-step {at_step}: the steps below {edited.effective_step} were committed already")
    for edit in superseded:
        say(
            f"{'would supersede' if dry_run else 'supersedes'} the pending revision {edit.revision} "
            f"(from step {edit.effective_step}, {edit.author}: {edit.reason or 'no reason given'})"
        )
    table(("steps", *edited.preview.tracks, ""), _preview(edited))
    if edited.failure is not None:
        say(failure_text(edited.failure))
    if dry_run:
        say(f"nothing was changed; run {run.name} is at revision {run.revision}")


def _preview(edited: Edited) -> Iterator[tuple[str, ...]]:
    """Yield the rows around the step from which the edit acts."""
    steps = range(edited.preview.first_step, edited.preview.end_step)
    marked = (Span(s, s, edited.preview.row(s), mark=int(s >= edited.effective_step)) for s in steps)
    for span in collapse(marked):
        values = (shown(span.values[track]) for track in edited.preview.tracks)
        yield span.steps, *values, "after" if span.mark else "before"
