"""Edits that a job remembers and the database has lost: recorded once, returned and logged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from lrkeeper.server.runs.records import Edit, LostEdit, Run
from lrkeeper.server.runs.repair import Remembered, lost_edits
from lrkeeper.server.storage.contract import Transaction
from lrkeeper.server.usecases.put_back import UNKNOWN


def noted_lost(
    tx: Transaction, run: Run, remembered: Remembered, present: Sequence[Edit], more: Sequence[Edit], now: int
) -> tuple[LostEdit, ...]:
    """Record the edits that were lost, once, and return all that the job should know of."""
    noted = tx.lost_edits(run.uid) if remembered.held else []
    here = {edit.request_id for edit in present}
    lost = lost_edits(remembered, present, noted)
    told = {(edit.revision, edit.definition) for edit in remembered.edits}
    lost += [
        LostEdit(
            run_uid=run.uid,
            request_id=edit.request_id,
            branch=edit.branch,
            revision=edit.revision,
            effective_step=edit.effective_step,
            definition=edit.definition,
            author=edit.author,
            reason=edit.reason,
            created_at=edit.created_at,
            found_at=now,
        )
        for edit in more
        if edit.request_id in here
        or (edit.author == UNKNOWN and (edit.revision, edit.definition) not in told)
    ]
    before = {edit.request_id: edit for edit in noted}
    found = [before.get(edit.request_id) or replace(edit, run_uid=run.uid, found_at=now) for edit in lost]
    for edit in found:
        if edit.request_id not in before:
            tx.insert_lost_edit(edit)
    return tuple(found)


def told(run: Run, lost: Sequence[LostEdit], now: int) -> tuple[tuple[str, Mapping[str, Any]], ...]:
    """Return what the log says of edits that are found lost now."""
    return tuple(
        (
            "edit lost with an older state of the database",
            {
                "run": run.name,
                "revision": edit.revision,
                "effective_step": edit.effective_step,
                "author": edit.author,
                "reason": edit.reason,
                "request_id": edit.request_id,
                "definition": edit.definition,
            },
        )
        for edit in lost
        if edit.found_at == now
    )
