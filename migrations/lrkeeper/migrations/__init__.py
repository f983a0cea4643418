"""The database schema's history, one tree for SQLite and PostgreSQL."""

from __future__ import annotations

from importlib.resources import as_file, files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, func, inspect, select


def head() -> str:
    """Return the revision this version of lrkeeper needs."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    assert revision is not None
    return revision


def known() -> set[str]:
    """Return all revisions up to the head."""
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def current(engine: Engine) -> str | None:
    """Return the database's revision; None if it has no tables.

    Raises ValueError if it has tables that lrkeeper did not make.
    """
    with engine.connect() as connection:
        revision = MigrationContext.configure(connection).get_current_revision()
        if revision is None and set(inspect(connection).get_table_names()) - {"alembic_version"}:
            # Another server may have made them since the first look; its revision came with them.
            revision = MigrationContext.configure(connection).get_current_revision()
            if revision is None:
                raise ValueError("the database has tables, but none that lrkeeper made; use an empty one")
        return revision


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the database up to a revision, in one transaction."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            # One at a time: who comes second finds it done.
            connection.execute(select(func.pg_advisory_xact_lock(0x6C726B)))
        command.upgrade(_config(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the database back to a revision ("base": no tables), in one transaction."""
    with engine.begin() as connection:
        command.downgrade(_config(connection), revision)


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    with as_file(files(__name__)) as folder:
        config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
