"""The production storage on the simulation's database: its batches, without its thread and its process."""

from __future__ import annotations

import asyncio
import marshal
import sqlite3
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from lrkeeper.server.storage import writer, writer_process
from lrkeeper.server.storage.contract import Advance, Transaction
from lrkeeper.server.storage.group_commit import Item
from lrkeeper.server.storage.sql import SqlStorage
from tests.simulation.database import Crash, failure

if TYPE_CHECKING:
    from tests.simulation.world import World

REQUEST: ContextVar[str] = ContextVar("request", default="")
"""The message that the present task handles."""


class Gathering:
    """Batches of what comes within a moment, each run at once; the answers leave another moment later."""

    def __init__(self, world: World, server: str, run: Callable[[list[Item]], None]) -> None:
        self._world, self._server, self._run = world, server, run
        self._waiting: list[tuple[Item, str]] = []
        self._busy = False
        self.dead = False
        self.on_crash: Callable[[], None] = lambda: None

    def submit(
        self,
        advance: Advance | None = None,
        work: Callable[[Transaction], Any] | None = None,
        writes: bool = True,
        meanwhile: Callable[[], None] | None = None,
    ) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self._world.loop.create_future()
        self._waiting.append((Item(future, advance, work, writes, meanwhile), REQUEST.get()))
        if not self._busy and not self.dead:
            self._busy = True
            self._world.loop.call_later(self._world.random.choice((0.0, 0.001, 0.02)), self._go)
        return future

    def close(self) -> None:
        """Take nothing more."""
        self.dead = True

    def _go(self) -> None:
        if self.dead:
            return
        batch, self._waiting = self._waiting, []
        for item, _ in batch:
            if item.meanwhile is not None and not item.future.done():
                item.meanwhile()
        try:
            self._carry_out(batch)
        except Crash:
            self.on_crash()
            return
        self._world.loop.call_later(self._world.random.choice((0.001, 0.003, 0.05)), self._done, batch)

    def _done(self, batch: list[tuple[Item, str]]) -> None:
        if self.dead:
            return
        self._busy = False
        for item, _ in batch:
            item.resolve()
        if self._waiting:
            self._busy = True
            self._go()

    def _carry_out(self, batch: list[tuple[Item, str]]) -> None:
        world, database = self._world, self._world.database
        before = database.runs()
        trouble = Trouble(world, size=len(batch))
        database.before_statement, database.at_commit = trouble.statement, trouble.commit
        try:
            self._run([item for item, _ in batch])
        finally:
            database.before_statement = database.at_commit = None
            database.rollback()
            after = database.runs()
            changed = [list(row) for uid, row in after.items() if before.get(uid) != row]
            if changed:
                world.history.note(
                    "commit",
                    server=self._server,
                    clock=world.clock(),
                    requests=[request for item, request in batch if item.writes],
                    advances=[_facts(item.advance, request) for item, request in batch if item.advance],
                    runs=changed,
                )


def _facts(advance: Advance, request: str) -> list[Any]:
    return [
        request,
        advance.run_uid,
        advance.fence,
        advance.branch,
        advance.frontier,
        advance.new_frontier,
    ]


class Trouble:
    """What goes wrong in one batch: at one of its statements, for a while, or at its commit."""

    def __init__(self, world: World, error: Callable[[str], Exception] = failure, size: int = 1) -> None:
        self._world, self._error, self._size, faults = world, error, size, world.faults
        self._at = self._lasting = -1
        self._count = 0
        if faults.may("sql_error"):
            self._at, self._lasting = world.random.randrange(12), 1
        elif faults.may("sql_error_lasting"):
            self._at, self._lasting = world.random.randrange(12), world.random.randrange(2, 60)
        elif faults.may("database_unavailable"):
            self._at, self._lasting = 0, 1_000_000

    def statement(self) -> None:
        """Raise what the database says to a statement, if anything."""
        self._count += 1
        if 0 <= self._count - 1 - self._at < self._lasting and self._at >= 0:
            if self._count - 1 == self._at:
                names = {1: "sql_error", 1_000_000: "database_unavailable"}
                self._world.faults.note(names.get(self._lasting, "sql_error_lasting"))
                if self._size > 1:
                    self._world.faults.note("neighbour_fails")
            raise self._error("database is locked")

    def commit(self, commit: Callable[[], object]) -> None:
        """Raise what comes instead of a commit's answer, if anything, with the commit done or not."""
        faults = self._world.faults
        if faults.fires("crash_before_commit"):
            raise Crash
        if faults.fires("crash_after_commit"):
            commit()
            raise Crash
        if faults.fires("commit_unknown_done"):
            commit()
            raise self._error("the connection was lost")
        if faults.fires("commit_unknown_undone"):
            raise self._error("the connection was lost")


class InlineWriter(writer.Writer):
    """The writer process's rules, without the process."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._answers = writer_process.NOT_STORED
        self._works = True

    def _ask(self, content: Any) -> bool:
        if not self._works:
            return False
        batch = marshal.loads(marshal.dumps(content))
        connection: Any = _Connection(self._world)
        self._answers = writer_process._store(connection, writer._MOVE, writer._INSERT, batch)
        return True

    def _answer(self) -> bytes:
        return self._answers

    def close(self) -> None:
        """Nothing is to end."""


class _Connection:
    """The database as the writer's process has it: with its own troubles."""

    def __init__(self, world: World) -> None:
        self._raw = world.database.raw
        self._trouble = Trouble(world, sqlite3.OperationalError)

    @property
    def in_transaction(self) -> bool:
        return self._raw.in_transaction

    def execute(self, sql: str) -> Any:
        if sql != "ROLLBACK":
            self._trouble.statement()
        if sql == "COMMIT":
            self._trouble.commit(lambda: self._raw.execute("COMMIT"))
        return self._raw.execute(sql)

    def executemany(self, sql: str, rows: Any) -> Any:
        self._trouble.statement()
        return self._raw.executemany(sql, rows)


def open_storage(world: World, server: str, *, with_writer: bool) -> tuple[SqlStorage, Gathering]:
    """Return a server's storage, and what makes its batches."""
    found: list[Gathering] = []

    def gather(run: Callable[[list[Item]], None], _hand_over: object) -> Gathering:
        found.append(Gathering(world, server, run))
        return found[0]

    def write(_: object) -> writer.Writer:
        return InlineWriter(world) if with_writer else _NoWriter()

    storage = SqlStorage(world.database.engine, gather, write)
    return storage, found[0]


class _NoWriter(writer.Writer):
    """None: the server commits by itself, as on PostgreSQL."""

    def __init__(self) -> None:
        self._works = False

    def store(self, advances: list[Advance]) -> bool:
        return False

    def close(self) -> None:
        """Nothing is to end."""
