"""Opening a database: SQLite as it must be set, the lock on its file, the schema it must have."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from lrkeeper import migrations


class CannotOpen(Exception):
    """The database cannot be used; the message says what to do."""


def parse_url(text: str) -> URL:
    """Return a database URL of a kind lrkeeper runs on. Raises CannotOpen."""
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise CannotOpen("the database URL cannot be read; it looks like sqlite:///path/to/file") from error
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise CannotOpen(f"the database URL names {url.get_backend_name()}; use sqlite:/// or postgresql://")
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise CannotOpen("the database URL names no file; it looks like sqlite:///path/to/file")
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+psycopg")
    return url


def make_engine(url: URL) -> Engine:
    """Return an engine whose transactions are durable once committed."""
    if url.get_backend_name() == "postgresql":
        return create_engine(url, pool_pre_ping=True, isolation_level="READ COMMITTED")
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(
        url, connect_args={"isolation_level": None, "timeout": 5, "check_same_thread": False}
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # never a lock upgrade, which fails at once if busy

    return engine


def lock(url: URL) -> FileLock | None:
    """Take a SQLite file for this process; one server has it. Raises CannotOpen."""
    if url.get_backend_name() != "sqlite":
        return None
    path = Path(f"{os.path.realpath(str(url.database))}.lock")  # the same by whatever name the file goes
    taken = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        taken.acquire(timeout=0)
    except Timeout:
        raise CannotOpen(
            f"another lrkeeper server has {url.database} open; stop it first, "
            "or give this one another --database-url"
        ) from None
    except OSError as error:
        raise CannotOpen(f"{url.database} cannot be made: {error}") from error
    return taken


def prepare_schema(engine: Engine) -> None:
    """Create the schema in an empty database; raise CannotOpen if it is not the one of this version."""
    shown = engine.url.set(query={}).render_as_string(hide_password=True)
    try:
        present, needed = migrations.current(engine), migrations.head()
        if present is None:
            migrations.upgrade(engine)
            return
    except ValueError as error:
        raise CannotOpen(f"{shown}: {error}") from None
    except DBAPIError as error:
        if "database is locked" in str(error.orig):  # we have the file: it is no server that runs
            raise CannotOpen(
                f"{shown} is being written to by another process, such as what is left of a server that was "
                "killed; start this one again"
            ) from error
        raise CannotOpen(f"{shown} cannot be opened: {error.orig}") from error
    if present != needed:
        if present not in migrations.known():
            raise CannotOpen(
                f"{shown} has schema {present}, which this version of lrkeeper does not know: "
                "it was written by a newer one; use that"
            )
        raise CannotOpen(
            f"{shown} has schema {present}, and this version needs {needed}. Back it up, then run:\n"
            f"    lrkeeper db upgrade{how_named(engine.url)}"
        )


def how_named(url: URL) -> str:
    """Return how a command names the database: by option, or where a password is in it, not at all."""
    if url.get_backend_name() == "sqlite":
        return f" --database-url '{url.render_as_string()}'"
    return "\nwith LRKEEPER_DATABASE_URL set as it is for the server"
