"""`lrkeeper schedule delete`."""

from __future__ import annotations

import click

from lrkeeper.cli.options import connect, server_option, utf8
from lrkeeper.cli.screen import say


@click.command()
@click.argument("name", callback=utf8)
@server_option
def delete(name: str, server: str | None) -> None:
    """Delete a stored schedule that no unfinished run follows."""
    with connect(server) as client:
        client.delete_schedule(name)
    say(f"deleted schedule {name}")
