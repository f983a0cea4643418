"""`lrkeeper run explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lrkeeper.cli.forms import definition_text, form
from lrkeeper.cli.options import a_step, branch_option, connect, json_option, run_argument, server_option
from lrkeeper.cli.run.ranks import deviation_text
from lrkeeper.cli.run.words import given_text, holder_text
from lrkeeper.cli.screen import facts, put_json, time
from lrkeeper.cli.spans import shown

if TYPE_CHECKING:
    from lrkeeper.views import Edit, Explanation


@click.command()
@run_argument
@click.argument("step", type=int, callback=a_step)
@branch_option
@server_option
@json_option
def explain(name: str, step: int, branch: int | None, server: str | None, as_json: bool) -> None:
    """Tell why a step has its values.

    That is: the schedule, the edits in force, who made them and why. The step must be committed.
    """
    with connect(server) as client:
        found = client.explain(name, step, branch=branch)
    values = found.values.row(step)
    if as_json:
        put_json({**form(found), "step": step, "values": form(values)})
        return
    rows = [("run", found.run), ("step", f"{step} of branch {found.branch}")]
    rows += [(track, shown(numbers)) for track, numbers in values.items()]
    facts(rows + _reasons(found))


def _reasons(found: Explanation) -> list[tuple[str, str]]:
    rows = []
    if found.origin:
        rows.append(("origin", "the timeline begins here, with what the job, or a fork, brought along"))
    if found.given:
        rows.append(("given", given_text(found.given)))
    rows.append(
        (
            "schedule",
            definition_text(found.schedule, found.schedule_name, found.schedule_revision),
        )
    )
    rows.append(("revision", str(found.revision)))
    rows += [("edit", _edit_text(edit)) for edit in found.edits]
    if not found.edits:
        rows.append(("edits", "none in force"))
    rows += [("deviation", deviation_text(deviation)) for deviation in found.deviations]
    if not found.origin:
        rows.append(("asked for by", holder_text(found.fence, found.holder)))
    return [*rows, ("evaluator", f"version {found.evaluator_version}")]


def _edit_text(edit: Edit) -> str:
    return (
        f"revision {edit.revision}, from step {edit.effective_step}, {time(edit.time)}, "
        f"{edit.author}: {edit.reason or 'no reason given'}"
    )
