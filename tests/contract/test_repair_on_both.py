"""A run whose database was put back is repaired, the same on every database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import insert, select

from lrkeeper import Client
from lrkeeper.errors import StoreChanged
from lrkeeper.server.storage import backup
from lrkeeper.server.storage.engine import parse_url
from lrkeeper.server.storage.tables import metadata
from tests.protocol import jobs
from tests.protocol.restored import Job
from tests.support.databases import Database, Fresh
from tests.support.server import ServerProcess


@pytest.fixture
def emptied(kind: str, fresh: Fresh) -> Iterator[Database]:
    """A database of this test alone."""
    with fresh(kind) as database:
        yield database


def all_of(database: Database) -> dict[str, list[dict[str, Any]]]:
    """Return every row of every table."""
    with database.begin() as connection:
        return {
            table.name: [dict(row._mapping) for row in connection.execute(select(table))]
            for table in metadata.sorted_tables
        }


def put_back(database: Database, found: dict[str, list[dict[str, Any]]]) -> None:
    """Put back what `all_of` has found, in the place of all that is there."""
    database.clear(table.name for table in reversed(metadata.sorted_tables))
    with database.begin() as connection:
        for table in metadata.sorted_tables:
            if found[table.name]:
                connection.execute(insert(table), found[table.name])
    backup.renew_epoch(parse_url(database.url))


def test_rows_edits_and_fences_are_put_back(
    emptied: Database, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server = ServerProcess(emptied.url, log=tmp_path_factory.mktemp("server") / "log")
    with server, Client(server.address, patience=30.0) as client:
        first = Job.begun(client, schedule=jobs.SLOW).hold(20)
        lost = Job(client, jobs.begun(client, schedule=jobs.SLOW), schedule=jobs.SLOW)
        server.stop()
        before = all_of(emptied)
        server.start()
        later = Job(
            client,
            client.acquire_run(jobs.a_start(first.place.run, schedule=jobs.SLOW, on_existing="takeover")),
            schedule=jobs.SLOW,
        )
        for at_step, reason in ((30, "has acted"), (90, "was to act")):
            client.edit_run(
                later.place.run,
                jobs.HALVING if reason == "has acted" else jobs.SLOW,
                expected_revision=client.get_run(later.place.run).revision,
                at_step=at_step,
                reason=reason,
                request_id=f"00000000-0000-0000-0000-0000000000{at_step}",
            )
        later.edits = client.get_run(later.place.run).edits
        later.hold(60)
        gone = Job.begun(client, schedule=jobs.SLOW).hold(40)
        gone.step = 30
        server.stop()
        put_back(emptied, before)
        server.start()

        with pytest.raises(StoreChanged):
            later.fetch(10)
        bits, seen = later.bits(1, 60), later.remembered(end=50)
        place = later.come_back(seen)
        assert (place.repaired, place.fence, place.branch, place.frontier) == (True, 2, 2, 50)
        assert [each.edit.reason for each in place.lost_edits] == ["has acted", "was to act"]
        later.rows = list(seen.rows)
        later.hold(95)
        assert later.bits(1, 50) == bits[:49]
        assert later.bits(50, 95) == jobs.torch_bits(jobs.torch_step(0.5), 96)[50:95]
        assert client.explain(place.run, 70).edits[-1].reason == "has acted"

        again = gone.come_back(gone.remembered(first=25))
        assert (again.repaired, again.run_uid, again.frontier) == (True, gone.place.run_uid, 40)
        assert lost.come_back().repaired is False
