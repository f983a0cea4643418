"""Closing: what is under way is finished and answered first."""

from __future__ import annotations

import asyncio
from typing import Any

from lrkeeper.server.storage.contract import Transaction
from lrkeeper.server.storage.engine import make_engine, parse_url
from lrkeeper.server.storage.sql import SqlStorage
from tests.contract.calls import Calls, Holder, ask
from tests.contract.samples import a_run, advance_of, insert
from tests.support.databases import Database


def test_closing_finishes_and_answers_what_is_under_way(calls: Calls, database: Database) -> None:
    runs = [a_run() for _ in range(5)]
    calls.store(*runs)

    async def scene() -> tuple[bool, list[Any]]:
        with Holder() as holder:
            held = asyncio.create_task(calls.storage.transact(holder))
            await asyncio.to_thread(holder.wait)
            tasks = [asyncio.create_task(ask(calls.storage, advance_of(run))) for run in runs]
            await asyncio.sleep(0)
            closing = asyncio.create_task(asyncio.to_thread(calls.storage.close))
            await asyncio.sleep(0)
            early = closing.done()
        await held
        await closing
        return early, await asyncio.wait_for(asyncio.gather(*tasks), 10)

    assert asyncio.run(scene()) == (False, [True] * len(runs))
    assert database.rows("SELECT count(*) FROM blocks") == [(len(runs),)]


def test_work_under_way_is_finished_when_those_who_wait_for_it_are_gone(
    calls: Calls, database: Database
) -> None:
    run = a_run()

    def work(tx: Transaction) -> None:
        holder(tx)
        insert(tx, run)

    async def leave() -> None:
        task = asyncio.create_task(calls.storage.transact(work))
        await asyncio.to_thread(holder.wait)
        task.cancel()

    with Holder() as holder:
        asyncio.run(leave())
    calls.storage.close()
    assert database.rows("SELECT uid FROM runs") == [(run.uid,)]


def test_closing_lets_go_of_the_database_and_may_be_repeated(calls: Calls, database: Database) -> None:
    run = a_run()
    calls.store(run)
    calls.storage.close()
    calls.storage.close()

    if database.kind == "postgresql":
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        assert database.rows(others) == [(0,)]
    with database.outage():
        pass  # a connection still open would hold a lock, or be needed to be ended


def test_a_storage_opened_again_has_what_was_answered(calls: Calls, database: Database) -> None:
    run = a_run(name="run")
    calls.store(run)
    assert calls.advance(advance_of(run)) is True
    calls.storage.close()

    again = SqlStorage(make_engine(parse_url(database.url)))
    try:
        assert again.epoch == calls.storage.epoch
        assert again.kind == database.kind
        assert Calls(again).read(lambda tx: tx.blocks(run.uid, 1, 1, 9)) == list(advance_of(run).blocks)
    finally:
        again.close()
