"""Advances: a run's rows are stored if, and only if, it still is as they were evaluated for."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from lrkeeper.server.runs.records import Block, Run
from lrkeeper.server.storage.engine import make_engine, parse_url
from lrkeeper.server.storage.sql import SqlStorage
from tests.contract.calls import Calls
from tests.contract.samples import NOW, a_block, a_run, advance_of
from tests.support.databases import Database


@pytest.fixture
def run(calls: Calls) -> Run:
    """A run that stands at step 7 under its second fence, on its second branch."""
    run = a_run(branch=2, fence=3, revision=4, frontier=7)
    calls.store(run)
    return run


def run_and_blocks(calls: Calls, run: Run) -> tuple[Run | None, list[Block]]:
    """Return what is stored of a run."""
    return calls.read(lambda tx: (tx.run_by_uid(run.uid), tx.blocks(run.uid, run.branch, 0, 100)))


def test_an_advance_stores_its_blocks_and_moves_the_run(calls: Calls, run: Run) -> None:
    blocks = (a_block(run, 7, 3), a_block(run, 10, 1, revision=5), a_block(run, 11, 4))
    advance = advance_of(run, 8, blocks=blocks)

    assert calls.advance(advance) is True
    moved = replace(
        run, frontier=15, cursor=advance.cursor, heard_at=advance.heard_at, heard_every=advance.heard_every
    )
    assert run_and_blocks(calls, run) == (moved, list(blocks))


def test_advances_follow_each_other(calls: Calls, run: Run) -> None:
    for _ in range(3):
        assert calls.advance(advance_of(run, 2)) is True
        run = replace(run, frontier=run.frontier + 2)

    _, blocks = run_and_blocks(calls, run)
    assert [block.table.first_step for block in blocks] == [7, 9, 11]


@pytest.mark.parametrize(
    "stale",
    [
        {"fence": 2},
        {"fence": 4},
        {"branch": 1},
        {"revision": 3},
        {"revision": 5},
        {"frontier": 6},
        {"frontier": 8},
        {"uid": "nobody"},
    ],
    ids=str,
)
def test_an_advance_of_another_state_of_the_run_stores_nothing(
    calls: Calls, run: Run, stale: dict[str, Any]
) -> None:
    advance = advance_of(replace(run, **stale))

    assert calls.advance(advance) is False
    assert run_and_blocks(calls, run) == (run, [])
    assert calls.read(lambda tx: tx.blocks(advance.run_uid, advance.branch, 0, 9)) == []


@pytest.mark.parametrize(
    "ended", [{"state": "finished", "finished_at": NOW}, {"state": "deleted", "deleted_at": NOW}], ids=str
)
def test_a_run_that_has_ended_takes_no_rows(calls: Calls, run: Run, ended: dict[str, Any]) -> None:
    calls.transact(lambda tx: tx.update_run(run.uid, **ended))

    assert calls.advance(advance_of(run)) is False
    assert run_and_blocks(calls, run) == (replace(run, **ended), [])


def test_an_advance_repeated_stores_nothing_twice(calls: Calls, run: Run) -> None:
    first, other = advance_of(run), advance_of(run, blocks=(a_block(run, 7, cursor="[]"),))

    assert calls.advance(first) is True
    assert calls.advance(first) is False
    assert calls.advance(other) is False
    assert run_and_blocks(calls, run)[1] == list(first.blocks)


def test_of_two_storages_on_one_database_one_stores_a_step(
    calls: Calls, run: Run, database: Database
) -> None:
    replica = SqlStorage(make_engine(parse_url(database.url)))

    async def race(run: Run) -> tuple[bool, bool]:
        ours, theirs = advance_of(run), advance_of(run, blocks=(a_block(run, run.frontier, cursor="[]"),))
        return await asyncio.gather(calls.storage.advance(ours), replica.advance(theirs))

    try:
        assert replica.epoch == calls.storage.epoch
        for _ in range(20):
            assert sorted(asyncio.run(race(run))) == [False, True]
            run = replace(run, frontier=run.frontier + 1)
    finally:
        replica.close()
    stored, blocks = run_and_blocks(calls, run)
    assert stored is not None
    assert stored.frontier == run.frontier
    assert [block.table.first_step for block in blocks] == list(range(7, run.frontier))
