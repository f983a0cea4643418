"""What ranks said and did: progress, deviations, edits that only they remember."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from lrkeeper.errors import DataCorrupted
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs.frontier import Heard
from tests.contract.calls import Calls
from tests.contract.samples import NOW, WORDS, a_deviation, a_lost_edit, a_progress, a_run
from tests.support.databases import Database


def test_progress_comes_back_in_the_place_of_what_was_stored_before(calls: Calls) -> None:
    run = a_run()
    first = a_progress(run, ranks={n: Heard(n, NOW + n, 2**40) for n in range(1000)})
    later = a_progress(run, ranks={4: Heard(2**53, NOW + 9, 0)}, updated_at=NOW + 9)
    calls.store(run, first)

    assert calls.read(lambda tx: tx.rank_progress(run.uid, 1)) == first
    calls.store(later)
    assert calls.read(lambda tx: tx.rank_progress(run.uid, 1)) == later


def test_progress_belongs_to_its_run_and_fence(calls: Calls) -> None:
    run, other = a_run(), a_run()
    first, second, others = a_progress(run), a_progress(run, fence=2, ranks={}), a_progress(other)
    calls.store(run, other, first, second, others)

    assert calls.read(lambda tx: tx.rank_progress(run.uid, 1)) == first
    assert calls.read(lambda tx: tx.rank_progress(run.uid, 2)) == second
    assert calls.read(lambda tx: tx.rank_progress(run.uid, 3)) is None
    calls.transact(lambda tx: tx.drop_rank_progress(run.uid, below=2))
    assert calls.read(lambda tx: tx.rank_progress(run.uid, 1)) is None
    assert calls.read(lambda tx: tx.rank_progress(run.uid, 2)) == second
    assert calls.read(lambda tx: tx.rank_progress(other.uid, 1)) == others


def test_a_deviation_comes_back_bit_for_bit(calls: Calls) -> None:
    run = a_run()
    table = Table.from_rows(2**53 - 2, [{"lr": (-0.0, math.inf), "momentum": (5e-324, 0.1)}] * 2)
    deviation = a_deviation(run, branch=3, fence=4, rank=1023, table=table, kind="forecast")
    calls.store(run, deviation)

    assert calls.read(lambda tx: tx.deviations(run.uid, limit=9)) == [deviation]


def test_deviations_come_the_newest_first_of_a_branch_or_a_step(calls: Calls) -> None:
    run, other = a_run(), a_run()
    early = a_deviation(run, 10, 5)
    late = a_deviation(run, 12, 5, fence=2, created_at=NOW + 2)
    branched = a_deviation(run, 12, 1, branch=2, fence=3, created_at=NOW + 1)
    calls.store(run, other, late, early, branched, a_deviation(other, 12))

    def found(limit: int = 9, **which: int) -> list[object]:
        return list(calls.read(lambda tx: tx.deviations(run.uid, limit=limit, **which)))

    assert found() == [late, branched, early]
    assert found(limit=2) == [late, branched]
    assert found(branch=1) == [late, early]
    assert found(step=12) == [late, branched, early]
    assert found(branch=1, step=11) == [early]
    assert found(step=15) == [late]
    assert found(step=17) == found(step=9) == found(branch=3) == []


def test_the_same_deviation_again_changes_nothing_and_a_longer_one_replaces_it(calls: Calls) -> None:
    run = a_run()
    short, long = a_deviation(run, 5, 2), a_deviation(run, 5, 4, created_at=NOW + 1)
    calls.store(run, short)

    calls.store(replace(short, created_at=NOW + 9))
    assert calls.read(lambda tx: tx.deviations(run.uid, limit=9)) == [short]
    calls.store(long)
    calls.store(short)
    assert calls.read(lambda tx: tx.deviations(run.uid, limit=9)) == [long]


def test_a_damaged_deviation_is_not_given(calls: Calls, database: Database) -> None:
    run = a_run()
    calls.store(run, a_deviation(run, 5, 2))
    database.rows("UPDATE deviations SET crc = crc + 1")

    with pytest.raises(DataCorrupted, match="steps 5 to 6"):
        calls.read(lambda tx: tx.deviations(run.uid, limit=9))


def test_lost_edits_come_back_in_order_of_revision_each_once(calls: Calls) -> None:
    run, other = a_run(), a_run()
    second = a_lost_edit(run, effective_step=2**53, author=WORDS, reason=WORDS, branch=4)
    tenth = a_lost_edit(run, revision=10)
    calls.store(run, other, tenth, second, a_lost_edit(other))

    calls.store(replace(second, found_at=NOW + 99))
    assert calls.read(lambda tx: tx.lost_edits(run.uid)) == [second, tenth]
    assert calls.read(lambda tx: tx.lost_edits("nobody")) == []
