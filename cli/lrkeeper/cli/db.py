"""`lrkeeper db`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lrkeeper.cli.extras import needs
from lrkeeper.cli.options import json_option
from lrkeeper.cli.screen import plain, put_json, say
from lrkeeper.cli.serve import database_url_option, default_database_url

if TYPE_CHECKING:
    from sqlalchemy.engine import URL


@click.group()
def db() -> None:
    """Look at the database's schema and change it; back the database up, and put a backup back."""


@db.command()
@database_url_option
@json_option
def upgrade(database_url: str | None, as_json: bool) -> None:
    """Bring the schema up to date.

    That is: to the one this version of lrkeeper needs. No server may have the database open.
    """
    with needs("server"):
        from lrkeeper import migrations
        from lrkeeper.server.storage import engine as engines
    with _told(database_url) as url:
        taken = engines.lock(url)
        try:
            engine = engines.make_engine(url)
            before, needed = migrations.current(engine), migrations.head()
            if _state(before) == "newer":
                raise engines.CannotOpen(
                    f"{_shown(url)} has schema {before}, which this version of lrkeeper does not know: "
                    "it was written by a newer one; use that"
                )
            if before != needed:
                migrations.upgrade(engine)
            engine.dispose()
        finally:
            if taken is not None:
                taken.release()
    if as_json:
        put_json({"database": _shown(url), "before": before, "schema": needed})
    elif before == needed:
        say(f"{_shown(url)} has schema {needed} already")
    else:
        say(f"{_shown(url)} now has schema {needed}{f', before it had {before}' if before else ''}")


@db.command()
@database_url_option
@json_option
def current(database_url: str | None, as_json: bool) -> None:
    """Show the schema there is, and the one needed."""
    with needs("server"):
        from lrkeeper import migrations
        from lrkeeper.server.storage import engine as engines
    with _told(database_url) as url:
        found = None
        if url.get_backend_name() != "sqlite" or Path(str(url.database)).exists():
            engine = engines.make_engine(url)
            found = migrations.current(engine)
            engine.dispose()
    needed, state = migrations.head(), _state(found)
    if as_json:
        put_json({"database": _shown(url), "schema": found, "needed": needed, "state": state})
        return
    say(f"{_shown(url)}: {f'schema {found}' if found else 'no schema yet'}")
    say(
        {
            "current": "this is the one that this version of lrkeeper needs",
            "empty": f"lrkeeper serve and lrkeeper db upgrade create it ({needed})",
            "old": f"this version of lrkeeper needs {needed}: back it up, then run {_upgrade(url)}",
            "newer": f"it was written by a newer lrkeeper; this version needs {needed}",
        }[state]
    )


@db.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@database_url_option
def backup(file: Path, database_url: str | None) -> None:
    """Copy a SQLite database to FILE, also while a server runs.

    FILE must not exist; it is there once it is complete. PostgreSQL has pg_dump.
    """
    with needs("server"):
        from lrkeeper.server.storage import backup as backups
    with _told(database_url) as url:
        backups.take(url, file)
    say(f"{_shown(url)} is backed up to {file}")


@db.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@database_url_option
def restore(file: Path, database_url: str | None) -> None:
    """Put a backup in a SQLite database's place, with a new store epoch.

    Stop the server first. Jobs that are running notice the new epoch, put back what they hold of their runs, and
    list edits that are lost. The database that was there is kept under another name. PostgreSQL has pg_restore;
    run db renew-epoch after it.
    """
    with needs("server"):
        from lrkeeper import migrations
        from lrkeeper.server.storage import backup as backups
    with _told(database_url) as url:
        kept = backups.put_back(url, file)
        schema = backups.schema_of(Path(str(url.database)))
    say(f"{_shown(url)} is {file} now, with a new store epoch")
    if kept is not None:
        say(f"what was there before is kept as {kept}")
    if schema != migrations.head():
        say(f"it has schema {schema}, and this version needs {migrations.head()}: run {_upgrade(url)}")
    say("start the server; running jobs put back what they hold, and say which edits are lost")


@db.command("renew-epoch")
@database_url_option
def renew_epoch(database_url: str | None) -> None:
    """Give a database that was put back by other means a new store epoch, by which jobs notice.

    Run it after pg_restore, or after copying a file by hand, before any server has the database open.
    """
    with needs("server"):
        from lrkeeper.server.storage import backup as backups
    with _told(database_url) as url:
        epoch = backups.renew_epoch(url)
    say(f"{_shown(url)} has the store epoch {epoch} now")


def _upgrade(url: URL) -> str:
    """Return the command that brings a database's schema up to date, in one line."""
    from lrkeeper.server.storage.engine import how_named

    return f"lrkeeper db upgrade{how_named(url)}".replace("\n", ", ")


def _state(found: str | None) -> str:
    from lrkeeper import migrations

    if found is None:
        return "empty"
    if found == migrations.head():
        return "current"
    return "old" if found in migrations.known() else "newer"


@contextmanager
def _told(database_url: str | None) -> Iterator[URL]:
    """Give the URL; what goes wrong with the database within is told in one line."""
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    from lrkeeper.server.storage.engine import CannotOpen, parse_url

    try:
        yield parse_url(database_url or default_database_url())
    except DBAPIError as error:
        raise click.ClickException(f"the database: {_line(error.orig)}") from None
    except (CannotOpen, SQLAlchemyError, ValueError, OSError) as error:
        raise click.ClickException(_line(error)) from None


def _line(error: BaseException | None) -> str:
    return plain(" ".join(str(error).split()))


def _shown(url: URL) -> str:
    """Return a URL without what may be secret: the password, also where it stands in the query."""
    shown = url.set(drivername=url.get_backend_name(), query={})
    return shown.render_as_string(hide_password=True)
