"""`lrkeeper db`."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from lrkeeper import Client, migrations
from lrkeeper.errors import StoreChanged
from tests.cli.conftest import Cli
from tests.protocol import jobs
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


def test_upgrade_as_json_tells_the_schema_before_and_now(cli: Cli, database: Database) -> None:
    def upgraded() -> object:
        return json.loads(cli.out("db", "upgrade", "--database-url", database.url, "--json"))

    shown, needed = database.url.partition("?")[0], migrations.head()
    assert upgraded() == {"database": shown, "before": None, "schema": needed}
    assert upgraded() == {"database": shown, "before": needed, "schema": needed}


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
    assert out.endswith(f"needs next: back it up, then run lrkeeper db upgrade --database-url '{url}'\n")


def test_an_older_schema_on_postgresql_is_told_without_the_url_which_may_hold_a_password(
    cli: Cli, postgres_database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.out("db", "upgrade", "--database-url", postgres_database.url)
    present = migrations.head()
    monkeypatch.setattr(migrations, "head", lambda: "next")
    monkeypatch.setattr(migrations, "known", lambda: {present, "next"})
    out = cli.out("db", "current", "--database-url", postgres_database.url)
    assert out.endswith(
        "then run lrkeeper db upgrade, with LRKEEPER_DATABASE_URL set as it is for the server\n"
    )


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


def file_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def epoch_of(path: Path) -> str:
    with closing(sqlite3.connect(path)) as connection:
        (found,) = connection.execute("SELECT value FROM meta WHERE key = 'store_epoch'").fetchone()
    return str(found)


def names_of(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM runs ORDER BY name")]


def test_a_backup_of_a_live_server_has_all_that_was_answered(
    own_server: ServerProcess, cli: Cli, tmp_path: Path
) -> None:
    with Client(own_server.address) as client:
        place = jobs.stepped(client, jobs.begun(client), 20)
    backup = tmp_path / "backups" / "monday.sqlite3"
    out = cli.out("db", "backup", str(backup), "--database-url", own_server.database_url)
    assert out == f"{own_server.database_url} is backed up to {backup}\n"
    assert [path.name for path in backup.parent.iterdir()] == [backup.name]
    assert names_of(backup) == [place.run]
    assert epoch_of(backup) == epoch_of(file_of(own_server.database_url))


def test_no_backup_is_written_over_a_file(own_server: ServerProcess, cli: Cli, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("precious")
    refusal = cli.refusal("db", "backup", str(there), "--database-url", own_server.database_url)
    assert "exists already" in refusal
    assert there.read_text() == "precious"


def test_a_backup_that_is_put_back_has_a_new_epoch_and_the_database_before_is_kept(
    own_server: ServerProcess, cli: Cli, tmp_path: Path
) -> None:
    url, file = own_server.database_url, file_of(own_server.database_url)
    with Client(own_server.address) as client:
        first = jobs.begun(client)
        backup = tmp_path / "backup"
        cli.out("db", "backup", str(backup), "--database-url", url)
        second = jobs.begun(client)
    assert "another lrkeeper server has" in cli.refusal("db", "restore", str(backup), "--database-url", url)
    own_server.kill()  # what is in the log still counts
    out = cli.out("db", "restore", str(backup), "--database-url", url)
    (kept,) = file.parent.glob(f"{file.name}.replaced-*")
    assert f"kept as {kept}" in out
    assert names_of(kept) == sorted([first.run, second.run])
    assert names_of(file) == [first.run]
    assert epoch_of(file) not in (epoch_of(kept), epoch_of(backup))
    assert epoch_of(kept) == epoch_of(backup)
    own_server.start()
    with Client(own_server.address) as client:
        assert [run.name for run in client.list_runs()] == [first.run]


def test_a_backup_is_put_back_where_the_database_is_damaged_or_gone(
    own_server: ServerProcess, cli: Cli, tmp_path: Path
) -> None:
    url, file = own_server.database_url, file_of(own_server.database_url)
    with Client(own_server.address) as client:
        place = jobs.stepped(client, jobs.begun(client), 20)
        cli.out("db", "backup", str(tmp_path / "backup"), "--database-url", url)
        jobs.stepped(client, place, 40)
    own_server.kill()
    file.write_bytes(b"damage" * 1000)
    cli.out("db", "restore", str(tmp_path / "backup"), "--database-url", url)
    assert names_of(file) == [place.run]
    own_server.start()
    with Client(own_server.address) as client:
        assert client.get_run(place.run).frontier == 21
    own_server.stop()
    file.unlink()
    cli.out("db", "restore", str(tmp_path / "backup"), "--database-url", url)
    assert names_of(file) == [place.run]


@pytest.mark.parametrize("what", ["nothing", "text", "empty", "theirs", "newer", "the database itself"])
def test_what_is_no_backup_changes_nothing(cli: Cli, url: str, tmp_path: Path, what: str) -> None:
    cli.out("db", "upgrade", "--database-url", url)
    file, backup = file_of(url), tmp_path / "backup"
    if what == "text":
        backup.write_text("no database, whatever it looks like")
    elif what == "empty":
        backup.touch()
    elif what == "theirs":
        with closing(sqlite3.connect(backup)) as connection:
            connection.execute("create table theirs (x)")
    elif what == "newer":
        cli.out("db", "backup", str(backup), "--database-url", url)
        with closing(sqlite3.connect(backup)) as connection, connection:
            connection.execute("update alembic_version set version_num = '9999'")
    elif what == "the database itself":
        backup = file
    before = epoch_of(file)
    refusal = cli.refusal("db", "restore", str(backup), "--database-url", url)
    told = {
        "nothing": "there is no backup",
        "text": "cannot be copied",
        "empty": "no database of lrkeeper",
        "theirs": "none that lrkeeper made",
        "newer": "written by a newer one",
        "the database itself": "is the database itself",
    }
    assert told[what] in refusal
    assert epoch_of(file) == before
    assert not [p for p in tmp_path.iterdir() if "part" in p.name or "replaced" in p.name]


def test_an_older_backup_is_put_back_and_is_to_be_upgraded(cli: Cli, url: str, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    with closing(sqlite3.connect(backup)) as connection:
        connection.executescript((Path(__file__).parents[1] / "migrations" / "schema_0003.sql").read_text())
    out = cli.out("db", "restore", str(backup), "--database-url", url)
    assert "it has schema 0003" in out
    assert f"run lrkeeper db upgrade --database-url '{url}'\n" in out
    cli.out("db", "upgrade", "--database-url", url)


def test_a_new_epoch_is_noticed_by_clients(cli: Cli, database: Database, tmp_path: Path) -> None:
    with ServerProcess(database.url, log=tmp_path / "log") as server, Client(server.address) as client:
        place = jobs.stepped(client, jobs.begun(client), 20)
        if database.kind == "sqlite":
            refusal = cli.refusal("db", "renew-epoch", "--database-url", database.url)
            assert "another lrkeeper server has" in refusal
    out = cli.out("db", "renew-epoch", "--database-url", database.url)
    ((epoch,),) = database.rows("SELECT value FROM meta WHERE key = 'store_epoch'")
    assert out.endswith(f"has the store epoch {epoch} now\n")
    assert epoch != place.store_epoch
    with (
        ServerProcess(database.url, log=tmp_path / "log") as server,
        Client(server.address) as client,
        pytest.raises(StoreChanged),
    ):
        jobs.ask(client, place, 21)


def test_an_epoch_needs_a_database(cli: Cli, url: str, database: Database) -> None:
    assert "there is no database" in cli.refusal("db", "renew-epoch", "--database-url", url)
    if database.kind == "postgresql":
        assert "empty" in cli.refusal("db", "renew-epoch", "--database-url", database.url)


def test_postgresql_is_left_to_its_own_tools(
    cli: Cli, postgres_database: PostgresDatabase, tmp_path: Path
) -> None:
    url = ("--database-url", postgres_database.url)
    assert "pg_dump" in cli.refusal("db", "backup", str(tmp_path / "backup"), *url)
    refusal = cli.refusal("db", "restore", str(tmp_path / "backup"), *url)
    assert "pg_restore" in refusal
    assert "db renew-epoch" in refusal
