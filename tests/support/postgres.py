"""A real PostgreSQL for the tests: the one the environment names, or one of this process alone."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from filelock import FileLock
from sqlalchemy.engine import URL, make_url

VARIABLE = "LRKEEPER_TEST_POSTGRESQL_URL"
USER = "postgres"

_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin")
_START_SECONDS = 60.0

# The server ends with the tests however they end: at the end of its input, which a killed process closes too.
_TIED = '"$0" "$@" & read -r _; kill -INT $!; wait $!'

_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "deadlock_timeout": "50ms",
    "lc_messages": "C",
}

_CLUSTER = ("--auth=trust", f"--username={USER}", "--encoding=UTF8", "--no-sync")

# Where a production database usually sorts: by language, not by bytes.
_LOCALES = (("--locale-provider=icu", "--icu-locale=en-US", "--locale=C"), ("--locale=C",))


class NoPostgres(Exception):
    """There is no PostgreSQL and none can be brought up; the message says what to do."""


@contextmanager
def running() -> Iterator[URL]:
    """Yield the URL of a server on which databases may be created. Raises NoPostgres."""
    named = os.environ.get(VARIABLE)
    if named:
        yield make_url(named).set(drivername="postgresql")
    else:
        with _own(_binaries() or _install()) as url:
            yield url


@contextmanager
def fresh_database(server: URL) -> Iterator[URL]:
    """Yield the URL of an empty database that is dropped in the end."""
    name = f"lrkeeper_{uuid4().hex}"
    command(server, f'CREATE DATABASE "{name}"')
    try:
        yield server.set(database=name)
    finally:
        command(server, f'DROP DATABASE "{name}" WITH (FORCE)')


def command(url: URL, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Run a statement on a connection of its own, outside a transaction; return its rows."""
    where: dict[str, Any] = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
    with psycopg.connect(**where, autocommit=True) as connection:
        cursor = connection.execute(sql, values or None)
        return cursor.fetchall() if cursor.description else []


def _binaries() -> Path | None:
    """Return the folder that has PostgreSQL's programs, of the newest version there is."""
    folders = [
        Path(found).resolve().parent for name in ("initdb", "postgres") if (found := shutil.which(name))
    ]
    config = shutil.which("pg_config")
    if config:
        folders.append(Path(subprocess.check_output([config, "--bindir"], text=True).strip()))
    for place in _PLACES:
        found_there = Path("/").glob(place.lstrip("/"))
        folders += sorted(found_there, key=lambda f: [int(n) for n in _digits(str(f))], reverse=True)
    return next((f for f in folders if (f / "initdb").exists() and (f / "postgres").exists()), None)


def _digits(text: str) -> list[str]:
    return "".join(c if c.isdigit() else " " for c in text).split()


def _install() -> Path:
    """Install PostgreSQL as a system package. Raises NoPostgres."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise NoPostgres(
            "the tests need PostgreSQL: install it (apt-get install postgresql, dnf install postgresql-server, "
            f"brew install postgresql@17), or set {VARIABLE} to the URL of a server on which the user may create "
            "databases, such as postgresql://user:password@127.0.0.1/postgres"
        )
    with FileLock(Path(tempfile.gettempdir()) / "lrkeeper-install-postgresql.lock"):
        found = _binaries()
        if found is None:
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            for arguments in (("update",), ("install", "-y", "--no-install-recommends", "postgresql")):
                done = subprocess.run(
                    ["apt-get", *arguments], env=environment, capture_output=True, text=True, check=False
                )
                if done.returncode:
                    raise NoPostgres(
                        f"apt-get {' '.join(arguments)} failed; install PostgreSQL, or set {VARIABLE} to a "
                        f"server's URL\n{done.stderr[-2000:]}"
                    )
            found = _binaries()
    if found is None:
        raise NoPostgres(f"apt-get installed PostgreSQL where it is not looked for; set {VARIABLE}")
    return found


@contextmanager
def _own(binaries: Path) -> Iterator[URL]:
    """Run a server in a folder of its own, reached by a socket there. Raises NoPostgres."""
    with tempfile.TemporaryDirectory(prefix="lrkeeper-postgres-") as name:
        folder = Path(name)
        log = folder / "log"
        log.touch()
        identity = _identity(folder, log)
        _make_cluster(binaries, folder, identity)
        settings = {**_SETTINGS, "unix_socket_directories": name}
        with log.open("a") as output:
            server = subprocess.Popen(
                ["sh", "-c", _TIED, str(binaries / "postgres"), "-D", str(folder / "data")]
                + [f"--{key}={value}" for key, value in settings.items()],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=folder,
                **identity,
            )
        try:
            url = URL.create("postgresql", USER, database="postgres", query={"host": name})
            _await(url, server, log)
            yield url
        finally:
            server.communicate(b"\n")


def _identity(*owned: Path) -> dict[str, Any]:
    """Return as whom to run: PostgreSQL refuses to run as root. Gives that user the paths."""
    if os.geteuid() != 0:
        return {}
    try:
        pwd.getpwnam(USER)
    except KeyError:
        subprocess.run(["useradd", "--system", "--user-group", USER], check=True, capture_output=True)
    for path in owned:
        shutil.chown(path, USER, pwd.getpwnam(USER).pw_gid)
    return {"user": USER, "group": pwd.getpwnam(USER).pw_gid, "extra_groups": ()}


def _make_cluster(binaries: Path, folder: Path, identity: dict[str, Any]) -> None:
    said = ""
    for locale in _LOCALES:  # one without ICU, or before version 15, takes the second
        done = subprocess.run(
            [str(binaries / "initdb"), "-D", str(folder / "data"), *_CLUSTER, *locale],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            **identity,
        )
        if done.returncode == 0:
            return
        said = done.stdout[-1000:] + done.stderr[-1000:]
    raise NoPostgres(f"{binaries}/initdb fails; set {VARIABLE} to a server's URL instead\n{said}")


def _await(url: URL, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            command(url, "SELECT 1")
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise NoPostgres(
                    f"PostgreSQL does not start; set {VARIABLE} to a server's URL instead\n{log.read_text()[-2000:]}"
                ) from None
            time.sleep(0.02)
