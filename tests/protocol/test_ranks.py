"""Where each rank is: GetRun tells, and a server started anew knows."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from lrkeeper import Client
from tests.protocol import jobs
from tests.protocol.stored import rows
from tests.support.server import ServerProcess


def positions(client: Client, run: str) -> dict[int, int]:
    """Return the step of each rank that was heard of."""
    return {rank.rank: rank.applied_step for rank in client.get_run(run).ranks}


def stored_positions(server: ServerProcess) -> dict[int, int]:
    """Return what the one start of all runs has in the database."""
    found = rows(server, "SELECT data FROM rank_progress")
    return {rank: step for rank, step, _, _ in json.loads(found[0][0])} if found else {}


def await_stored(server: ServerProcess, wanted: dict[int, int]) -> None:
    """Return once the database has what was heard; that is written a moment after it was answered."""
    pause = threading.Event()
    for _ in range(600):
        if stored_positions(server) == wanted:
            return
        pause.wait(0.05)
    assert stored_positions(server) == wanted


def test_a_run_tells_where_its_ranks_are(client: Client) -> None:
    place = jobs.begun(client, world_size=3)
    assert client.get_run(place.run).ranks == ()
    jobs.ask(client, place, 1, 8)
    jobs.ask(client, jobs.at_rank(place, 2), 4, 8)
    jobs.ask(client, place, 3, 1)  # wholly below the frontier
    assert positions(client, place.run) == {0: 2, 2: 3}
    run = client.get_run(place.run)
    assert [rank.silent for rank in run.ranks] == [False, False]
    assert run.created <= run.ranks[1].heard <= run.ranks[0].heard <= client.get_server().time
    assert [listed.ranks for listed in client.list_runs() if listed.name == place.run] == [()]


def test_a_single_rank_is_told_of_too(client: Client) -> None:
    place = jobs.begun(client)
    jobs.ask(client, place, 1, 8)
    jobs.ask(client, place, 5, 8)
    assert positions(client, place.run) == {0: 4}


def test_a_new_start_has_ranks_of_its_own(client: Client) -> None:
    old = jobs.begun(client, world_size=2)
    jobs.ask(client, jobs.at_rank(old, 1), 1, 8)
    new = client.acquire_run(jobs.a_start(old.run, on_existing="takeover", world_size=2))
    assert positions(client, old.run) == {}
    jobs.ask(client, jobs.at_rank(old, 1), 5)  # may read on, and is not of the start any more
    jobs.ask(client, new, 9)
    assert positions(client, old.run) == {0: 8}


def test_a_rank_that_has_died_holds_the_others_within_two_windows_and_is_named(client: Client) -> None:
    place = jobs.begun(client, world_size=4)
    for rank in range(4):
        jobs.ask(client, jobs.at_rank(place, rank), 1, 10)
    for step in range(1, 100, 10):  # the others go on as far as they get
        for rank in (0, 1, 3):
            jobs.ask(client, jobs.at_rank(place, rank), step, 10)
    run = client.get_run(place.run)
    assert run.frontier == 0 + 1 + 2 * 10
    assert min(run.ranks, key=lambda rank: rank.applied_step).rank == 2


def test_ranks_of_an_earlier_and_larger_start_hold_nothing_back(client: Client) -> None:
    old = jobs.begun(client, world_size=8)
    jobs.ask(client, jobs.at_rank(old, 7), 1, 5)
    jobs.ask(client, old, 6, 5)
    assert jobs.ask(client, old, 11, 5).frontier == 11
    new = client.acquire_run(jobs.a_start(old.run, on_existing="takeover", world_size=6))
    jobs.ask(client, jobs.at_rank(old, 7), 2, 5)
    assert jobs.ask(client, new, 11, 5).frontier == 16
    assert jobs.ask(client, new, 16, 5).frontier == 21
    assert positions(client, old.run) == {0: 15}


@pytest.mark.parametrize("end", [ServerProcess.stop, ServerProcess.kill])
def test_a_server_started_anew_lets_nobody_run_away_from_a_slow_rank(
    own_server: ServerProcess, end: Callable[[ServerProcess], object]
) -> None:
    with Client(own_server.address) as client:
        place = jobs.begun(client, world_size=2)
        jobs.ask(client, jobs.at_rank(place, 1), 1, 10)
        jobs.ask(client, place, 8, 10)
        assert jobs.ask(client, place, 20, 10, applied=17).frontier == 21
        await_stored(own_server, {0: 17, 1: 0})
        end(own_server)
        own_server.start()
    with Client(own_server.address) as client:
        assert jobs.ask(client, place, 20, 10).frontier == 21
        assert positions(client, place.run) == {0: 19, 1: 0}
        assert jobs.ask(client, jobs.at_rank(place, 1), 11, 10).frontier == 21
        assert jobs.ask(client, place, 21, 10).frontier == 31
        assert positions(client, place.run) == {0: 20, 1: 10}
