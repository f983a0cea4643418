"""Starts of jobs, by id and by fence."""

from __future__ import annotations

from dataclasses import replace

from tests.contract.calls import Calls
from tests.contract.samples import WORDS, a_run, an_incarnation


def test_a_start_comes_back_by_id_and_by_fence(calls: Calls) -> None:
    run, other = a_run(), a_run()
    start = an_incarnation(
        run,
        fence=2,
        branch=3,
        resume_step=40,
        attempt=5,
        world_size=8,
        labels={"host": WORDS, "pid": "7"},
        on_resume="server",
    )
    later = an_incarnation(run, fence=3)
    elsewhere = an_incarnation(other, incarnation=start.incarnation, fence=2)
    calls.store(run, other, start, later, elsewhere)

    assert calls.read(lambda tx: tx.incarnation(run.uid, start.incarnation)) == start
    assert calls.read(lambda tx: tx.holder(run.uid, 2)) == start
    assert calls.read(lambda tx: tx.holder(run.uid, 3)) == later
    assert calls.read(lambda tx: tx.holder(other.uid, 2)) == elsewhere
    assert calls.read(lambda tx: tx.holder(run.uid, 4)) is None
    assert calls.read(lambda tx: tx.incarnation(other.uid, later.incarnation)) is None


def test_the_highest_attempt_is_that_of_the_runs_starts_that_brought_one(calls: Calls) -> None:
    run, other = a_run(), a_run()
    calls.store(run, other, an_incarnation(run, fence=1), an_incarnation(other, fence=1, attempt=99))
    assert calls.read(lambda tx: tx.highest_attempt(run.uid)) is None

    calls.store(an_incarnation(run, fence=2, attempt=7), an_incarnation(run, fence=3, attempt=4))
    assert calls.read(lambda tx: tx.highest_attempt(run.uid)) == 7


def test_a_start_that_moves_changes_its_resume_step_only(calls: Calls) -> None:
    run = a_run()
    start, other = an_incarnation(run, fence=1), an_incarnation(run, fence=2)
    calls.store(run, start, other)
    calls.transact(lambda tx: tx.move_incarnation(run.uid, start.incarnation, 17))

    assert calls.read(lambda tx: tx.holder(run.uid, 1)) == replace(start, resume_step=17)
    assert calls.read(lambda tx: tx.holder(run.uid, 2)) == other


def test_a_start_that_is_given_another_fence_is_found_by_that(calls: Calls) -> None:
    run = a_run()
    start, other = an_incarnation(run, fence=1), an_incarnation(run, fence=2)
    calls.store(run, start, other)
    calls.transact(lambda tx: tx.fence_incarnation(run.uid, start.incarnation, 7))

    assert calls.read(lambda tx: tx.holder(run.uid, 7)) == replace(start, fence=7)
    assert calls.read(lambda tx: tx.holder(run.uid, 1)) is None
    assert calls.read(lambda tx: tx.holder(run.uid, 2)) == other
