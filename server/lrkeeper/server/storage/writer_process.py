"""The process that commits advances to SQLite. See `writer`, which starts it.

Run as a script, and with nothing but the standard library, so that it starts in milliseconds. What it is
asked comes by standard input: `marshal` with the length before it, as both ends are the same Python. The
first message has the database's path, the settings of a connection, and the two statements; each of the
others a batch's rows for both. The answer to a batch is one byte on standard output.
"""

from __future__ import annotations

import marshal
import os
import signal
import sqlite3
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, Any

STORED = b"s"
NOT_STORED = b"n"
DISK_FAILED = b"d"

_SIZE = struct.Struct("<I")


def message(content: Any) -> bytes:
    """Return what one end sends the other."""
    data = marshal.dumps(content)
    return _SIZE.pack(len(data)) + data


def _messages(stream: IO[bytes]) -> Iterator[Any]:
    while len(size := stream.read(_SIZE.size)) == _SIZE.size:
        data = stream.read(*_SIZE.unpack(size))
        if len(data) == _SIZE.unpack(size)[0]:
            yield marshal.loads(data)  # noqa: S302 - from the process that started this one


def _store(connection: sqlite3.Connection, move: str, insert: str, batch: tuple[Any, Any]) -> bytes:
    moves, blocks = batch
    try:
        connection.execute("BEGIN IMMEDIATE")
        if connection.executemany(move, moves).rowcount == len(moves):
            connection.executemany(insert, blocks)
            connection.execute("COMMIT")
            return STORED
        connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        if "disk I/O error" in str(error):
            return DISK_FAILED
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return NOT_STORED


def main() -> None:
    """Serve until the other end closes, which its process does by ending, too."""
    for number in (signal.SIGINT, signal.SIGTERM):  # sent to the whole group, they mean the server
        signal.signal(number, signal.SIG_IGN)
    messages = _messages(sys.stdin.buffer)
    path, settings, move, insert = next(messages)
    connection = sqlite3.connect(path, isolation_level=None)
    for setting in settings:
        connection.execute(setting)
    for batch in messages:
        answer = _store(connection, move, insert, batch)
        with suppress(BrokenPipeError):  # the server was killed; then no batch follows either
            os.write(sys.stdout.fileno(), answer)
        if answer == DISK_FAILED:
            os._exit(os.EX_IOERR)  # closing would write and sync again
    connection.close()


if __name__ == "__main__":
    main()
