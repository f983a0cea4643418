"""Blocks: from the one that holds a step on; bits are checked before they are given."""

from __future__ import annotations

import math

import pytest

from lrkeeper.errors import DataCorrupted
from lrkeeper.schedules.numbers import Row, to_float32
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs.records import Block, Run
from tests.contract.calls import Calls
from tests.contract.samples import a_block, a_run
from tests.support.databases import Database


@pytest.fixture
def run(calls: Calls) -> Run:
    """A run with the blocks [1, 4), [4, 5) and, after a gap, [10, 20)."""
    run = a_run(frontier=20)
    calls.store(run)
    calls.transact(lambda tx: tx.insert_blocks((a_block(run, 10, 10), a_block(run, 1, 3), a_block(run, 4))))
    return run


def spans(calls: Calls, run: Run, from_step: int, limit: int = 100, branch: int = 1) -> list[tuple[int, int]]:
    """Return first and end step of the blocks read."""
    blocks = calls.read(lambda tx: tx.blocks(run.uid, branch, from_step, limit))
    return [(block.table.first_step, block.table.end_step) for block in blocks]


def test_a_block_comes_back_bit_for_bit(calls: Calls) -> None:
    run = a_run()
    rows: list[Row] = [
        {"lr": (math.inf, to_float32(0.1)), "momentum": (-0.0, 5e-324)},
        {"lr": (-math.inf, math.nan), "momentum": (1.7e308, 0.1 + 0.2)},
    ]
    table = Table.from_rows(2**53 - 2, rows)
    block = a_block(run, 1, table=table, branch=3, revision=4, fence=5, cursor='["é"]', evaluator_version="9")
    calls.store(block)

    assert calls.read(lambda tx: tx.blocks(run.uid, 3, 2**53 - 2, 1)) == [block]


@pytest.mark.parametrize(
    ("from_step", "found"),
    [
        (0, [(1, 4), (4, 5), (10, 20)]),
        (1, [(1, 4), (4, 5), (10, 20)]),
        (3, [(1, 4), (4, 5), (10, 20)]),
        (4, [(4, 5), (10, 20)]),
        (5, [(10, 20)]),
        (9, [(10, 20)]),
        (10, [(10, 20)]),
        (19, [(10, 20)]),
        (20, []),
        (2**53, []),
    ],
)
def test_blocks_begin_with_the_one_that_holds_the_step_or_is_next(
    calls: Calls, run: Run, from_step: int, found: list[tuple[int, int]]
) -> None:
    assert spans(calls, run, from_step) == found


def test_no_more_blocks_are_read_than_asked_for(calls: Calls, run: Run) -> None:
    assert spans(calls, run, 2, limit=2) == [(1, 4), (4, 5)]
    assert spans(calls, run, 5, limit=1) == [(10, 20)]


def test_blocks_belong_to_their_run_and_branch(calls: Calls, run: Run) -> None:
    other = a_run()
    calls.store(a_block(run, 2, 3, branch=2), a_block(other, 1, 99))

    assert spans(calls, run, 0, branch=2) == [(2, 5)]
    assert spans(calls, run, 0) == [(1, 4), (4, 5), (10, 20)]
    assert spans(calls, run, 5, branch=2) == []
    assert spans(calls, a_run(), 0) == []


def test_no_blocks_are_none(calls: Calls, run: Run) -> None:
    calls.transact(lambda tx: tx.insert_blocks(()))
    assert spans(calls, run, 0) == [(1, 4), (4, 5), (10, 20)]


@pytest.mark.parametrize(
    "damage",
    [
        "data = data_with_a_bit_flipped",
        "data = data_cut_short",
        "count = count + 1",
        "crc = crc + 1",
        "groups = 2",
    ],
)
def test_damaged_values_are_not_given(calls: Calls, run: Run, database: Database, damage: str) -> None:
    ((data,),) = database.rows("SELECT data FROM blocks WHERE first_step = 4")
    flipped = bytes([data[0] ^ 1]) + bytes(data[1:])
    sql = damage.replace("data_with_a_bit_flipped", ":flipped").replace("data_cut_short", ":cut")
    values = {"flipped": flipped} if ":flipped" in sql else {"cut": bytes(data[:-1])} if ":cut" in sql else {}
    database.rows(f"UPDATE blocks SET {sql} WHERE first_step = 4", **values)

    def read(from_step: int, limit: int) -> list[Block]:
        return calls.read(lambda tx: tx.blocks(run.uid, 1, from_step, limit))

    with pytest.raises(DataCorrupted, match="steps 4 to"):
        read(4, 1)
    with pytest.raises(DataCorrupted):
        read(0, 100)
    assert read(0, 1) == [a_block(run, 1, 3)]
    assert read(10, 1) == [a_block(run, 10, 10)]


def test_values_moved_to_another_step_are_not_given(calls: Calls, run: Run, database: Database) -> None:
    database.rows("UPDATE blocks SET first_step = 5 WHERE first_step = 4")

    with pytest.raises(DataCorrupted):
        calls.read(lambda tx: tx.blocks(run.uid, 1, 5, 1))
