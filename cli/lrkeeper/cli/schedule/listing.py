"""`lrkeeper schedule list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lrkeeper.cli.forms import definition_text, form
from lrkeeper.cli.options import connect, json_option, server_option
from lrkeeper.cli.screen import put_json, say, table, time

if TYPE_CHECKING:
    from lrkeeper.views import StoredSchedule


@click.command("list")
@server_option
@json_option
def list_schedules(server: str | None, as_json: bool) -> None:
    """List the stored schedules by name, and the presets that come with the server."""
    with connect(server) as client:
        found = list(client.list_schedules())
        presets = client.list_presets()
    if as_json:
        put_json(form([*found, *presets]))
        return
    if found:
        _put(found)
    else:
        say("no schedule is stored")
    say("")
    table(("comes with the server", "what it does"), ((s.name, s.reason) for s in presets))


def _put(found: list[StoredSchedule]) -> None:
    rows = [
        (s.name, str(s.revision), str(s.followers), time(s.time), s.author, definition_text(s.schedule))
        for s in found
    ]
    table(("name", "revision", "followers", "made", "by", "schedule"), rows)
