"""`lrkeeper run fork`."""

from __future__ import annotations

import click

from lrkeeper.cli.forms import definition_text
from lrkeeper.cli.options import (
    a_step,
    branch_option,
    connect,
    json_option,
    run_argument,
    server_option,
    utf8,
)
from lrkeeper.cli.run.branches import forked_text
from lrkeeper.cli.run.words import run_form
from lrkeeper.cli.screen import put_json, say


@click.command()
@run_argument
@click.argument("new_name", metavar="NEW", callback=utf8)
@click.option(
    "--at-step",
    type=int,
    callback=a_step,
    required=True,
    metavar="N",
    help="The step at which the new run begins.",
)
@branch_option
@click.option("--keep-edits", is_flag=True, help="Edits that act after the step act on the new run too.")
@click.option("--reason", required=True, callback=utf8, help="Why, for the record.")
@server_option
@json_option
def fork(
    name: str,
    new_name: str,
    at_step: int,
    branch: int | None,
    keep_edits: bool,
    reason: str,
    server: str | None,
    as_json: bool,
) -> None:
    """Begin another run where this one was at a step.

    This one is left as it is. A job goes on with the new one by its name (LRKEEPER_RUN, run=): without a checkpoint
    it begins at step N; a checkpoint of RUN must lie at exactly that step.
    """
    with connect(server) as client:
        run = client.fork_run(name, new_name, at_step, reason=reason, branch=branch, keep_edits=keep_edits)
    if as_json:
        put_json(run_form(run))
        return
    say(f"made run {run.name}, forked from {forked_text(run)}")
    say(f"schedule: {definition_text(run.schedule)}")
    for edit in run.edits:
        if edit.effective_step > at_step:
            say(
                f"revision {edit.revision} acts from step {edit.effective_step}: {definition_text(edit.schedule)}"
            )
