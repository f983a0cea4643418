"""`lrkeeper run list`."""

from __future__ import annotations

from typing import Literal

import click

from lrkeeper.cli.forms import definition_text
from lrkeeper.cli.options import connect, json_option, server_option, utf8
from lrkeeper.cli.run.rows import latest
from lrkeeper.cli.run.words import labels_text, run_form
from lrkeeper.cli.screen import ago, put_json, say, table
from lrkeeper.cli.spans import shown


def _labels(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """Return the labels of KEY=VALUE texts."""
    labels: dict[str, str] = {}
    for text in texts:
        key, separator, value = utf8(ctx, param, text).partition("=")
        if not key or not separator:
            raise click.BadParameter(f"{text!r} is not KEY=VALUE", ctx=ctx, param=param)
        if labels.setdefault(key, value) != value:
            raise click.BadParameter(f"{key!r} has two values; no run has both", ctx=ctx, param=param)
    return labels


@click.command("list")
@click.option(
    "--label",
    "labels",
    callback=_labels,
    multiple=True,
    metavar="KEY=VALUE",
    help="Only runs with this label.",
)
@click.option("--state", type=click.Choice(("active", "finished")), help="Only runs in this state.")
@server_option
@json_option
def list_runs(
    labels: dict[str, str],
    state: Literal["active", "finished"] | None,
    server: str | None,
    as_json: bool,
) -> None:
    """List runs, the newest first. Several --label: those that have them all."""
    with connect(server) as client:
        found = list(client.list_runs(labels=labels, state=state))
        now = client.get_server().time
    if as_json:
        put_json([run_form(run, with_edits=False) for run in found])
        return
    if not found:
        say("there is no such run" if labels or state else "there is no run")
        return
    rows = [
        (
            run.name,
            run.state,
            f"{run.latest.first_step} {run.unit}" if run.unit != "step" else str(run.latest.first_step),
            shown(latest(run).values["lr"], most=3),
            str(run.revision),
            f"{run.schedule_name} revision {run.schedule_revision}"
            if run.schedule_name
            else definition_text(run.schedule),
            ago((now - run.heard).total_seconds()),
            labels_text(run.labels),
        )
        for run in found
    ]
    columns = ("run", "state", "step", "lr", "revision", "schedule", "heard of", "labels")
    table(columns, rows, {"active": "green", "finished": "dim"})
