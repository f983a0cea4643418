"""Backups of a database, putting one back, and the new store epoch by which clients notice."""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine, create_engine, update
from sqlalchemy.engine import URL

from lrkeeper import migrations
from lrkeeper.server.storage import tables as t
from lrkeeper.server.storage.engine import CannotOpen, lock, make_engine

_PG = "PostgreSQL has its own tools for that: "


def take(url: URL, to: Path) -> None:
    """Copy a SQLite database to a file, also while a server runs. Raises CannotOpen.

    The file is there when it is complete and on disk; nothing is overwritten.
    """
    if url.get_backend_name() != "sqlite":
        raise CannotOpen(
            f"{_PG}pg_dump --format=custom --file=FILE URL; to put it back, stop all servers, run pg_restore "
            "--clean --if-exists, then lrkeeper db renew-epoch, so that the jobs notice"
        )
    source = Path(str(url.database))
    if not source.exists():
        raise CannotOpen(f"there is no database {source}")
    if to.exists():
        raise CannotOpen(f"{to} exists already; a backup is written to a new file")
    with _beside(to) as part:
        _copy(source, part)
        schema_of(part)
        os.link(part, to)  # unlike a rename, fails where somebody else has made the file
    _sync_folder(to)


def put_back(url: URL, source: Path) -> Path | None:
    """Put a backup in a SQLite database's place, with a new store epoch; return what the old file is now, if any.

    No server may have the database open. Raises CannotOpen; then nothing has changed.
    """
    if url.get_backend_name() != "sqlite":
        raise CannotOpen(
            f"{_PG}stop all servers, run pg_restore --clean --if-exists --dbname=URL FILE, then lrkeeper db "
            "renew-epoch, so that the jobs notice"
        )
    if not source.is_file():
        raise CannotOpen(f"there is no backup {source}")
    target = Path(os.path.realpath(str(url.database)))
    if target.exists() and target.samefile(source):
        raise CannotOpen(f"{source} is the database itself")
    taken = lock(url)
    try:
        with _beside(target) as part:
            _copy(source, part)
            schema_of(part)
            _renew(create_engine(URL.create("sqlite", database=str(part))))
            _fold(part)
            kept = _set_aside(target)
            part.replace(target)
        _sync_folder(target)
    finally:
        if taken is not None:
            taken.release()
    return kept


def renew_epoch(url: URL) -> str:
    """Give a database a new store epoch and return it; no server may have it open. Raises CannotOpen."""
    taken = lock(url)
    try:
        if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
            raise CannotOpen(f"there is no database {url.database}")
        engine = make_engine(url)
        _check_schema(migrations.current(engine), url.database or "the database")
        return _renew(engine)
    finally:
        if taken is not None:
            taken.release()


def schema_of(file: Path) -> str:
    """Return the schema of a SQLite file that lrkeeper made. Raises CannotOpen for any other."""
    engine = create_engine(URL.create("sqlite", database=str(file)))
    try:
        found = migrations.current(engine)
    except ValueError as error:
        raise CannotOpen(f"{file}: {error}") from None
    finally:
        engine.dispose()
    return _check_schema(found, str(file))


def _check_schema(found: str | None, name: str) -> str:
    if found is None:
        raise CannotOpen(f"{name} is empty: it is no database of lrkeeper")
    if found not in migrations.known():
        raise CannotOpen(
            f"{name} has schema {found}, which this version of lrkeeper does not know: it was written by a newer one; "
            "use that"
        )
    return found


def _renew(engine: Engine) -> str:
    epoch = secrets.token_hex(16)
    with engine.begin() as connection:
        connection.execute(update(t.meta).where(t.meta.c.key == "store_epoch").values(value=epoch))
    engine.dispose()
    return epoch


def _copy(source: Path, to: Path) -> None:
    """Copy a SQLite file, with what its log still holds. Raises CannotOpen where it is damaged, or no database."""
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as old,
            closing(sqlite3.connect(to)) as new,
        ):
            old.backup(new)
            (found,) = new.execute("PRAGMA quick_check").fetchone()
    except sqlite3.Error as error:
        raise CannotOpen(f"{source} cannot be copied: {error}") from None
    if found != "ok":
        raise CannotOpen(f"{source} is damaged: {found}")
    _fold(to)


def _fold(file: Path) -> None:
    """Make one file of a SQLite database and its log, and see that it is on disk."""
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    with file.open("rb") as opened:
        os.fsync(opened.fileno())


def _set_aside(target: Path) -> Path | None:
    """Keep a database under another name, so that its file may be replaced at once; return the name."""
    if not target.exists():
        return None
    kept = target.with_name(f"{target.name}.replaced-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
    try:
        _fold(target)
    except sqlite3.Error:  # damaged: its log must not be taken for the new file's
        for suffix in ("-wal", "-shm"):
            log = target.with_name(target.name + suffix)
            if log.exists():
                log.rename(kept.with_name(kept.name + suffix))
    os.link(target, kept)
    return kept


@contextmanager
def _beside(file: Path) -> Iterator[Path]:
    """Give the name of a file in the same folder; it is removed in the end, with all that SQLite made beside it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
    finally:
        for suffix in ("", "-wal", "-shm", "-journal"):
            part.with_name(part.name + suffix).unlink(missing_ok=True)


def _sync_folder(file: Path) -> None:
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
