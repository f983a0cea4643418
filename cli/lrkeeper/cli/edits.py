"""A run's edits as an operator sees them: which one rules, which are still to come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lrkeeper.cli.forms import definition_text
from lrkeeper.cli.screen import table, time

if TYPE_CHECKING:
    from lrkeeper.views import Edit, Run

_STYLES = {"in force": "green", "pending": "yellow", "superseded": "dim", "past": "dim", "not reached": "dim"}


def ruling(edits: Sequence[Edit], branch: int) -> list[Edit]:
    """Return a branch's edits that rule some step, in order of their steps.

    A later edit ends all earlier ones that would act at its step or after it.
    """
    found: list[Edit] = []
    for edit in edits:
        if edit.branch == branch:
            found = [e for e in found if e.effective_step < edit.effective_step]
            found.append(edit)
    return found


def pending(run: Run) -> list[Edit]:
    """Return the edits that the run has not reached yet."""
    return [e for e in ruling(run.edits, run.branch) if e.effective_step >= run.frontier]


def waiting_word(run: Run) -> str:
    """Return what an edit is that the run has not reached: a finished run never will."""
    return "pending" if run.state == "active" else "not reached"


def states(run: Run) -> list[str]:
    """Return what has become of each of the run's edits."""
    rule = ruling(run.edits, run.branch)
    acting = [e.revision for e in rule if e.effective_step < run.frontier]
    waiting = [e.revision for e in rule if e.effective_step >= run.frontier]

    def state(edit: Edit) -> str:
        if edit.branch != run.branch:
            return f"of branch {edit.branch}"
        if edit.revision in waiting:
            return waiting_word(run)
        if edit.revision in acting:
            return "in force" if edit.revision == acting[-1] else "past"
        return "superseded"

    return [state(edit) for edit in run.edits]


def put_edits(run: Run) -> None:
    """Print a run's edits."""
    rows = [
        (
            str(edit.revision),
            str(edit.effective_step),
            state,
            time(edit.time),
            edit.author,
            edit.reason,
            definition_text(edit.schedule, edit.schedule_name, edit.schedule_revision),
        )
        for edit, state in zip(run.edits, states(run), strict=True)
    ]
    table(("revision", "from step", "state", "made", "by", "reason", "schedule"), rows, _STYLES)
