"""`lrkeeper run delete`."""

from __future__ import annotations

import click

from lrkeeper.cli.options import connect, json_option, run_argument, server_option
from lrkeeper.cli.screen import put_json, say


@click.command()
@run_argument
@click.option("--force", is_flag=True, help="Also a run that was heard of lately.")
@server_option
@json_option
def delete(name: str, force: bool, server: str | None, as_json: bool) -> None:
    """Delete a run; its name becomes free."""
    with connect(server) as client:
        client.delete_run(name, force=force)
    if as_json:
        put_json({"change": "deleted", "name": name})
    else:
        say(f"deleted run {name}")
