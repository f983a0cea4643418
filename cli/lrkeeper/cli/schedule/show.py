"""`lrkeeper schedule show`."""

from __future__ import annotations

import click

from lrkeeper.cli.forms import definition, form, yaml_text
from lrkeeper.cli.options import a_revision, connect, json_option, server_option, utf8
from lrkeeper.cli.screen import facts, put_json, time


@click.command()
@click.argument("name", callback=utf8)
@click.option(
    "--revision", type=int, callback=a_revision, metavar="N", help="An earlier revision than the head."
)
@server_option
@json_option
def show(name: str, revision: int | None, server: str | None, as_json: bool) -> None:
    """Show a stored schedule. What it prints below the facts is a schedule file."""
    with connect(server) as client:
        stored = client.get_schedule(name, revision)
    if as_json:
        put_json(form(stored))
        return
    facts(
        [
            ("name", stored.name),
            ("revision", str(stored.revision)),
            ("etag", stored.etag),
            ("made", f"{time(stored.time)} by {stored.author}"),
            ("reason", stored.reason or "-"),
            ("followers", f"{stored.followers} unfinished runs"),
        ]
    )
    click.echo(f"\n{yaml_text(definition(stored.schedule))}", nl=False)
