"""An open storage on every database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine

from lrkeeper.server.storage.engine import make_engine, parse_url, prepare_schema
from lrkeeper.server.storage.sql import SqlStorage
from lrkeeper.server.storage.tables import metadata
from tests.contract.calls import Calls

if TYPE_CHECKING:
    from tests.support.databases import Database, Fresh


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin("tests.support.databases")


@pytest.fixture(scope="session")
def prepared(kind: str, fresh: Fresh) -> Iterator[Database]:
    """A database that has the schema."""
    with fresh(kind) as database:
        engine = make_engine(parse_url(database.url))
        prepare_schema(engine)
        engine.dispose()
        yield database


@pytest.fixture
def database(prepared: Database) -> Database:
    """A database that has the schema and nothing else."""
    prepared.clear(table.name for table in reversed(metadata.sorted_tables) if table.name != "meta")
    return prepared


@pytest.fixture
def engine(database: Database) -> Engine:
    """The storage's engine."""
    return make_engine(parse_url(database.url))


@pytest.fixture
def storage(engine: Engine) -> Iterator[SqlStorage]:
    """The storage under test."""
    storage = SqlStorage(engine)
    yield storage
    storage.close()


@pytest.fixture
def calls(storage: SqlStorage) -> Calls:
    """The storage, called from plain functions."""
    return Calls(storage)
