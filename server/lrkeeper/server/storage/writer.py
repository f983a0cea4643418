"""A process of its own for the hot path's commits on SQLite.

SQLite does its work in the caller's thread, and each statement there takes the interpreter lock from the
event loop and gives it back: that made a commit of 64 advances take 2.4 ms instead of 1.5, and kept the
loop from receiving in the meantime. In a process of its own a commit costs the loop nothing.
"""

from __future__ import annotations

import asyncio
import fcntl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import structlog
from sqlalchemy import Connection

from lrkeeper.server.storage import tables as t
from lrkeeper.server.storage import writer_process
from lrkeeper.server.storage.contract import Advance
from lrkeeper.server.storage.rows import block_values

_log = structlog.get_logger("lrkeeper.storage")

_MOVE = (
    "UPDATE runs SET frontier = ?6, cursor = ?7, heard_at = ?8, heard_every = ?9 WHERE uid = ?1 "
    "AND state = 'active' AND branch = ?2 AND fence = ?3 AND revision = ?4 AND frontier = ?5"
)
_INSERT = (
    f"INSERT INTO blocks ({', '.join(column.name for column in t.blocks.c)}) "  # noqa: S608
    f"VALUES ({', '.join('?' * len(t.blocks.c))})"
)
_ENDS_WITHIN_SECONDS = 60.0
_LEAST_ROOM = 4096  # bytes that any pipe takes


class DiskFailed(Exception):
    """SQLite could not read, write or sync its file."""


class Writer:
    """Commits batches of advances in a process that ends with this one.

    It only ever adds speed: what it does not store, the caller stores on a connection of its own. It is asked for one
    batch after the other.

    Args:
        connection: one to the database, with the settings that the process shall have.
    """

    def __init__(self, connection: Connection) -> None:
        script = str(Path(writer_process.__file__))
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-S", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        settings = [
            f"PRAGMA {name} = {connection.exec_driver_sql(f'PRAGMA {name}').scalar_one()}"
            for name in ("synchronous", "foreign_keys", "busy_timeout")
        ]
        self._works = True
        self._asked = False  # there is an answer to come
        self._room = _room(self._process.stdin)
        self._ask((connection.engine.url.database, settings, _MOVE, _INSERT))

    def store(self, advances: list[Advance]) -> bool:
        """Store all advances in one transaction; False if nothing is known to be stored.

        Raises DiskFailed where the process must not go on.
        """
        if not self._ask(_rows(advances)):
            return False
        return self._stored(self._answer())

    def begin(
        self,
        loop: asyncio.AbstractEventLoop,
        advances: list[Advance],
        answered: Callable[[bool], None],
        disk_failed: Callable[[], None],
    ) -> bool:
        """Do as `store` without waiting: `answered` is called on the loop. False where that cannot be."""
        assert self._process.stdout is not None
        data = writer_process.message(_rows(advances))
        if self._asked or len(data) > self._room:
            return False
        if not self._send(data):
            return False
        pipe, self._asked = self._process.stdout, True

        def readable() -> None:
            loop.remove_reader(pipe)
            self._asked = False
            try:
                answered(self._stored(self._answer()))
            except DiskFailed:
                disk_failed()

        loop.add_reader(pipe, readable)
        return True

    def close(self) -> None:
        """End the process, once it has let go of the database."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(_ENDS_WITHIN_SECONDS)
        self._process.stdout.close()

    def _stored(self, answer: bytes) -> bool:
        if answer == writer_process.DISK_FAILED:
            raise DiskFailed
        return answer == writer_process.STORED

    def _ask(self, content: object) -> bool:
        """Return whether the process could be asked."""
        if self._asked:  # by a loop that has been closed since
            self._asked = False
            self._answer()
        return self._send(writer_process.message(content))

    def _send(self, data: bytes) -> bool:
        assert self._process.stdin is not None
        rest = memoryview(data)
        try:
            while self._works and rest:
                rest = rest[self._process.stdin.write(rest) :]
        except OSError:
            self._gone()
        return self._works

    def _answer(self) -> bytes:
        assert self._process.stdout is not None
        answer = self._process.stdout.read(1)
        if not answer:
            self._gone()
        return answer

    def _gone(self) -> None:
        self._works = False
        _log.warning("the process that writes to the database has ended; the server writes by itself, slower")


def _rows(advances: list[Advance]) -> tuple[list[Any], list[Any]]:
    moves = [advance[:9] for advance in advances]
    return moves, [tuple(block_values(block).values()) for advance in advances for block in advance.blocks]


def _room(pipe: IO[bytes] | None) -> int:
    """Return how many bytes an empty pipe takes at once."""
    how = getattr(fcntl, "F_GETPIPE_SZ", None)
    return _LEAST_ROOM if how is None or pipe is None else int(fcntl.fcntl(pipe, how))
