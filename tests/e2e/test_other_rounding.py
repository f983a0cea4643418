"""A server is replaced by one that computes other last bits: what was committed stays as it was."""

from __future__ import annotations

from pathlib import Path

from lrkeeper import Client
from tests.protocol import jobs
from tests.support.flipping_server import EVERY, command
from tests.support.server import ServerProcess

COMMITTED = 2 * EVERY + 10


def test_committed_steps_keep_their_bits_under_an_evaluator_that_rounds_otherwise(tmp_path: Path) -> None:
    database, log = tmp_path / "runs.sqlite3", tmp_path / "log"
    torch = jobs.torch_bits(jobs.torch_step(0.999), 4 * EVERY + 1)
    with ServerProcess(database, log=log) as server, Client(server.address) as client:
        place = jobs.begun(client, schedule=jobs.SLOW)
        jobs.stepped(client, place, COMMITTED)
    with ServerProcess(database, log=log, command=command()) as server, Client(server.address) as client:
        # A second start, that goes through the steps again and on.
        again = client.acquire_run(
            jobs.a_start(place.run, schedule=jobs.SLOW, checkpoint=jobs.checkpoint_of(place, 5))
        )
        assert jobs.read(client, again, 6, COMMITTED + 1) == torch[6 : COMMITTED + 1]
        jobs.stepped(client, again, 4 * EVERY)
        found = jobs.read(client, again, 1, 4 * EVERY + 1)
        versions = {block.evaluator_version for block in client.list_blocks(place.run)}
    differ = [
        step for step, (ours, theirs) in enumerate(zip(found, torch[1:], strict=True), 1) if ours != theirs
    ]
    assert differ == [3 * EVERY, 4 * EVERY], "it would have flipped those below too"
    assert all(versions)
