"""`lrkeeper schedule expand`."""

from __future__ import annotations

import click

from lrkeeper.cli import schedule_files
from lrkeeper.cli.forms import canonical, yaml_text
from lrkeeper.cli.options import json_option, utf8
from lrkeeper.cli.screen import put_json


@click.command()
@click.argument("path", metavar="FILE", callback=utf8)
@json_option
def expand(path: str, as_json: bool) -> None:
    """Print the canonical form of a schedule file: what is stored of it.

    FILE may be "-": standard input. What is printed is a schedule file, too, and its own canonical form.
    """
    text = schedule_files.read_text(path)
    with text.errors():
        found = canonical(text.definition, text.field)
    if as_json:
        put_json(found)
    else:
        click.echo(yaml_text(found), nl=False)
