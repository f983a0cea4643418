"""`lrkeeper run show`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import click

from lrkeeper.cli.curve import draw
from lrkeeper.cli.edits import put_edits, ruling
from lrkeeper.cli.forms import definition_text
from lrkeeper.cli.groups import base_of
from lrkeeper.cli.options import connect, json_option, run_argument, server_option
from lrkeeper.cli.run.branches import forked_text, put_branches
from lrkeeper.cli.run.ranks import put_deviations, put_lost_edits, put_ranks
from lrkeeper.cli.run.rows import latest, sampled
from lrkeeper.cli.run.words import holder_text, labels_text, run_form
from lrkeeper.cli.screen import ago, facts, put_json, say, time
from lrkeeper.cli.spans import shown
from lrkeeper.cli.tracks import put_resolved

if TYPE_CHECKING:
    from lrkeeper.views import Group, Run


@click.command()
@run_argument
@server_option
@json_option
def show(name: str, server: str | None, as_json: bool) -> None:
    """Show a run, its ranks and edits, and its lr so far."""
    with connect(server) as client:
        run = client.get_run(name)
        if as_json:
            put_json(run_form(run))
            return
        now = client.get_server().time
        spans = list(sampled(client, run)) if run.frontier > run.lineage[0].origin_step + 1 else []
    facts(_facts(run, now), {"active": "green"})
    if run.schedule.kind == "tracks":
        say("")
        put_resolved(run.schedule, [group.name for group in run.groups], base_of(run.groups))
    if run.holder is not None and run.holder.world_size > 1:
        say("")
        put_ranks(run, now)
    if len(run.lineage) > 1:
        say("")
        put_branches(run)
    if run.edits:
        say("")
        put_edits(run)
    if run.lost_edits:
        say("")
        put_lost_edits(run.lost_edits)
    if run.deviations:
        say("")
        put_deviations(run.deviations)
    if spans:
        draw(spans, unit=run.unit)


def _facts(run: Run, now: datetime) -> list[tuple[str, str]]:
    at = latest(run)
    unit = f"; a step is one {run.unit}" if run.unit != "step" else ""
    found = [
        ("run", run.name),
        ("uid", run.uid),
        ("state", run.state),
        ("lr", f"{shown(at.values['lr'])} (step {at.first}{unit})"),
        ("frontier", f"{run.frontier}, the first step not committed yet"),
        ("job", _job(run)),
        ("schedule", definition_text(run.schedule)),
        ("follows", _follows(run)),
        ("revision", str(run.revision)),
        ("branch", _branch(run)),
        ("forked from", forked_text(run)),
        ("holder", holder_text(run.fence, run.holder, now) if run.holder else f"none (fence {run.fence})"),
        ("heard of", f"{ago((now - run.heard).total_seconds())} ({time(run.heard)})"),
        ("created", time(run.created)),
        ("finished", time(run.finished) if run.finished else ""),
        ("labels", labels_text(run.labels)),
        *((f"param group {i}", _group(group)) for i, group in enumerate(run.groups)),
    ]
    return [(name, text) for name, text in found if text]


def _job(run: Run) -> str:
    """Return where a job of one rank was, if it has asked for more than its next step."""
    if run.holder is None or run.holder.world_size > 1 or not run.ranks:
        return ""
    at = run.ranks[0].applied_step
    if at >= run.frontier - 2:
        return ""
    return f"step {at} when it asked last; it has been given the steps to {run.frontier - 1}"


def _follows(run: Run) -> str:
    """Return which stored schedule the run follows, and from when if that is still to come."""
    if not run.schedule_name:
        return ""
    text = f"{run.schedule_name}, revision {run.schedule_revision}"
    rule = ruling(run.edits, run.branch)
    if rule and rule[-1].effective_step > run.frontier:
        text += f" (from step {rule[-1].effective_step})"
    return text


def _branch(run: Run) -> str:
    """Return the branch and where it begins, and who made it if an operator did."""
    text = f"{run.branch}, from step {run.origin_step}"
    made = run.lineage[-1]
    if made.time is not None:
        text += f", {time(made.time)}, {made.author}: {made.reason or 'no reason given'}"
    return text


def _group(group: Group) -> str:
    values = ", ".join(f"base {track} {value!r}" for track, value in group.initial.items())
    return ", ".join(filter(None, (group.name, values, group.number)))
