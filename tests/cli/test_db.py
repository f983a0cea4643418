"""`lrkeeper db`."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from lrkeeper import migrations
from tests.cli.conftest import Cli
from tests.support.databases import Database, PostgresDatabase
from tests.support.server import ServerProcess


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'runs.sqlite3'}"


def test_upgrade_creates_the_schema_and_current_shows_it(cli: Cli, database: Database) -> None:
    needed = migrations.head()
    url = ("--database-url", database.url)
    shown = database.url.partition("?")[0]
    assert cli.out("db", "current", *url).startswith(f"{shown}: no schema yet\n")
    assert cli.out("db", "upgrade", *url) == f"{shown} now has schema {needed}\n"
    assert cli.out("db", "upgrade", *url) == f"{shown} has schema {needed} already\n"
    assert cli.out("db", "current", *url).startswith(f"{shown}: schema {needed}\n")
    assert database.rows("SELECT count(*) FROM runs") == [(0,)]


def test_current_creates_no_file(cli: Cli, url: str) -> None:
    cli.out("db", "current", "--database-url", url)
    assert not Path(url.removeprefix("sqlite:///")).exists()


def test_a_database_that_does_not_answer_is_one_line(cli: Cli, postgres_database: PostgresDatabase) -> None:
    with postgres_database.outage():
        assert "Error: the database: " in cli.refusal(
            "db", "current", "--database-url", postgres_database.url
        )


def test_the_url_may_come_from_the_environment(cli: Cli, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRKEEPER_DATABASE_URL", url)
    cli.out("db", "upgrade")
    found = json.loads(cli.out("db", "current", "--json"))
    assert found == {
        "database": url,
        "schema": migrations.head(),
        "needed": migrations.head(),
        "state": "current",
    }


def test_upgrade_refuses_while_a_server_runs_and_current_does_not(
    own_server: ServerProcess, cli: Cli
) -> None:
    refusal = cli.refusal("db", "upgrade", "--database-url", own_server.database_url)
    assert "another lrkeeper server has" in refusal
    cli.out("db", "current", "--database-url", own_server.database_url)
    own_server.stop()
    cli.out("db", "upgrade", "--database-url", own_server.database_url)


def test_upgrade_leaves_the_lock_to_the_next(cli: Cli, url: str, tmp_path: Path) -> None:
    cli.out("db", "upgrade", "--database-url", url)
    with ServerProcess(url, log=tmp_path / "log"):
        pass


def test_a_schema_of_a_newer_version_is_told_and_not_touched(cli: Cli, url: str) -> None:
    cli.out("db", "upgrade", "--database-url", url)
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    assert "written by a newer one" in cli.refusal("db", "upgrade", "--database-url", url)
    assert json.loads(cli.out("db", "current", "--database-url", url, "--json"))["state"] == "newer"


def test_a_schema_of_an_older_version_is_told(cli: Cli, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.out("db", "upgrade", "--database-url", url)
    present = migrations.head()
    monkeypatch.setattr(migrations, "head", lambda: "next")
    monkeypatch.setattr(migrations, "known", lambda: {present, "next"})
    out = cli.out("db", "current", "--database-url", url)
    assert f"{url}: schema {present}\n" in out
    assert "needs next: back it up, then run lrkeeper db upgrade" in out


def test_tables_of_others_are_left_alone(cli: Cli, url: str) -> None:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.execute("create table theirs (x)")
    assert "use an empty one" in cli.refusal("db", "upgrade", "--database-url", url)
    assert "use an empty one" in cli.refusal("db", "current", "--database-url", url)


def test_a_file_that_is_no_database_is_one_line(cli: Cli, url: str) -> None:
    Path(url.removeprefix("sqlite:///")).write_text("no database, whatever it looks like")
    assert "file is not a database" in cli.refusal("db", "current", "--database-url", url)


@pytest.mark.parametrize(
    "secret_url",
    [
        "postgresql://ann:s3cret@127.0.0.1:1/db",
        "postgresql://ann@127.0.0.1:1/db?password=s3cret",
        "mysql://ann:s3cret@127.0.0.1/db",
        "s3cret",
    ],
)
def test_no_password_is_printed(secret_url: str, cli: Cli) -> None:
    for command in ("current", "upgrade"):
        assert "s3cret" not in cli.refusal("db", command, "--database-url", secret_url)


def test_the_database_is_shown_without_its_password() -> None:
    from sqlalchemy.engine import make_url

    from lrkeeper.cli.db import _shown

    shown = _shown(make_url("postgresql://ann:s3cret@host/db?password=s3cret&sslmode=require"))
    assert shown == "postgresql://ann:***@host/db"
