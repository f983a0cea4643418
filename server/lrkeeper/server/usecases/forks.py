"""A job that goes on with a fork brings a checkpoint of the run that was forked."""

from __future__ import annotations

from lrkeeper.errors import NotTheForkStep
from lrkeeper.server.runs.acquire import Start
from lrkeeper.server.runs.lineage import same_place
from lrkeeper.server.runs.records import Run
from lrkeeper.server.storage.contract import Transaction
from lrkeeper.server.usecases.keeper import lineage_from


def fork_of(tx: Transaction, start: Start) -> Run | None:
    """Return the run that a start names, if it was forked from its checkpoint's run.

    Raises NotTheForkStep where the checkpoint lies at another step than the fork's.
    """
    place, run = start.checkpoint, tx.run_by_name(start.run)
    if place is None or run is None or run.uid == place.run_uid:
        return None
    source = run.forked_from
    if source is None or source.run_uid != place.run_uid:
        return None
    if place.step == source.step:
        past = lineage_from(tx, source.run_uid, place.branch)
        if past and same_place(past, past[0], place.step).branch == source.branch:
            return run
    raise NotTheForkStep(
        f"run {run.name!r} was forked from run {source.run!r} at step {source.step} of branch {source.branch}, and the "
        f"checkpoint lies at step {place.step} of branch {place.branch}; load the one of step {source.step}, or none, "
        "or fork the run anew where the checkpoint lies",
        run=run.name,
        step=source.step,
    )
