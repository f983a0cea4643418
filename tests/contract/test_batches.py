"""Group commit: what arrives while a commit is in flight shares the next, and fails alone."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from sqlalchemy import Engine

from lrkeeper.errors import RunNotFound, StorageUnavailable
from lrkeeper.server.runs.records import Run
from lrkeeper.server.storage.contract import Transaction
from tests.contract.calls import Calls, Holder, Request, ask, at_commit
from tests.contract.samples import a_block, a_run, advance_of, an_incarnation
from tests.support.databases import Database


class Refused(Exception):
    """What a work raises that does not like what it sees."""


@pytest.fixture
def runs(calls: Calls) -> list[Run]:
    """Some runs at step 1."""
    runs = [a_run() for _ in range(20)]
    calls.store(*runs)
    return runs


def frontiers(calls: Calls, runs: list[Run]) -> list[tuple[int, int]]:
    """Return each run's frontier, and the end of its blocks."""

    def read(tx: Transaction) -> list[tuple[int, int]]:
        found = []
        for run in runs:
            stored, blocks = tx.run_by_uid(run.uid), tx.blocks(run.uid, 1, 0, 100)
            assert stored is not None
            assert [block.table.first_step for block in blocks] == list(range(1, len(blocks) + 1))
            found.append((stored.frontier, blocks[-1].table.end_step if blocks else 1))
        return found

    return calls.read(read)


def refuse_after_writing(run: Run) -> Request:
    """Return work that stores a run and then raises."""

    def work(tx: Transaction) -> None:
        tx.insert_run(run)
        raise Refused("no")

    return work


def test_requests_that_arrive_during_a_commit_share_the_next(
    calls: Calls, runs: list[Run], engine: Engine
) -> None:
    commits: list[Any] = []
    new = a_run()
    with at_commit(engine, commits.append):
        answers = calls.together(*map(advance_of, runs), lambda tx: tx.insert_run(new), lambda tx: "read")

    assert answers == [True] * len(runs) + [None, "read"]
    assert len(commits) == 2  # one that was in flight, one for all
    assert frontiers(calls, runs) == [(2, 2)] * len(runs)
    assert calls.read(lambda tx: tx.run_by_uid(new.uid)) == new


def test_an_advance_in_conflict_does_not_fail_its_neighbours(calls: Calls, runs: list[Run]) -> None:
    stale: dict[int, dict[str, Any]] = {
        3: {"fence": 9},
        7: {"frontier": 5},
        11: {"revision": 2},
        12: {"uid": "nobody"},
    }
    answers = calls.together(*(advance_of(replace(run, **stale.get(i, {}))) for i, run in enumerate(runs)))

    assert answers == [i not in stale for i in range(len(runs))]
    assert frontiers(calls, runs) == [(1, 1) if i in stale else (2, 2) for i in range(len(runs))]


def test_work_that_raises_keeps_nothing_and_does_not_fail_its_neighbours(
    calls: Calls, runs: list[Run], engine: Engine
) -> None:
    refused, before, after = a_run(), a_run(), a_run()
    commits: list[Any] = []
    with at_commit(engine, commits.append):
        answers = calls.together(
            lambda tx: tx.insert_run(before),
            refuse_after_writing(refused),
            advance_of(runs[0]),
            lambda tx: tx.insert_run(after),
        )

    assert answers[0] is None
    assert isinstance(answers[1], Refused)
    assert answers[2:] == [True, None]
    assert len(commits) == 2
    assert calls.read(lambda tx: tx.run_by_uid(refused.uid)) is None
    assert calls.read(lambda tx: tx.run_by_uid(before.uid)) == before
    assert calls.read(lambda tx: tx.run_by_uid(after.uid)) == after
    assert frontiers(calls, runs[:1]) == [(2, 2)]


def test_work_that_the_database_refuses_does_not_fail_its_neighbours(calls: Calls, runs: list[Run]) -> None:
    before, after, half = a_run(), a_run(), a_run()

    def store_twice(tx: Transaction) -> None:
        tx.insert_run(half)
        tx.insert_run(runs[5])

    answers = calls.together(
        lambda tx: tx.insert_run(before), store_twice, advance_of(runs[0]), lambda tx: tx.insert_run(after)
    )

    assert answers[0] is None
    assert isinstance(answers[1], StorageUnavailable)
    assert answers[2:] == [True, None]
    assert calls.read(lambda tx: tx.run_by_uid(half.uid)) is None
    assert calls.read(lambda tx: tx.run_by_uid(before.uid)) == before
    assert calls.read(lambda tx: tx.run_by_uid(after.uid)) == after
    assert frontiers(calls, runs[:1]) == [(2, 2)]


