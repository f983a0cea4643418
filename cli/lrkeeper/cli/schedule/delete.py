"""`lrkeeper schedule delete`."""

from __future__ import annotations

import click

from lrkeeper.cli.options import connect, json_option, server_option, utf8
from lrkeeper.cli.screen import put_json, say


@click.command()
@click.argument("name", callback=utf8)
@server_option
@json_option
def delete(name: str, server: str | None, as_json: bool) -> None:
    """Delete a stored schedule that no unfinished run follows."""
    with connect(server) as client:
        client.delete_schedule(name)
    if as_json:
        put_json({"change": "deleted", "name": name})
    else:
        say(f"deleted schedule {name}")
