"""A newer start has the run: an older one reads what is committed, and moves nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from lrkeeper import Client
from lrkeeper.errors import RunFenced, RunFinished, RunHeld, RunNotFound
from lrkeeper.views import Place
from tests.protocol import jobs
from tests.protocol.stored import contents
from tests.protocol.watched import Watched
from tests.support.server import ServerProcess


def taken_over(client: Client, place: Place, **fields: object) -> Place:
    """Return the place of a new start that takes a run from its holder."""
    labels = {"host": "node-7", "pid": "4711"}
    return client.acquire_run(jobs.a_start(place.run, on_existing="takeover", holder_labels=labels, **fields))


def assert_fenced(error: RunFenced, by: Place) -> None:
    """See that an error names who holds the run."""
    assert error.details == {
        "run": by.run,
        "fence": str(by.fence),
        "incarnation": by.incarnation,
        "holder_host": "node-7",
        "holder_pid": "4711",
    }
    assert f"incarnation {by.incarnation} on node-7, pid 4711 (fence {by.fence})" in str(error)


def test_an_old_fence_reads_what_is_committed(client: Client) -> None:
    old = jobs.stepped(client, jobs.begun(client), 9)
    taken_over(client, old)
    assert jobs.read(client, old, 1, 10) == [((0.1 * 0.5**step).hex(),) for step in range(1, 10)]


@pytest.mark.parametrize(("step", "count"), [(10, 1), (10, 50), (9, 2), (1, 100)])
def test_an_old_fence_moves_nothing_and_is_told_who_holds_the_run(
    watched: Watched, step: int, count: int
) -> None:
    old = jobs.stepped(watched.client, jobs.begun(watched.client), 9)
    holder = taken_over(watched.client, old)
    before = contents(watched.server)
    with pytest.raises(RunFenced) as caught:
        jobs.ask(watched.client, old, step, count)
    assert_fenced(caught.value, holder)
    assert contents(watched.server) == before


def test_an_old_fence_reads_what_the_newer_start_has_committed(client: Client) -> None:
    old = jobs.stepped(client, jobs.begun(client), 3)
    holder = taken_over(client, old)
    jobs.stepped(client, holder, 12)
    assert jobs.read(client, old, 1, 13) == jobs.read(client, holder, 1, 13)
    with pytest.raises(RunFenced):
        jobs.ask(client, old, 13)
    assert jobs.ask(client, holder, 13).frontier == 14


def test_the_newest_of_many_fences_moves_the_run(client: Client) -> None:
    places = [jobs.stepped(client, jobs.begun(client), 3)]
    for _ in range(4):
        places.append(taken_over(client, places[-1]))
    assert [place.fence for place in places] == [1, 2, 3, 4, 5]
    for old in places[:-1]:
        with pytest.raises(RunFenced) as caught:
            jobs.ask(client, old, 4)
        assert_fenced(caught.value, places[-1])
    assert jobs.ask(client, places[-1], 4).frontier == 5


def test_an_old_fence_is_refused_after_a_restart_too(own_server: ServerProcess) -> None:
    with Client(own_server.address) as client:
        old = jobs.stepped(client, jobs.begun(client), 3)
        holder = taken_over(client, old)
        own_server.kill()
        own_server.start()
        with pytest.raises(RunFenced) as caught:
            jobs.ask(client, old, 4)
        assert_fenced(caught.value, holder)
        assert jobs.read(client, old, 1, 4) == jobs.read(client, holder, 1, 4)
        assert jobs.ask(client, holder, 4).frontier == 5


def test_a_holder_of_many_labels_is_named_all_the_same(client: Client) -> None:
    """Status and details travel in headers, of which gRPC takes 16 KiB."""
    old = jobs.begun(client)
    labels = {f"key-{number}-{'k' * 100}": "\u5b66" * 120 for number in range(63)}
    holder = client.acquire_run(
        jobs.a_start(old.run, on_existing="takeover", holder_labels={"host": "node-7", **labels})
    )
    for call in (
        lambda: jobs.ask(client, old, 1),
        lambda: client.finish_run(old.run, fence=old.fence),
        lambda: client.acquire_run(jobs.a_start(old.run, incarnation=old.incarnation)),
    ):
        with pytest.raises(RunFenced) as caught:
            call()
        assert caught.value.details["incarnation"] == holder.incarnation
        assert caught.value.details["holder_host"] == "node-7"
    with pytest.raises(RunHeld):
        client.acquire_run(jobs.a_start(old.run))


def test_a_start_at_full_speed_moves_nothing_once_a_newer_one_has_the_run(
    server: ServerProcess, client: Client
) -> None:
    old = jobs.begun(client, schedule=jobs.SLOW, world_size=4)

    def step_on(rank: int) -> tuple[jobs.Bits, RunFenced]:
        found: jobs.Bits = []
        with Client(server.address) as own:
            try:
                while True:
                    window = jobs.ask(own, jobs.at_rank(old, rank), len(found) + 1)
                    found += jobs.bits(window.table) if window.table is not None else []
            except RunFenced as error:
                return found, error

    with ThreadPoolExecutor(4) as threads:
        ranks = [threads.submit(step_on, rank) for rank in range(4)]
        while client.get_run(old.run).frontier < 20:
            assert not any(rank.done() for rank in ranks)
        holder = taken_over(client, old, schedule=jobs.SLOW)
        answers = [rank.result() for rank in ranks]
    assert client.get_run(old.run).frontier == holder.frontier
    values = jobs.read(client, holder, 1, holder.frontier)
    for found, error in answers:
        assert found == values[: len(found)]
        assert_fenced(error, holder)
    assert jobs.ask(client, holder, holder.frontier).frontier == holder.frontier + 1


def test_a_start_whose_branch_was_left_is_told_who_holds_the_run(client: Client) -> None:
    old = jobs.stepped(client, jobs.begun(client), 3)
    client.finish_run(old.run)
    holder = client.acquire_run(
        jobs.a_start(old.run, on_existing="new_branch", holder_labels={"host": "node-7", "pid": "4711"})
    )
    assert (holder.fence, holder.branch) == (2, 2)
    assert len(jobs.read(client, old, 1, 4)) == 3
    with pytest.raises(RunFenced) as caught:
        jobs.ask(client, old, 4)
    assert_fenced(caught.value, holder)


def test_a_finished_run_is_read_and_not_moved(client: Client) -> None:
    place = jobs.stepped(client, jobs.begun(client), 3)
    client.finish_run(place.run)
    assert len(jobs.read(client, place, 1, 4)) == 3
    with pytest.raises(RunFinished, match=place.run):
        jobs.ask(client, place, 4)


def test_a_deleted_run_is_not_found(client: Client) -> None:
    place = jobs.stepped(client, jobs.begun(client), 3)
    client.delete_run(place.run, force=True)
    for step in (2, 4):
        with pytest.raises(RunNotFound) as caught:
            jobs.ask(client, place, step)
        assert caught.value.details == {"run_uid": place.run_uid}
