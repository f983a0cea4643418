"""`lrkeeper run history`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from lrkeeper.cli.edits import pending, ruling, waiting_word
from lrkeeper.cli.forms import definition_text, form
from lrkeeper.cli.options import a_step, branch_option, connect, json_option, run_argument, server_option
from lrkeeper.cli.run.branches import put_branches
from lrkeeper.cli.run.rows import Row, committed
from lrkeeper.cli.screen import put_json, say, table
from lrkeeper.cli.spans import Span, collapse, shown

if TYPE_CHECKING:
    from lrkeeper.views import Edit, Run


@click.command()
@run_argument
@click.option("--from", "first", type=int, callback=a_step, default=0, metavar="N", help="The first step.")
@click.option("--to", "last", type=int, callback=a_step, metavar="N", help="The last step.")
@branch_option
@server_option
@json_option
def history(
    name: str, first: int, last: int | None, branch: int | None, server: str | None, as_json: bool
) -> None:
    """Show a run's committed values and its edits.

    An edit stands at the step from which it acts. Steps with equal values share a row; --json prints a
    line with an object for every step.
    """
    if last is not None and last < first:
        raise click.UsageError(f"--from is {first} and --to is {last}; there is no step between")
    with connect(server) as client:
        run = client.get_run(name)
        chosen = run.branch if branch is None else branch
        edits = {edit.effective_step: edit for edit in ruling(run.edits, chosen)}
        rows = committed(client, run, chosen, first, last)
        if as_json:
            for row in rows:
                put_json({**form(row), "edit": form(edits.get(row.step))}, indent=None)
            return
        spans = list(_spans(rows))
    if not spans:
        say(f"no step from {first} on is committed; the run has got to step {run.frontier - 1}")
    else:
        _put(spans, edits)
    if chosen == run.branch and (last is None or last >= run.frontier):
        _put_pending(run)
    if any(branch.time is not None for branch in run.lineage[1:]):
        say("")
        put_branches(run)


def _spans(rows: Iterable[Row]) -> Iterator[Span]:
    return collapse(Span(row.step, row.step, row.values, mark=row.revision) for row in rows)


def _put(spans: list[Span], edits: dict[int, Edit]) -> None:
    tracks = tuple(spans[0].values)
    table(
        ("steps", *tracks, "revision", "edit"),
        (
            (
                span.steps,
                *(shown(span.values[track]) for track in tracks),
                str(span.mark),
                _edit_text(edits[span.first]) if span.first in edits else "",
            )
            for span in spans
        ),
    )


def _put_pending(run: Run) -> None:
    for edit in pending(run):
        say(
            f"{waiting_word(run)}: from step {edit.effective_step} revision {edit.revision}, {_edit_text(edit)}"
        )


def _edit_text(edit: Edit) -> str:
    schedule = definition_text(edit.schedule, edit.schedule_name, edit.schedule_revision)
    return f"{edit.author}: {edit.reason or 'no reason given'}; {schedule}"
