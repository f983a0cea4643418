"""Several servers that find one PostgreSQL database empty: one creates the schema, all serve."""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lrkeeper import Client
from lrkeeper.server.storage.engine import make_engine, parse_url, prepare_schema
from tests.contract.calls import at_commit
from tests.support.databases import PostgresDatabase
from tests.support.server import ServerProcess

PREPARE = """
import sys
from lrkeeper.server.storage.engine import make_engine, parse_url, prepare_schema
prepare_schema(make_engine(parse_url(sys.argv[1])))
"""
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
)


def test_a_process_that_meets_another_creating_the_schema_waits_for_it(
    postgres_database: PostgresDatabase,
) -> None:
    """The second begins while the first has created all, but not committed."""
    second: list[subprocess.Popen[str]] = []

    def start_the_second(_: Any) -> None:
        if second:
            return
        second.append(
            subprocess.Popen(
                [sys.executable, "-c", PREPARE, postgres_database.url], stderr=subprocess.PIPE, text=True
            )
        )
        deadline = time.monotonic() + 60
        while second[0].poll() is None and postgres_database.rows(WAITING) == [(0,)]:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    engine = make_engine(parse_url(postgres_database.url))
    with at_commit(engine, start_the_second):
        prepare_schema(engine)
    engine.dispose()

    (process,) = second
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert len(postgres_database.rows("SELECT value FROM meta WHERE key = 'store_epoch'")) == 1


def test_servers_started_at_once_on_an_empty_database_all_serve(
    postgres_database: PostgresDatabase, tmp_path: Path
) -> None:
    servers = [ServerProcess(postgres_database.url, log=tmp_path / f"{n}.log") for n in range(2)]
    try:
        with ThreadPoolExecutor() as threads:
            list(threads.map(ServerProcess.start, servers))
        epochs = set()
        for server in servers:
            with Client(server.address) as client:
                epochs.add(client.get_server().store_epoch)
        assert len(epochs) == 1
    finally:
        for server in servers:
            server.stop()
