"""All that a server's database file holds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from tests.support.server import ServerProcess

Contents = dict[str, list[tuple[Any, ...]]]


def file_of(server: ServerProcess) -> Path:
    """Return the path of a server's SQLite file."""
    return Path(server.database_url.removeprefix("sqlite:///"))


def contents(server: ServerProcess) -> Contents:
    """Return every row of every table, but where ranks are: that is written when there is time."""
    with closing(sqlite3.connect(f"file:{file_of(server)}?mode=ro", uri=True)) as connection:
        tables = [
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        assert {"runs", "blocks", "edits", "schedules"} <= set(tables)
        return {
            table: sorted(connection.execute(f'SELECT * FROM "{table}"').fetchall(), key=repr)
            for table in tables
            if table != "rank_progress"
        }


def rows(server: ServerProcess, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Return what a query finds in a server's database."""
    with closing(sqlite3.connect(f"file:{file_of(server)}?mode=ro", uri=True)) as connection:
        return connection.execute(query, values).fetchall()
