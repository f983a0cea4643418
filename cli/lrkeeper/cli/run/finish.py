"""`lrkeeper run finish`."""

from __future__ import annotations

import click

from lrkeeper.cli.options import connect, json_option, run_argument, server_option
from lrkeeper.cli.run.words import run_form
from lrkeeper.cli.screen import put_json, say


@click.command()
@run_argument
@server_option
@json_option
def finish(name: str, server: str | None, as_json: bool) -> None:
    """Mark a run finished: it takes no more steps or edits."""
    with connect(server) as client:
        run = client.finish_run(name)
    if as_json:
        put_json(run_form(run))
    else:
        say(f"run {run.name} is finished, at step {run.frontier - 1}")
