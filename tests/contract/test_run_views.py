"""What GetRun answers, from the database to the client's values."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from lrkeeper import messages, views
from lrkeeper.server.runs.frontier import SILENT_AFTER_US, Heard
from lrkeeper.server.runs.records import ForkedFrom
from lrkeeper.server.servicers import encode
from lrkeeper.server.storage.sql import SqlStorage
from lrkeeper.server.usecases.keeper import Keeper
from lrkeeper.server.usecases.runs import get_run
from tests.contract import samples
from tests.contract.calls import Calls
from tests.contract.samples import NOW, WORDS


class Now(Keeper):
    """A server that has listened for long, at the samples' time."""

    def now(self) -> int:
        return NOW

    def __init__(self, storage: SqlStorage) -> None:
        super().__init__(storage)
        self.listening_since = 0


def got(storage: SqlStorage, name: str) -> views.Run:
    """Return a run as a client gets it."""
    return messages.run(encode.run(asyncio.run(get_run(Now(storage), name))))


def test_a_run_tells_where_it_was_forked_and_who_made_its_branch(calls: Calls, storage: SqlStorage) -> None:
    run = samples.a_run(branch=2, frontier=6, forked_from=ForkedFrom("uid", WORDS, 3, 40))
    first = samples.a_branch(run)
    origin = samples.an_origin((samples.GROUP,), step=5)
    origin = replace(origin, values=origin.values._replace(first_step=5))
    made = {"author": "ann", "reason": WORDS, "request_id": "request", "created_at": NOW + 7}
    rolled_back = samples.a_branch(run, branch=2, parent=1, fork_step=5, origin=origin, **made)
    calls.store(run, first, rolled_back, samples.an_incarnation(run))

    found = got(storage, run.name)
    assert found.forked_from == views.ForkedFrom("uid", WORDS, 3, 40)
    before, after = found.lineage
    assert before == views.Lineage(1, 0)
    assert (after.branch, after.origin_step, after.author, after.reason) == (2, 5, "ann", WORDS)
    assert after.time is not None
    assert after.time.microsecond == 7


def test_a_run_tells_which_ranks_are_silent(calls: Calls, storage: SqlStorage) -> None:
    run = samples.a_run()
    heard = {
        0: Heard(9, NOW),
        1: Heard(4, NOW - SILENT_AFTER_US),
        5: Heard(2, NOW - SILENT_AFTER_US, SILENT_AFTER_US),
    }
    calls.store(
        run,
        samples.a_branch(run),
        samples.an_incarnation(run, world_size=8),
        samples.a_progress(run, ranks=heard),
        samples.a_progress(run, fence=2, ranks={7: Heard(1, NOW)}),
    )

    found = got(storage, run.name).ranks
    assert [(rank.rank, rank.applied_step, rank.silent) for rank in found] == [
        (0, 9, False),
        (1, 4, True),
        (5, 2, False),
    ]


def test_a_run_tells_what_was_lost_and_what_ranks_did_instead(calls: Calls, storage: SqlStorage) -> None:
    run = samples.a_run()
    lost = samples.a_lost_edit(run, author="ann", reason=WORDS, effective_step=9)
    calls.store(run, samples.a_branch(run), samples.an_incarnation(run), lost, samples.a_deviation(run, 3, 2))

    found = got(storage, run.name)
    (edit,) = found.lost_edits
    assert (edit.edit.request_id, edit.edit.effective_step, edit.edit.reason) == (lost.request_id, 9, WORDS)
    assert edit.found > edit.edit.time
    (deviation,) = found.deviations
    assert (deviation.values.first_step, deviation.values.count) == (3, 2)
