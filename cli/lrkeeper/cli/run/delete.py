"""`lrkeeper run delete`."""

from __future__ import annotations

import click

from lrkeeper.cli.options import connect, run_argument, server_option
from lrkeeper.cli.screen import say


@click.command()
@run_argument
@click.option("--force", is_flag=True, help="Also a run that was heard of lately.")
@server_option
def delete(name: str, force: bool, server: str | None) -> None:
    """Delete a run; its name becomes free."""
    with connect(server) as client:
        client.delete_run(name, force=force)
    say(f"deleted run {name}")
