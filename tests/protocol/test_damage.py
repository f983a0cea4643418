"""Stored values that have changed on the disk are never handed out."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass

import pytest

from lrkeeper import Client
from lrkeeper.errors import DataCorrupted
from lrkeeper.v1.run_service_pb2 import ExplainRequest
from lrkeeper.views import Place
from tests.protocol import jobs
from tests.protocol.stored import file_of
from tests.protocol.wire import Wire, refusal
from tests.support.server import ServerProcess


@dataclass
class Damaged:
    """A server whose run at step 15 has three blocks of five steps, and what is to be done to one."""

    server: ServerProcess
    client: Client
    place: Place

    def harm(self, change: str, first_step: int) -> None:
        """Change a block's columns while the server is down."""
        self.server.stop()
        with closing(sqlite3.connect(file_of(self.server))) as connection, connection:
            connection.execute(
                f"UPDATE blocks SET {change} WHERE run_uid = ? AND first_step = ?",
                (self.place.run_uid, first_step),
            )
            assert connection.execute("SELECT changes()").fetchone() == (1,)
        self.server.start()


@pytest.fixture
def damaged(own_server: ServerProcess) -> Damaged:
    with Client(own_server.address) as client:
        place = jobs.begun(client, schedule=jobs.SLOW, groups=(jobs.a_group(0.1), jobs.a_group(0.2)))
        for first in (1, 6, 11):
            jobs.ask(client, place, first, 5)
        yield Damaged(own_server, client, place)


FLIP = "data = CAST(substr(data, 1, {0}) || X'00' || substr(data, {0} + 2) AS BLOB)"

CHANGES = {
    "the first byte": FLIP.format(0),
    "a byte of the second group": FLIP.format(57),
    "the last byte": FLIP.format(79),
    "a value too few": "data = substr(data, 1, 72)",
    "values too many": "data = CAST(data || X'0000000000000000' AS BLOB)",
    "no values": "data = X''",
    "the checksum": "crc = crc + 1",
    "the count": "count = 4",
    "the groups": "groups = 1",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_changed_block_is_data_loss_and_never_a_wrong_lr(damaged: Damaged, change: str) -> None:
    client, place = damaged.client, damaged.place
    bits = jobs.read(client, place, 1, 16)
    damaged.harm(change, 6)
    for call in (
        lambda: jobs.ask(client, place, 6),
        lambda: jobs.ask(client, place, 9, 2),
        lambda: jobs.ask(client, place, 1, 15),
        lambda: client.explain(place.run, 8),
        lambda: list(client.list_blocks(place.run)),
        lambda: client.acquire_run(
            jobs.a_start(
                place.run,
                schedule=jobs.SLOW,
                groups=(jobs.a_group(0.1), jobs.a_group(0.2)),
                checkpoint=jobs.checkpoint_of(place, 7),
            )
        ),
    ):
        with pytest.raises(DataCorrupted) as caught:
            call()
        assert caught.value.details == {"run_uid": place.run_uid, "branch": "1", "first_step": "6"}
    # The rest of the run is as it was, and it goes on.
    assert jobs.read(client, place, 1, 6) == bits[:5]
    assert jobs.read(client, place, 11, 16) == bits[10:]
    assert jobs.ask(client, place, 16).frontier == 17
    assert jobs.bits(client.explain(place.run, 5).values) == bits[4:5]


def test_its_status_is_data_loss(damaged: Damaged) -> None:
    damaged.harm(CHANGES["the last byte"], 6)
    with Wire(damaged.server.address) as wire:
        found = refusal(lambda: wire.runs.Explain(ExplainRequest(run=damaged.place.run, step=8)))
    assert (found.status, found.reason) == ("DATA_LOSS", "DataCorrupted")
    assert "steps 6 to 10" in found.message


def test_a_block_that_has_moved_is_data_loss(damaged: Damaged) -> None:
    damaged.harm("first_step = 7", 6)
    for step in (6, 7, 8):
        with pytest.raises(DataCorrupted):
            jobs.ask(damaged.client, damaged.place, step)


def test_a_run_whose_last_block_is_damaged_can_be_ended(damaged: Damaged) -> None:
    damaged.harm(CHANGES["the last byte"], 11)
    damaged.client.delete_run(damaged.place.run, force=True)


def test_a_missing_block_is_no_wrong_lr(damaged: Damaged) -> None:
    damaged.server.stop()
    with closing(sqlite3.connect(file_of(damaged.server))) as connection, connection:
        connection.execute("DELETE FROM blocks WHERE first_step = 6")
    damaged.server.start()
    for step, count in ((6, 1), (8, 5), (1, 15)):
        with pytest.raises(DataCorrupted):
            jobs.ask(damaged.client, damaged.place, step, count)
