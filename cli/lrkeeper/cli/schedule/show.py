"""`lrkeeper schedule show`."""

from __future__ import annotations

import click

from lrkeeper.cli.forms import definition, form, yaml_text
from lrkeeper.cli.options import a_revision, connect, groups_option, json_option, server_option, utf8
from lrkeeper.cli.screen import facts, put_json, time
from lrkeeper.cli.tracks import put_parameters, put_resolved


@click.command()
@click.argument("name", callback=utf8)
@click.option(
    "--revision", type=int, callback=a_revision, metavar="N", help="An earlier revision than the head."
)
@groups_option
@server_option
@json_option
def show(
    name: str, revision: int | None, groups: tuple[str | None, ...], server: str | None, as_json: bool
) -> None:
    """Show a stored schedule. What it prints last is a schedule file.

    With --groups it shows which of the definition's tracks rules each of these param groups.
    """
    with connect(server) as client:
        stored = client.get_schedule(name, revision)
    if as_json:
        put_json(form(stored))
        return
    facts(
        [
            ("name", stored.name),
            ("revision", str(stored.revision)),
            ("etag", stored.etag or "none: it comes with the server"),
            ("made", "with the server" if stored.preset else f"{time(stored.time)} by {stored.author}"),
            ("reason", stored.reason or "-"),
            ("followers", f"{stored.followers} unfinished runs"),
        ]
    )
    put_parameters(stored.schedule)
    put_resolved(stored.schedule, groups)
    click.echo(f"\n{yaml_text(definition(stored.schedule))}", nl=False)
