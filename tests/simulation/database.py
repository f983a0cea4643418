"""A SQLite database in memory: fresh for each seed, copied, restored, and failing when it is told to."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import Connection, StaticPool, create_engine, event
from sqlalchemy.exc import OperationalError

from lrkeeper.server.storage.engine import prepare_schema

_RUNS = "SELECT uid, branch, fence, frontier, revision, state FROM runs ORDER BY uid"


class Crash(BaseException):
    """The server's process ends here and now."""


class Database:
    """The one database of a process; `fresh` empties it.

    `before_statement` and `at_commit` are called there; what they raise is what the database says. `at_commit`
    is given what commits.
    """

    def __init__(self) -> None:
        self.raw = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self.engine = create_engine(
            "sqlite://", creator=lambda: self.raw, poolclass=StaticPool, pool_reset_on_return=None
        )
        self.before_statement: Callable[[], None] | None = None
        self.at_commit: Callable[[Callable[[], object]], None] | None = None
        listen: Any = event.listens_for  # it is not typed
        listen(self.engine, "begin")(self._begin)
        listen(self.engine, "commit")(self._commit)
        listen(self.engine, "before_cursor_execute")(self._execute)
        prepare_schema(self.engine)
        self.raw.execute("PRAGMA foreign_keys=ON")
        self._empty = self.raw.serialize()

    def fresh(self, epoch: str) -> None:
        """Be an empty database of the present schema."""
        self.before_statement = self.at_commit = None
        self.put(self._empty, epoch)

    def copy(self) -> bytes:
        """Return a backup."""
        return self.raw.serialize()

    def put(self, image: bytes, epoch: str) -> None:
        """Be what a backup was, under a new epoch."""
        self.rollback()
        self.raw.deserialize(image)
        self.raw.execute("UPDATE meta SET value = ? WHERE key = 'store_epoch'", (epoch,))

    def rollback(self) -> None:
        """Lose what is not committed, as a process that ends does."""
        if self.raw.in_transaction:
            self.raw.execute("ROLLBACK")

    def runs(self) -> dict[str, tuple[Any, ...]]:
        """Return where the runs are."""
        return {row[0]: row for row in self.raw.execute(_RUNS)}

    def tables(self) -> dict[str, list[dict[str, Any]]]:
        """Return all rows, as plain values."""
        names = [name for (name,) in self.raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: self._rows(name) for name in sorted(names)}

    def _rows(self, table: str) -> list[dict[str, Any]]:
        cursor = self.raw.execute(f'SELECT * FROM "{table}"')
        columns = [column[0] for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor]

    def _begin(self, connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    def _execute(self, *_: Any) -> None:
        if self.before_statement is not None:
            self.before_statement()

    def _commit(self, _: Connection) -> None:
        if self.at_commit is not None:
            self.at_commit(lambda: self.raw.execute("COMMIT"))


def failure(said: str) -> OperationalError:
    """Return an error as the database driver's comes."""
    return OperationalError(None, None, sqlite3.OperationalError(said))


@cache
def database() -> Database:
    """Return the process's database."""
    return Database()
