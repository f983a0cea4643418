"""A run whose holder has not been heard of for some time: a minute is too long to wait for."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.protocol.stored import file_of
from tests.support.server import ServerProcess

SECOND = 1_000_000


def let_pass(server: ServerProcess, run_uid: str, seconds: int, *, every: int = 0) -> None:
    """Make a run's holder silent for so long, after it was heard of `every` so many seconds.

    The server is restarted: its own time goes on as it does.
    """
    server.stop()
    with closing(sqlite3.connect(file_of(server))) as connection, connection:
        connection.execute(
            "UPDATE runs SET heard_at = heard_at - ?, heard_every = ? WHERE uid = ?",
            (seconds * SECOND, every * SECOND, run_uid),
        )
        assert connection.execute("SELECT changes()").fetchone() == (1,)
    server.start()
