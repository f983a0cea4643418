"""What a database's schema is, as the database itself tells it."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Engine, text

_SQLITE = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL"
_POSTGRESQL = (
    "SELECT table_name, column_name, data_type, character_maximum_length, collation_name, is_nullable, "
    "column_default FROM information_schema.columns WHERE table_schema = 'public'",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE connamespace = 'public'::regnamespace",
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
)


def described(engine: Engine) -> set[tuple[Any, ...]]:
    """Return tables, columns, constraints and indexes, to the letter; without Alembic's own table.

    Alembic's comparison overlooks more than this: conditions of indexes, names, WITHOUT ROWID.
    """
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            found = {(kind, name, *_parts(sql)) for kind, name, sql in connection.execute(text(_SQLITE))}
        else:
            found = {tuple(row) for query in _POSTGRESQL for row in connection.execute(text(query))}
    return {row for row in found if "alembic_version" not in row}


def _parts(sql: str) -> tuple[str, ...]:
    """Return a CREATE statement's parts; a table's in no order, for constraints have none."""
    flat = re.sub(r"\s+", " ", sql)
    return tuple(sorted(part.strip() for part in re.split(r",(?![^(]*\)(?!$))", flat)))
