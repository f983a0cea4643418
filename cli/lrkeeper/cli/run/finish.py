"""`lrkeeper run finish`."""

from __future__ import annotations

import click

from lrkeeper.cli.options import connect, run_argument, server_option
from lrkeeper.cli.screen import say


@click.command()
@run_argument
@server_option
def finish(name: str, server: str | None) -> None:
    """Mark a run finished: it takes no more steps or edits."""
    with connect(server) as client:
        run = client.finish_run(name)
    say(f"run {run.name} is finished, at step {run.frontier - 1}")