def test_every_kind_of_failure_in_one_batch_fails_alone(calls: Calls, runs: list[Run]) -> None:
    refused, new = a_run(), a_run()
    answers = calls.together(
        advance_of(runs[0]),
        refuse_after_writing(refused),
        advance_of(replace(runs[1], fence=5)),
        lambda tx: tx.insert_run(runs[2]),
        lambda tx: tx.insert_run(new),
        advance_of(runs[3], 4, blocks=(a_block(runs[3], 1, 1), a_block(runs[3], 2, 3))),
    )

    kinds = [answer if answer in (True, False, None) else type(answer) for answer in answers]
    assert kinds == [True, Refused, False, StorageUnavailable, None, True]
    assert frontiers(calls, [runs[0], runs[1]]) == [(2, 2), (1, 1)]
    assert calls.read(lambda tx: tx.run_by_uid(refused.uid)) is None
    assert calls.read(lambda tx: tx.run_by_uid(new.uid)) == new


def test_what_a_work_raises_is_raised_where_it_was_asked_for(calls: Calls) -> None:
    error = RunNotFound("there is none", run="r")

    def work(tx: Transaction) -> None:
        raise error

    for writes in (True, False):
        with pytest.raises(RunNotFound) as raised:
            calls.transact(work, writes=writes)
        assert raised.value is error


def test_a_read_sees_what_was_answered_and_so_does_everybody(calls: Calls, database: Database) -> None:
    run = a_run(name="seen")
    calls.store(run)
    assert calls.advance(advance_of(run)) is True

    assert calls.read(lambda tx: tx.run_by_name("seen")) is not None
    assert database.rows("SELECT frontier FROM runs") == [(2,)]
    assert database.rows("SELECT first_step FROM blocks") == [(1,)]


def test_a_work_sees_what_it_wrote_itself(calls: Calls) -> None:
    run = a_run()

    def work(tx: Transaction) -> Run | None:
        tx.insert_run(run)
        tx.update_run(run.uid, fence=8)
        return tx.run_by_name(run.name)

    assert calls.transact(work) == replace(run, fence=8)


def test_no_request_is_answered_before_its_commit(
    calls: Calls, runs: list[Run], engine: Engine, database: Database
) -> None:
    reached, go_on = threading.Event(), threading.Event()
    commits = count()

    def hold(_: Any) -> None:
        if next(commits):  # the first is the holder's
            reached.set()
            assert go_on.wait(60)

    async def scene() -> tuple[list[bool], list[tuple[Any, ...]], list[Any]]:
        requests: list[Request] = [advance_of(runs[0]), lambda tx: tx.insert_run(a_run(name="new"))]
        with Holder() as holder:
            held = asyncio.create_task(calls.storage.transact(holder))
            await asyncio.to_thread(holder.wait)
            tasks = [asyncio.create_task(ask(calls.storage, request)) for request in requests]
            await asyncio.sleep(0)
        await held
        try:
            assert await asyncio.to_thread(reached.wait, 60)
            for _ in range(5):
                await asyncio.sleep(0)
            early = [task.done() for task in tasks]
            seen = database.rows("SELECT first_step FROM blocks UNION SELECT 0 FROM runs WHERE name = 'new'")
        finally:
            go_on.set()
        return early, seen, await asyncio.gather(*tasks)

    with at_commit(engine, hold):
        early, seen, answers = asyncio.run(scene())
    assert (early, seen, answers) == ([False, False], [], [True, None])
    assert database.rows("SELECT first_step FROM blocks") == [(1,)]


def test_a_caller_that_gives_up_does_not_fail_its_neighbours(calls: Calls, runs: list[Run]) -> None:
    def leave(tx: Transaction) -> None:
        tx.insert_incarnation(an_incarnation(runs[2]))

    async def scene() -> list[Any]:
        with Holder() as holder:
            held = asyncio.create_task(calls.storage.transact(holder))
            await asyncio.to_thread(holder.wait)
            requests: list[Request] = [advance_of(runs[0]), leave, advance_of(runs[1])]
            tasks = [asyncio.create_task(ask(calls.storage, request)) for request in requests]
            await asyncio.sleep(0)
            tasks[1].cancel()
        await held
        return await asyncio.gather(*tasks, return_exceptions=True)

    answers = asyncio.run(scene())
    assert answers[0] is True
    assert isinstance(answers[1], asyncio.CancelledError)
    assert answers[2] is True
    assert frontiers(calls, runs[:2]) == [(2, 2), (2, 2)]
