"""A database that is not this version's is refused, with what to do, and left as it is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from lrkeeper import migrations
from lrkeeper.server.app import serve
from lrkeeper.server.storage.engine import CannotOpen, make_engine, parse_url, prepare_schema
from tests.migrations.schema import described
from tests.support.databases import Database, PostgresDatabase

SECRET = "dont-print-me"


@pytest.fixture
def prepared(database: Database) -> Database:
    """A database of this version."""
    engine = make_engine(parse_url(database.url))
    prepare_schema(engine)
    engine.dispose()
    return database


def refusal(url: str) -> str:
    """Return why a server on the database does not start; it must leave the database as it was."""
    engine = make_engine(parse_url(url))
    before = described(engine)
    engine.dispose()
    with pytest.raises(CannotOpen) as refused:
        serve("127.0.0.1:0", url, never)
    assert described(engine) == before
    engine.dispose()
    return str(refused.value)


def never(address: str) -> None:
    """Announce a server that must not start."""
    pytest.fail(f"it serves on {address}")


def run_as_told(message: str, url: str, home: Path) -> str:
    """Run the line of a message that is a command, in a shell as the server's; return what it says."""
    (line,) = [line for line in message.splitlines() if line.strip().startswith("lrkeeper ")]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "LRKEEPER_DATABASE_URL": url, "XDG_DATA_HOME": str(home)}
    done = subprocess.run(line, shell=True, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def as_newer(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Make this version one that has a migration more than the database."""

    def make() -> None:
        monkeypatch.setattr(migrations, "head", lambda: "9999")

    return make


def test_an_old_schema_is_refused_with_the_command_to_run(
    prepared: Database, as_newer: Callable[[], None], tmp_path: Path
) -> None:
    present = migrations.head()
    as_newer()

    message = refusal(prepared.url)
    assert f"schema {present}" in message
    assert "needs 9999" in message
    assert "lrkeeper db upgrade" in message
    assert f"schema {present} already" in run_as_told(message, prepared.url, tmp_path)
    assert list(tmp_path.iterdir()) == []  # it took no other database


def test_the_command_is_right_whatever_the_file_is_called(
    tmp_path: Path, as_newer: Callable[[], None]
) -> None:
    folder = tmp_path / "l'été & more $HOME"
    folder.mkdir()
    url = f"sqlite:///{folder / 'runs.sqlite3'}"
    engine = make_engine(parse_url(url))
    prepare_schema(engine)
    engine.dispose()
    as_newer()

    assert "already" in run_as_told(refusal(url), "sqlite:///nowhere", tmp_path)


def test_an_unknown_schema_is_one_of_a_newer_version(prepared: Database) -> None:
    prepared.rows("UPDATE alembic_version SET version_num = 'fffe'")

    message = refusal(prepared.url)
    assert "schema fffe" in message
    assert "newer" in message
    assert "db upgrade" not in message


def test_a_database_with_the_tables_of_others_is_refused(database: Database) -> None:
    database.rows("CREATE TABLE customers (name TEXT)")
    database.rows("INSERT INTO customers VALUES ('Ada')")

    assert "empty" in refusal(database.url)
    assert database.rows("SELECT name FROM customers") == [("Ada",)]


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.sqlite3"
    path.write_text("these are notes, no database " * 100)

    with pytest.raises(CannotOpen):
        serve("127.0.0.1:0", f"sqlite:///{path}", never)
    assert path.read_text().startswith("these are notes")


def test_a_database_that_cannot_be_reached_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotOpen) as refused:
        serve("127.0.0.1:0", f"postgresql://user:{SECRET}@/runs?host={tmp_path}", never)
    assert SECRET not in str(refused.value)


def test_a_file_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(CannotOpen):
        serve("127.0.0.1:0", f"sqlite:///{tmp_path}/file/runs.sqlite3", never)


@pytest.mark.parametrize("how", ["before the host", "in the query"])
@pytest.mark.parametrize("present", ["old", "unknown", "foreign"])
def test_a_refusal_never_prints_a_password(
    postgres_database: PostgresDatabase, as_newer: Callable[[], None], present: str, how: str
) -> None:
    if present == "foreign":
        postgres_database.rows("CREATE TABLE customers (name TEXT)")
    else:
        engine = make_engine(parse_url(postgres_database.url))
        prepare_schema(engine)
        engine.dispose()
        if present == "unknown":
            postgres_database.rows("UPDATE alembic_version SET version_num = 'fffe'")
        else:
            as_newer()
    url = parse_url(postgres_database.url)
    in_query = how == "in the query"
    url = url.update_query_dict({"password": SECRET}) if in_query else url.set(password=SECRET)

    assert SECRET not in refusal(url.render_as_string(hide_password=False))
