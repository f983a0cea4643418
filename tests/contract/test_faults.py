"""A database that goes away: callers are told so, one effect is one effect, and it is found again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from lrkeeper.errors import StorageUnavailable
from lrkeeper.server.runs.records import Run
from lrkeeper.server.storage.contract import Transaction
from lrkeeper.server.storage.engine import make_engine, parse_url, prepare_schema
from lrkeeper.server.storage.sql import SqlStorage
from tests.contract.calls import Calls, Request, ask, at_commit
from tests.contract.samples import a_run, advance_of, an_edit
from tests.support.databases import Database, PostgresDatabase


@pytest.fixture
def engine(database: Database) -> Engine:
    """An engine that gives a locked SQLite file up at once."""
    engine = make_engine(parse_url(database.url))
    if database.kind == "sqlite":
        event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout = 0"))
    return engine


@pytest.fixture
def run(calls: Calls) -> Run:
    """A run at step 1."""
    run = a_run(name="run")
    calls.store(run)
    return run


@pytest.fixture
def broken(postgres_database: PostgresDatabase) -> Iterator[tuple[Calls, PostgresDatabase]]:
    """A storage on a PostgreSQL database that can break its connections."""
    engine = make_engine(parse_url(postgres_database.url))
    prepare_schema(engine)
    storage = SqlStorage(engine)
    yield Calls(storage), postgres_database
    storage.close()


def edit_once(
    run: Run, request_id: str, first: Callable[[], None] = lambda: None
) -> Callable[[Transaction], str]:
    """Return work as the use cases are: it looks whether it was done before."""

    def work(tx: Transaction) -> str:
        if tx.edit_by_request(run.uid, request_id) is not None:
            return "done before"
        tx.insert_edit(an_edit(run, revision=len(tx.edits(run.uid)) + 2, request_id=request_id))
        first()
        tx.update_run(run.uid, heard_every=5)
        return "done"

    return work


def test_during_an_outage_callers_are_told_so_and_after_it_all_goes_on(
    calls: Calls, run: Run, database: Database
) -> None:
    for step in (1, 2):
        with database.outage():
            with pytest.raises(StorageUnavailable):
                calls.advance(advance_of(a_run(uid=run.uid, frontier=step)))
            with pytest.raises(StorageUnavailable):
                calls.transact(edit_once(run, "lost"))
            with pytest.raises(StorageUnavailable):
                calls.read(lambda tx: tx.run_by_name("run"))

        assert calls.advance(advance_of(a_run(uid=run.uid, frontier=step))) is True
        assert calls.transact(edit_once(run, f"kept-{step}")) == "done"
        assert len(calls.read(lambda tx: tx.edits(run.uid))) == step


def test_every_request_of_a_batch_that_meets_an_outage_is_told_so(
    calls: Calls, run: Run, database: Database
) -> None:
    others = [a_run(), a_run()]
    calls.store(*others)
    requests: list[Request] = [advance_of(run), edit_once(others[0], "edit"), advance_of(others[1])]

    async def all_at_once() -> list[Any]:
        return await asyncio.gather(*(ask(calls.storage, r) for r in requests), return_exceptions=True)

    with database.outage():
        answers = asyncio.run(all_at_once())

    assert [type(answer) for answer in answers] == [StorageUnavailable] * 3
    assert calls.read(lambda tx: tx.edits(others[0].uid)) == []
    assert asyncio.run(all_at_once()) == [True, "done", True]


def test_a_commit_whose_answer_is_lost_takes_effect_once(calls: Calls, run: Run, engine: Engine) -> None:
    other = a_run()
    calls.store(other)
    lost: list[None] = []

    def lose_the_answer(connection: Connection) -> None:
        if connection.in_nested_transaction() or lost or not commits_the_batch(connection):
            return
        lost.append(None)
        connection.connection.commit()
        connection.invalidate()
        raise OperationalError("COMMIT", {}, Exception("server closed the connection unexpectedly"))

    with at_commit(engine, lose_the_answer):
        answers = calls.together(advance_of(run), edit_once(other, "edit"))

    assert lost
    # Whether the advance is told to have been stored or to have come too late, the run is read again.
    assert answers[0] in (True, False)
    assert answers[1] == "done before"
    stored = calls.read(lambda tx: tx.run_by_uid(run.uid))
    assert stored is not None
    assert stored.frontier == 2
    assert calls.read(lambda tx: tx.blocks(run.uid, 1, 0, 9)) == list(advance_of(run).blocks)
    assert [edit.request_id for edit in calls.read(lambda tx: tx.edits(other.uid))] == ["edit"]


def commits_the_batch(connection: Connection) -> bool:
    """Return whether the transaction has written an edit: the batch, and not what held it up."""
    return bool(connection.exec_driver_sql("SELECT count(*) FROM edits").scalar())


def test_a_connection_lost_in_a_batch_is_taken_anew_and_nothing_happens_twice(
    broken: tuple[Calls, PostgresDatabase],
) -> None:
    calls, database = broken
    run, edited, new = a_run(), a_run(), a_run()
    calls.store(run, edited)
    tries: list[None] = []

    def lose() -> None:
        tries.append(None)
        if len(tries) == 1:
            database.break_connections()

    answers = calls.together(
        lambda tx: tx.insert_run(new), edit_once(edited, "edit", first=lose), advance_of(run)
    )

    assert answers == [None, "done", True]
    assert len(tries) == 2
    assert database.rows("SELECT first_step FROM blocks") == [(1,)]
    assert database.rows("SELECT request_id FROM edits") == [("edit",)]
    assert database.rows("SELECT frontier FROM runs ORDER BY frontier") == [(1,), (1,), (2,)]


def test_a_connection_lost_after_a_conflict_is_taken_anew(broken: tuple[Calls, PostgresDatabase]) -> None:
    calls, database = broken
    run, edited = a_run(), a_run()
    calls.store(run, edited)
    tries: list[None] = []

    def lose() -> None:
        tries.append(None)
        if len(tries) == 1:
            database.break_connections()

    stale = a_run(uid=edited.uid, frontier=9)
    answers = calls.together(advance_of(run), advance_of(stale), edit_once(edited, "edit", first=lose))

    assert answers == [True, False, "done"]
    assert len(tries) == 2
    assert database.rows("SELECT first_step FROM blocks") == [(1,)]
    assert database.rows("SELECT request_id FROM edits") == [("edit",)]


def test_an_outage_that_begins_while_a_request_is_repeated_is_got_over(
    broken: tuple[Calls, PostgresDatabase],
) -> None:
    calls, database = broken
    run, neighbour = a_run(), a_run()
    calls.store(run, neighbour)
    tries: list[None] = []

    with ExitStack() as outage:

        def work(tx: Transaction) -> None:
            tries.append(None)
            if len(tries) == 1:
                tx.insert_run(run)  # the database refuses it, and so all are repeated one by one
            outage.enter_context(database.outage())
            tx.run_by_uid(run.uid)

        answers = calls.together(advance_of(neighbour), work)

    assert answers[0] is True
    assert isinstance(answers[1], StorageUnavailable)
    assert calls.advance(advance_of(run)) is True
    assert database.rows("SELECT frontier FROM runs") == [(2,), (2,)]


def test_connections_lost_between_two_requests_are_not_noticed(
    broken: tuple[Calls, PostgresDatabase],
) -> None:
    calls, database = broken
    run = a_run(name="run")
    calls.store(run)
    database.break_connections()
    assert calls.advance(advance_of(run)) is True
    database.break_connections()
    assert calls.read(lambda tx: tx.run_by_name("run")) is not None


def test_two_storages_that_lock_the_same_runs_crosswise_both_succeed(
    broken: tuple[Calls, PostgresDatabase],
) -> None:
    calls, database = broken
    replica = SqlStorage(make_engine(parse_url(database.url)))
    first, second = a_run(), a_run()
    calls.store(first, second)
    both_hold_one = threading.Barrier(2, timeout=60)
    answers: dict[str, Any] = {}

    def lock(name: str, storage: Calls, one: Run, other: Run) -> None:
        met: list[int] = []

        def work(tx: Transaction) -> str:
            tx.run_by_uid(one.uid)
            if not met:
                met.append(both_hold_one.wait())
            tx.run_by_uid(other.uid)
            tx.update_run(one.uid, heard_every=7)
            return "done"

        answers[name] = storage.transact(work)

    try:
        threads = [
            threading.Thread(target=lock, args=("ours", calls, first, second)),
            threading.Thread(target=lock, args=("theirs", Calls(replica), second, first)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        replica.close()
    assert answers == {"ours": "done", "theirs": "done"}
    assert database.rows("SELECT heard_every FROM runs") == [(7,), (7,)]
