"""`lrkeeper schedule list`."""

from __future__ import annotations

import click

from lrkeeper.cli.forms import definition_text, form
from lrkeeper.cli.options import connect, json_option, server_option
from lrkeeper.cli.screen import put_json, say, table, time


@click.command("list")
@server_option
@json_option
def list_schedules(server: str | None, as_json: bool) -> None:
    """List the stored schedules by name."""
    with connect(server) as client:
        found = list(client.list_schedules())
    if as_json:
        put_json(form(found))
        return
    if not found:
        say("no schedule is stored")
        return
    rows = [
        (s.name, str(s.revision), str(s.followers), time(s.time), s.author, definition_text(s.schedule))
        for s in found
    ]
    table(("name", "revision", "followers", "made", "by", "schedule"), rows)
