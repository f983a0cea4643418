"""`lrkeeper run rollback`."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import click

from lrkeeper.cli import schedule_files
from lrkeeper.cli.forms import definition_text, failure_text, form, rows
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
from lrkeeper.cli.run.words import holder_text
from lrkeeper.cli.screen import put_json, say, table
from lrkeeper.cli.spans import collapse, shown, spans_of

if TYPE_CHECKING:
    from lrkeeper.schedules import Schedule
    from lrkeeper.views import RolledBack, Run


@click.command()
@run_argument
@click.option(
    "--to-step", type=int, callback=a_step, required=True, metavar="N", help="The last step that stays."
)
@click.option("--reason", required=True, callback=utf8, help="Why, for the record.")
@click.option(
    "--keep-edits", is_flag=True, help="Edits that act after the step go on to act; else they are dropped."
)
@click.option(
    "--schedule",
    callback=utf8,
    metavar="NAME-or-FILE",
    help="What rules from step N+1 on, as with set-schedule.",
)
@click.option(
    "--expected-revision",
    type=int,
    callback=a_revision,
    metavar="N",
    help="Refuse if the run is not at this revision.  [default: the one just read]",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")
@set_option
@server_option
@json_option
def rollback(
    name: str,
    to_step: int,
    reason: str,
    keep_edits: bool,
    schedule: str | None,
    expected_revision: int | None,
    yes: bool,
    dry_run: bool,
    parameters: dict[str, float],
    server: str | None,
    as_json: bool,
) -> None:
    """Take a run back to a step.

    It goes on from there on a new branch; the branch that it leaves stays readable. The start that holds the run is
    fenced: its job ends with RunFenced at the next step that it has to ask for. Start it again from a checkpoint at
    step N or before.
    """
    chosen: Schedule | str | None = schedule
    if schedule is not None and schedule_files.is_file(schedule):
        chosen = schedule_files.read(schedule).schedule
    request_id = str(uuid4())
    with connect(server) as client:
        run = client.get_run(name)

        def ask(*, validate_only: bool) -> RolledBack:
            return client.rollback_run(
                name,
                to_step,
                expected_revision=run.revision if expected_revision is None else expected_revision,
                reason=reason,
                keep_edits=keep_edits,
                schedule=chosen,
                request_id=request_id,
                validate_only=validate_only,
                parameters=parameters,
            )

        back = ask(validate_only=True)
        if not as_json:
            _tell(run, to_step, back)
        if not dry_run:
            if not yes:
                click.confirm(f"Take run {name} back to step {to_step}?", abort=True, err=True)
            back = ask(validate_only=False)
    if as_json:
        put_json(
            {
                "run": name,
                "dry_run": dry_run,
                "to_step": to_step,
                "left": {"branch": run.branch, "steps": max(0, run.frontier - 1 - to_step)},
                "branch": back.branch,
                "fence": back.fence,
                "frontier": back.frontier,
                "revision": back.revision,
                "dropped": form(back.dropped),
                "preview": rows(back.preview),
                "failure": form(back.failure),
            }
        )
    elif dry_run:
        say(f"nothing was changed; run {name} is on branch {run.branch}, at revision {run.revision}")
    else:
        say(f"run {name} is on branch {back.branch} (revision {back.revision}, fence {back.fence})")


def _tell(run: Run, to_step: int, back: RolledBack) -> None:
    left = run.frontier - 1 - to_step
    if left > 0:
        steps = f"step {to_step + 1}" if left == 1 else f"steps {to_step + 1} to {run.frontier - 1}"
        say(f"leaves {steps} behind; run history {run.name} --branch {run.branch} shows them")
    for edit in back.dropped:
        say(
            f"drops revision {edit.revision} (from step {edit.effective_step}, {edit.author}: "
            f"{edit.reason or 'no reason given'}): "
            f"{definition_text(edit.schedule, edit.schedule_name, edit.schedule_revision)}"
        )
    if run.holder is not None:
        say(f"fences the start that holds the run: {holder_text(run.fence, run.holder)}")
    spans = collapse(spans_of(back.preview))
    table(
        ("steps", *back.preview.tracks),
        ((span.steps, *(shown(span.values[track]) for track in back.preview.tracks)) for span in spans),
    )
    if back.failure is not None:
        say(failure_text(back.failure))
