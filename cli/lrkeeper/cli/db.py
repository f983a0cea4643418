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
    """Look at the database's schema and change it."""


@db.command()
@database_url_option
def upgrade(database_url: str | None) -> None:
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
    if before == needed:
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
            "old": f"this version of lrkeeper needs {needed}: back it up, then run lrkeeper db upgrade",
            "newer": f"it was written by a newer lrkeeper; this version needs {needed}",
        }[state]
    )


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
