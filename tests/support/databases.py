"""Fresh databases of every kind lrkeeper runs on, and what can happen to one."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from sqlalchemy import Connection, NullPool, create_engine, text
from sqlalchemy.engine import URL, make_url

from tests.support import postgres as postgresql


class Database(ABC):
    """An empty database, seen from outside the storage."""

    kind: str
    url: str
    """As `lrkeeper serve --database-url` takes it."""

    def rows(self, sql: str, **values: Any) -> list[tuple[Any, ...]]:
        """Run a statement in a transaction of its own and commit; return its rows."""
        with self.begin() as connection:
            result = connection.execute(text(sql), values)
            return [tuple(row) for row in result] if result.returns_rows else []

    def clear(self, tables: Iterable[str]) -> None:
        """Delete all rows of tables, in an order that their references allow."""
        with self.begin() as connection:
            for table in tables:
                connection.execute(text(f'DELETE FROM "{table}"'))

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Yield a connection in a transaction of its own, and commit in the end."""
        url = make_url(self.url)
        if self.kind == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        with create_engine(url, poolclass=NullPool).begin() as connection:
            yield connection

    @abstractmethod
    def outage(self) -> AbstractContextManager[None]:
        """Within, no transaction can be begun, and those under way are lost where the kind can lose them."""


class SqliteDatabase(Database):
    """A file."""

    kind = "sqlite"

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"sqlite:///{path}"

    @contextmanager
    def outage(self) -> Iterator[None]:
        with closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            yield
            other.execute("ROLLBACK")


class PostgresDatabase(Database):
    """A database on a server of the tests."""

    kind = "postgresql"

    def __init__(self, url: URL, server: URL) -> None:
        self.name = str(url.database)
        self.url = url.render_as_string(hide_password=False)
        self._server = server

    def break_connections(self) -> None:
        """End all connections to the database."""
        ended = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"
        postgresql.command(self._server, ended, self.name)

    @contextmanager
    def outage(self) -> Iterator[None]:
        allow = f'ALTER DATABASE "{self.name}" ALLOW_CONNECTIONS '
        postgresql.command(self._server, allow + "false")
        try:
            self.break_connections()
            yield
        finally:
            postgresql.command(self._server, allow + "true")


Fresh: TypeAlias = Callable[[str], AbstractContextManager[Database]]


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """A kind of database; the test runs on every one."""
    return str(request.param)


@pytest.fixture(scope="session")
def postgres() -> Iterator[URL]:
    """A PostgreSQL server, started when a test first needs it."""
    with postgresql.running() as url:
        yield url


@pytest.fixture(scope="session")
def fresh(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Fresh:
    """Make empty databases: `with fresh(kind) as database`."""

    @contextmanager
    def make(kind: str) -> Iterator[Database]:
        if kind == "sqlite":
            yield SqliteDatabase(tmp_path_factory.mktemp("database") / "runs.sqlite3")
        else:
            server: URL = request.getfixturevalue("postgres")
            with postgresql.fresh_database(server) as url:
                yield PostgresDatabase(url, server)

    return make


@pytest.fixture
def database(kind: str, fresh: Fresh) -> Iterator[Database]:
    """An empty database."""
    with fresh(kind) as database:
        yield database


@pytest.fixture
def postgres_database(fresh: Fresh) -> Iterator[PostgresDatabase]:
    """An empty PostgreSQL database, for what can only happen there."""
    with fresh("postgresql") as database:
        assert isinstance(database, PostgresDatabase)
        yield database
