"""The storage on a SQL database: one thread, one connection, group commit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from lrkeeper.server.storage import tables as t
from lrkeeper.server.storage.contract import Advance, Storage, Transaction
from lrkeeper.server.storage.faults import storage_error
from lrkeeper.server.storage.transaction import SqlTransaction, block_values
from sqlalchemy import Engine, bindparam, insert, select, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

T = TypeVar("T")

_TRIES = 3
_LINGER_SECONDS = 0.002


@dataclass(slots=True)
class _Item:
    """One request of a batch: an advance, or work in a transaction; and who waits for it."""

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    advance: Advance | None = None
    work: Callable[[Transaction], Any] | None = None
    writes: bool = True
    result: Any = None
    error: BaseException | None = field(default=None)


class SqlStorage(Storage):
    """`Storage` on SQLite or PostgreSQL.

    The thread takes what has queued up while the commit before was in flight, runs it in one
    transaction, commits, and only then answers. Advances go first, as two statements for all of them:
    each run's row is updated only if it is as the rows were evaluated for, so a conflict is a row
    count. If the count falls short, or the database fails, every request gets a transaction of its own.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.kind = engine.dialect.name
        self._queue: SimpleQueue[_Item | None] = SimpleQueue()
        self._statements = _Statements(engine)
        self._thread = Thread(target=self._run, name="lrkeeper-database", daemon=True)
        with engine.connect() as connection:
            self.epoch = connection.execute(
                select(t.meta.c.value).where(t.meta.c.key == "store_epoch")
            ).scalar_one()
        self._connection = engine.connect()
        self._thread.start()

    async def advance(self, advance: Advance) -> bool:
        loop = asyncio.get_running_loop()
        item = _Item(loop, loop.create_future(), advance=advance)
        self._queue.put(item)
        stored: bool = await item.future
        return stored

    async def transact(self, work: Callable[[Transaction], T], *, writes: bool = True) -> T:
        loop = asyncio.get_running_loop()
        item = _Item(loop, loop.create_future(), work=work, writes=writes)
        self._queue.put(item)
        result: T = await item.future
        return result

    def close(self) -> None:
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
        self._engine.dispose()

    # The database thread.

    def _run(self) -> None:
        crowd = 0
        while batch := self._gather(crowd):
            crowd = len(batch)
            try:
                try:
                    self._commit(batch)
                except (SQLAlchemyError, _Conflict):
                    self._commit_each(batch)
            except Exception as error:  # a fault of ours must not leave callers waiting
                for item in batch:
                    item.error = error
            self._answer(batch)
        self._connection.close()

    def _gather(self, crowd: int) -> list[_Item]:
        """Wait for a request and take what else is there; empty at the end.

        When the batch before was a crowd, its members are likely on their way back: linger for them,
        since a commit costs the same for one as for all. A lone caller never waits.
        """
        item = self._queue.get()
        if item is None:
            return []
        batch = [item]
        deadline = time.monotonic() + _LINGER_SECONDS
        while True:
            try:
                if len(batch) >= crowd * 0.75:
                    item = self._queue.get_nowait()
                else:
                    item = self._queue.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                return batch
            if item is None:
                self._queue.put(None)
                return batch
            batch.append(item)

    def _commit(self, batch: list[_Item]) -> None:
        """Run the batch in one transaction; raises _Conflict if an advance found its run changed."""
        advances = [item.advance for item in batch if item.advance is not None]
        with self._connection.begin():
            if advances and self._statements.store(self._connection, advances) != len(advances):
                raise _Conflict
            for item in batch:
                if item.work is None:
                    item.result = True
                elif not item.writes:
                    self._attempt(item)
                else:
                    savepoint = self._connection.begin_nested()
                    self._attempt(item)
                    if item.error is None:
                        savepoint.commit()
                    else:
                        savepoint.rollback()

    def _attempt(self, item: _Item) -> None:
        assert item.work is not None
        item.error = None
        try:
            item.result = item.work(SqlTransaction(self._connection))
        except SQLAlchemyError:
            raise
        except Exception as error:
            item.error = error

    def _commit_each(self, batch: list[_Item]) -> None:
        """Give every request a transaction of its own, and try again where the database failed.

        A COMMIT whose outcome is unknown may have been one: advances find their run moved on, and
        works their ids, so going again changes nothing twice.
        """
        for item in batch:
            for tries in range(_TRIES):
                item.error = None
                try:
                    with self._connection.begin() as transaction:
                        if item.advance is not None:
                            item.result = self._statements.store(self._connection, [item.advance]) == 1
                        else:
                            self._attempt(item)
                        if item.error is not None or item.result is False:
                            transaction.rollback()
                    break
                except SQLAlchemyError as error:
                    item.error = storage_error(error)
                    if tries + 1 < _TRIES:
                        self._reconnect(error)

    def _reconnect(self, error: SQLAlchemyError) -> None:
        """Take a new connection where the one in use is broken."""
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            self._connection.close()
            self._connection = self._engine.connect()

    def _answer(self, batch: list[_Item]) -> None:
        loops = {id(item.loop): item.loop for item in batch}
        for key, loop in loops.items():
            members = [item for item in batch if id(item.loop) == key]
            loop.call_soon_threadsafe(_resolve, members)


def _resolve(items: list[_Item]) -> None:
    for item in items:
        if item.future.done():  # the caller has given up
            continue
        if item.error is not None:
            item.future.set_exception(item.error)
        else:
            item.future.set_result(item.result)


class _Conflict(Exception):
    """The batch cannot be committed as one."""


class _Statements:
    """The two statements of the hot path, compiled once for the driver."""

    def __init__(self, engine: Engine) -> None:
        c = t.runs.c
        guard = {"of_uid": c.uid, "of_branch": c.branch, "of_fence": c.fence}
        guard |= {"of_revision": c.revision, "of_frontier": c.frontier}
        move = (
            update(t.runs)
            .where(c.state == "active", *(column == bindparam(name) for name, column in guard.items()))
            .values({name: bindparam(name) for name in ("frontier", "cursor", "heard_at", "heard_every")})
        )
        self._move = _Compiled(engine, move)
        self._insert = _Compiled(engine, insert(t.blocks))

    def store(self, connection: Any, advances: list[Advance]) -> int:
        """Move the runs on and store their blocks; return how many runs were as expected."""
        moved = connection.exec_driver_sql(
            self._move.sql,
            [
                self._move.arguments(
                    {
                        "of_uid": a.run_uid,
                        "of_branch": a.branch,
                        "of_fence": a.fence,
                        "of_revision": a.revision,
                        "of_frontier": a.frontier,
                        "frontier": a.new_frontier,
                        "cursor": a.cursor,
                        "heard_at": a.heard_at,
                        "heard_every": a.heard_every,
                    }
                )
                for a in advances
            ],
        ).rowcount
        if moved == len(advances):
            blocks = [self._insert.arguments(block_values(b)) for a in advances for b in a.blocks]
            connection.exec_driver_sql(self._insert.sql, blocks)
        return int(moved)


class _Compiled:
    """A statement as the driver takes it. Core's own execution costs twice as much a row."""

    def __init__(self, engine: Engine, statement: Any) -> None:
        compiled = statement.compile(dialect=engine.dialect)
        self.sql = str(compiled)
        self._constants = {k: v for k, v in compiled.params.items() if v is not None}
        self._order: list[str] | None = compiled.positiontup

    def arguments(self, values: dict[str, Any]) -> Any:
        """Return one execution's arguments."""
        values = {**self._constants, **values}
        return values if self._order is None else tuple([values[name] for name in self._order])
