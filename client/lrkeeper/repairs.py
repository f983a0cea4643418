"""What is said where a database had lost some of a run, and a job has put it back."""

from __future__ import annotations

import logging
import shlex

from lrkeeper import views
from lrkeeper.schedules import codec

_log = logging.getLogger("lrkeeper")


def say(start: views.Start, place: views.Place) -> None:
    """Log what was put back, and each edit that was lost with what can be done about it."""
    remembered = start.remembered
    if remembered is None:
        return
    if place.repaired:
        branch = "" if place.branch == remembered.branch else f", on branch {place.branch} now"
        _log.warning(
            "the database had lost a part of run %r: it was put back from an older backup. The values that this job "
            "holds have been put back; it goes on under fence %d, with all steps below %d%s",
            place.run,
            place.fence,
            place.frontier,
            branch,
        )
    for lost in place.lost_edits:
        _log.warning("%s", lost_edit(place, lost.edit))


def lost_edit(place: views.Place, edit: views.Edit) -> str:
    """Say what became of an edit that was lost."""
    who = f"{edit.author}: {edit.reason}" if edit.reason else edit.author
    what = f"run {place.run!r}: the edit of revision {edit.revision} ({who}), from step {edit.effective_step} on,"
    if any(codec.to_json(e.schedule) == codec.to_json(edit.schedule) for e in place.edits):
        return f"{what} was lost with the database. It had acted on values that this job holds, and stays in force"
    reason = shlex.quote(edit.reason or "made again")
    return (
        f"{what} was lost with the database, and acts no more. To make it again: lrkeeper run set-schedule "
        f"{place.run} FILE --at-step {edit.effective_step} --reason {reason}, with this in FILE: "
        f"{codec.to_json(edit.schedule)}"
    )
