"""`lrkeeper schedule apply`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lrkeeper.cli import schedule_files
from lrkeeper.cli.forms import definition, form, yaml_text
from lrkeeper.cli.options import connect, json_option, server_option, utf8
from lrkeeper.cli.screen import put_json, say, table
from lrkeeper.errors import ScheduleNotFound

if TYPE_CHECKING:
    from lrkeeper.views import Follower, StoredSchedule


@click.command()
@click.argument("name", required=False, callback=utf8)
@click.option("-f", "--file", "path", required=True, metavar="FILE", help="A schedule file; - for stdin.")
@click.option("--reason", default="", callback=utf8, help="Why, for the record.")
@click.option("-v", "--verbose", is_flag=True, help="Print the canonical form, too: what is stored.")
@server_option
@json_option
def apply(name: str | None, path: str, reason: str, verbose: bool, server: str | None, as_json: bool) -> None:
    """Store a file as a schedule's next revision.

    Creates the schedule if there is none of that name. NAME may stand in the file instead. Every
    unfinished run that follows the schedule takes the new revision at its frontier; the status is 1 if
    one of them refuses it. A definition that is the stored one already changes nothing.
    """
    file = schedule_files.read(path)
    if name is None and file.name is None:
        raise click.UsageError("the schedule has no name: give NAME, or write `name:` into the file")
    if name is not None and file.name is not None and name != file.name:
        raise click.UsageError(f"NAME is {name!r}, and the file says name: {file.name!r}")
    name = name or file.name
    assert name is not None
    followers: tuple[Follower, ...] = ()
    with connect(server) as client:
        try:
            stored = client.get_schedule(name)
        except ScheduleNotFound:
            stored, change = client.create_schedule(name, file.schedule, reason=reason), "created"
        else:
            if definition(stored.schedule) == definition(file.schedule):
                change = "unchanged"
            else:
                stored, followers = client.update_schedule(
                    name, file.schedule, etag=stored.etag, reason=reason
                )
                change = "updated"
    if as_json:
        put_json({"change": change, **form(stored), "followers": form(followers)})
    else:
        _tell(change, stored, followers)
        if verbose:
            click.echo(f"\n{yaml_text(definition(stored.schedule))}", nl=False)
    refusing = [f.run for f in followers if f.refusal]
    if refusing:
        raise click.ClickException(
            f"{len(refusing)} of {len(followers)} following runs did not take revision {stored.revision}"
        )


def _tell(change: str, stored: StoredSchedule, followers: tuple[Follower, ...]) -> None:
    if change == "unchanged":
        say(f"schedule {stored.name} is unchanged (revision {stored.revision})")
        return
    say(f"{change} schedule {stored.name} (revision {stored.revision})")
    if followers:
        rows = [(f.run, f"refused: {f.refusal}" if f.refusal else str(f.effective_step)) for f in followers]
        table(("following run", "effective from step"), rows)
    elif change == "updated":
        say("no unfinished run follows it")
