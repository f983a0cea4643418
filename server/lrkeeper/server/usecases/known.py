"""What the database knows of a run, as far as a start of a job depends on it."""

from __future__ import annotations

from collections.abc import Mapping

from lrkeeper.server.runs.acquire import Checkpoint, Known, Start
from lrkeeper.server.runs.frontier import Heard
from lrkeeper.server.runs.lineage import Lineage, having, on_branch
from lrkeeper.server.runs.records import Edit, Run
from lrkeeper.server.storage.contract import Transaction
from lrkeeper.server.usecases.keeper import lineage_from, lineage_of, still_to_act


def known_of(
    tx: Transaction,
    run: Run,
    incarnation: str,
    start: Start | None = None,
    heard: Mapping[int, Heard] = {},
) -> Known:
    """Return what a start of the run depends on; of a start's checkpoint only what its `on_resume` asks for."""
    lineage = lineage_of(tx, run)
    place = None if start is None else start.checkpoint
    applied, later, past = None, list[Edit](), Lineage()
    if start is not None and place is not None:
        on_timeline = on_branch(lineage, place.branch, place.step)
        if start.on_resume in ("server", "error"):
            applied = _applied(tx, run, heard)
            if applied is not None and on_timeline is not None:
                applied = max(applied, place.step)  # who saved the checkpoint had applied its step
        if start.on_resume == "error" and on_timeline is not None:
            later = still_to_act(tx, lineage, having(lineage, on_timeline, place.step), place.step)
        if start.on_resume == "checkpoint":
            past = _past(tx, run, place)
    return Known(
        run=run,
        lineage=lineage,
        same=tx.incarnation(run.uid, incarnation),
        holder=tx.holder(run.uid, run.fence),
        highest_attempt=tx.highest_attempt(run.uid),
        applied=applied,
        later=tuple(later),
        past=past,
    )


def _applied(tx: Transaction, run: Run, heard: Mapping[int, Heard]) -> int | None:
    """Return the last step that a rank of the newest start is known to have applied."""
    progress = tx.rank_progress(run.uid, run.fence)
    ranks = {**(progress.ranks if progress else {}), **heard}
    return max((rank.applied_step for rank in ranks.values()), default=None)


def _past(tx: Transaction, run: Run, place: Checkpoint) -> Lineage:
    """Return the checkpoint's branch and its past, if it has the checkpoint's step."""
    past = lineage_from(tx, run.uid, place.branch)
    if not past:
        return past
    branch = having(past, past[0], place.step)
    if place.step == branch.origin.step:
        return past
    blocks = tx.blocks(run.uid, branch.branch, place.step, 1, end=place.step + 1)
    return past if blocks and place.step > branch.origin.step else ()
