"""The storage on a SQL database: one thread, one connection, group commit."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import NoReturn, TypeVar

import structlog
from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import SQLAlchemyError

from lrkeeper.server.storage import tables as t
from lrkeeper.server.storage.contract import Advance, Storage, Transaction
from lrkeeper.server.storage.faults import is_disk_failure, storage_error
from lrkeeper.server.storage.group_commit import Gathering, GroupCommit, HandOver, Item
from lrkeeper.server.storage.statements import Statements
from lrkeeper.server.storage.transaction import SqlTransaction
from lrkeeper.server.storage.writer import DiskFailed, Writer

T = TypeVar("T")

_log = structlog.get_logger("lrkeeper.storage")

_TRIES = 3


class SqlStorage(Storage):
    """`Storage` on SQLite or PostgreSQL.

    A batch runs in one transaction, and is answered after the commit. Advances go first, as two
    statements for all of them: each run's row is updated only if it is as the rows were evaluated for,
    so a conflict is a row count. If the count falls short, or the database fails, every request gets a
    transaction of its own.

    `gather` makes batches of requests, and `write` commits advances on SQLite.
    """

    def __init__(
        self,
        engine: Engine,
        gather: Callable[[Callable[[list[Item]], None], HandOver | None], Gathering] = GroupCommit,
        write: Callable[[Connection], Writer] = Writer,
    ) -> None:
        self._engine = engine
        self.kind = engine.dialect.name
        self._statements = Statements(engine)
        with engine.connect() as connection:
            self.epoch = connection.execute(
                select(t.meta.c.value).where(t.meta.c.key == "store_epoch")
            ).scalar_one()
        self._connection = engine.connect()
        self._writer = write(self._connection) if self.kind == "sqlite" else None
        self._connection.rollback()
        self._group = gather(self._run, self._hand_over if self._writer is not None else None)

    async def advance(self, advance: Advance, meanwhile: Callable[[], None] | None = None) -> bool:
        stored: bool = await self._group.submit(advance, meanwhile=meanwhile)
        return stored

    async def transact(self, work: Callable[[Transaction], T], *, writes: bool = True) -> T:
        result: T = await self._group.submit(work=work, writes=writes)
        return result

    def close(self) -> None:
        self._group.close()
        if self._writer is not None:
            self._writer.close()
        self._connection.close()
        self._engine.dispose()

    # On the event loop.

    def _hand_over(
        self, loop: asyncio.AbstractEventLoop, batch: list[Item], done: Callable[[bool], None]
    ) -> bool:
        """Have the writer commit a batch, where it takes it."""
        advances = [item.advance for item in batch if item.advance is not None]
        if self._writer is None or len(advances) < len(batch):
            return False

        def answered(stored: bool) -> None:
            for item in batch:
                item.result = stored
            done(stored)

        return self._writer.begin(loop, advances, answered, self._disk_failed)

    def _disk_failed(self) -> None:
        self._end("disk I/O error")

    # In the database thread.

    def _run(self, batch: list[Item]) -> None:
        try:
            try:
                if not self._written(batch):
                    self._commit(batch)
            except _Conflict:
                self._commit_each(batch)
            except SQLAlchemyError as error:
                self._note(error)
                self._commit_each(batch)
        except Exception as error:  # a fault of ours must not leave callers waiting
            for item in batch:
                item.error = error

    def _written(self, batch: list[Item]) -> bool:
        """Return whether the writer has committed the batch; it takes advances only."""
        advances = [item.advance for item in batch if item.advance is not None]
        if self._writer is None or len(advances) < len(batch):
            return False
        try:
            stored = self._writer.store(advances)
        except DiskFailed:
            self._disk_failed()
        for item in batch:
            item.result = stored
        return stored

    def _commit(self, batch: list[Item]) -> None:
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

    def _attempt(self, item: Item) -> None:
        assert item.work is not None
        item.error = None
        try:
            item.result = item.work(SqlTransaction(self._connection))
        except SQLAlchemyError:
            raise
        except Exception as error:
            item.error = error

    def _commit_each(self, batch: list[Item]) -> None:
        """Give every request a transaction of its own, and try again where the database failed.

        A COMMIT whose outcome is unknown may have been one: advances find their run moved on, and
        works their ids, so going again changes nothing twice.
        """
        for item in batch:
            for _ in range(_TRIES):
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
                    self._note(error)
                    item.error = storage_error(error)

    def _note(self, error: SQLAlchemyError) -> None:
        """Log what the database said; end the process where its disk failed."""
        said = str(getattr(error, "orig", error))
        if is_disk_failure(error):
            self._end(said)
        _log.warning("database error", error=said)

    def _end(self, said: str) -> NoReturn:
        _log.critical("the disk failed; ending, since what was written may be lost", error=said)
        os._exit(os.EX_IOERR)


class _Conflict(Exception):
    """The batch cannot be committed as one."""
