"""Edits: in order of revision, once for each request id."""

from __future__ import annotations

import pytest

from lrkeeper.errors import StorageUnavailable
from tests.contract.calls import Calls
from tests.contract.samples import WORDS, a_run, a_schedule, an_edit


def test_edits_come_back_in_order_of_revision_and_by_branch(calls: Calls) -> None:
    run, other, schedule = a_run(), a_run(), a_schedule()
    second = an_edit(
        run,
        revision=2,
        reason=WORDS,
        author=WORDS,
        definition=f'["{WORDS}"]',
        effective_step=2**53,
        clamped=True,
    )
    third = an_edit(run, revision=3, branch=2, schedule_uid=schedule.uid, schedule_revision=4)
    tenth = an_edit(run, revision=10)
    calls.store(schedule, run, other, tenth, third, second, an_edit(other))

    assert calls.read(lambda tx: tx.edits(run.uid)) == [second, third, tenth]
    assert calls.read(lambda tx: tx.edits(run.uid, 1)) == [second, tenth]
    assert calls.read(lambda tx: tx.edits(run.uid, 2)) == [third]
    assert calls.read(lambda tx: tx.edits(run.uid, 3)) == []


def test_an_edit_is_found_by_the_request_that_made_it(calls: Calls) -> None:
    run, other = a_run(), a_run()
    edit = an_edit(run)
    elsewhere = an_edit(other, request_id=edit.request_id)
    calls.store(run, other, edit, elsewhere)

    assert calls.read(lambda tx: tx.edit_by_request(run.uid, edit.request_id)) == edit
    assert calls.read(lambda tx: tx.edit_by_request(other.uid, edit.request_id)) == elsewhere
    assert calls.read(lambda tx: tx.edit_by_request(run.uid, "another")) is None


def test_a_request_id_makes_one_edit_of_a_run(calls: Calls) -> None:
    run = a_run()
    edit = an_edit(run)
    calls.store(run, edit)

    with pytest.raises(StorageUnavailable):
        calls.store(an_edit(run, revision=3, request_id=edit.request_id))
    assert calls.read(lambda tx: tx.edits(run.uid)) == [edit]
