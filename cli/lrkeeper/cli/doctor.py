"""`lrkeeper doctor`."""

from __future__ import annotations

from dataclasses import asdict

import click
from click.core import ParameterSource

from lrkeeper.cli.checks import checks
from lrkeeper.cli.options import json_option, server_option
from lrkeeper.cli.screen import facts, put_json

_STYLES = {"ok": "green", "warning": "yellow", "error": "bold red"}


@click.command()
@server_option
@json_option
@click.pass_context
def doctor(ctx: click.Context, server: str | None, as_json: bool) -> None:
    """Check what a job needs here, and say what to fix. The status is 1 if there is an error."""
    from_option = ctx.get_parameter_source("server") is ParameterSource.COMMANDLINE
    found = list(checks(server, from_option=from_option))
    failed = any(check.level == "error" for check in found)
    if as_json:
        put_json({"ok": not failed, "checks": [asdict(check) for check in found]})
    else:
        rows = [(c.level, c.check, f"{c.found} — {c.advice}" if c.advice else c.found) for c in found]
        facts(rows, _STYLES)
    ctx.exit(1 if failed else 0)
