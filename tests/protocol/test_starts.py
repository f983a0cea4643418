"""AcquireRun: which start of a job has a run."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import (
    GroupsDiffer,
    LrkeeperError,
    RankDiffers,
    RunFenced,
    RunHeld,
    ScheduleDiffers,
    StaleAttempt,
)
from lrkeeper.views import Place, Start
from tests.protocol import jobs
from tests.protocol.stored import contents, rows
from tests.protocol.watched import Watched
from tests.support.server import ServerProcess


def test_a_new_run_has_what_its_first_start_brought(client: Client) -> None:
    groups = (
        jobs.a_group(0.5, name="body"),
        jobs.a_group(name="head", number="float32", initial={"lr": 0.25}, current={"lr": 0.125}),
    )
    start = jobs.a_start(
        jobs.new_name(),
        groups=groups,
        schedule=S.MultiStepLR([3]),
        unit="epoch",
        labels={"team": "vision", "size": "groß"},
        holder_labels={"host": "node-1", "pid": "17"},
        world_size=4,
        rank=2,
    )
    place = client.acquire_run(start)
    assert (place.fence, place.branch, place.resume_step, place.frontier) == (1, 1, 0, 1)
    assert (place.revision, place.created, place.edits) == (1, True, ())
    assert place.schedule == S.MultiStepLR([3])
    assert place.values.row(0) == {"lr": (0.5, 0.125)}
    run = client.get_run(start.run)
    assert (run.uid, run.state, run.unit, run.labels) == (place.run_uid, "active", "epoch", start.labels)
    assert (run.groups, run.origin_step, run.frontier) == (groups, 0, 1)
    assert (run.schedule_name, run.schedule_revision, run.finished) == ("", 0, None)
    assert run.latest == place.values
    assert run.holder is not None
    assert (run.holder.incarnation, run.holder.world_size) == (start.incarnation, 4)
    assert run.holder.labels == start.holder_labels
    assert run.created <= run.heard


def test_the_same_incarnation_again_gets_the_same_fence(watched: Watched) -> None:
    start = jobs.a_start(jobs.new_name(), world_size=4)
    first = watched.client.acquire_run(start)
    before = contents(watched.server)
    for rank in (0, 1, 2, 3, 0):
        again = watched.client.acquire_run(replace(start, rank=rank))
        assert again == replace(first, created=False, rank=rank)
    assert contents(watched.server) == before


def test_an_incarnation_keeps_its_fence_over_a_restart(own_server: ServerProcess) -> None:
    with Client(own_server.address) as client:
        start = jobs.a_start(jobs.new_name(), world_size=2)
        first = jobs.stepped(client, client.acquire_run(start), 5)
        own_server.kill()
        own_server.start()
        again = client.acquire_run(replace(start, rank=1))
        assert (again.fence, again.resume_step, again.frontier) == (first.fence, 0, 6)
        assert jobs.ask(client, first, 6).frontier == 7


def test_a_new_incarnation_gets_the_next_fence(client: Client) -> None:
    place = jobs.stepped(client, jobs.begun(client), 5)
    checkpoint = jobs.checkpoint_of(place, 5)
    fences = [client.acquire_run(jobs.a_start(place.run, checkpoint=checkpoint)).fence for _ in range(4)]
    assert fences == [2, 3, 4, 5]


def test_a_superseded_incarnation_is_told_who_has_the_run(watched: Watched) -> None:
    client = watched.client
    start = jobs.a_start(jobs.new_name())
    place = client.acquire_run(start)
    newer = client.acquire_run(
        jobs.a_start(start.run, on_existing="takeover", holder_labels={"host": "node-2"})
    )
    before = contents(watched.server)
    for late in (
        start,
        replace(start, on_existing="takeover"),
        replace(start, checkpoint=jobs.checkpoint_of(place, 0)),
    ):
        with pytest.raises(RunFenced) as caught:
            client.acquire_run(late)
        assert caught.value.details == {
            "run": start.run,
            "fence": "2",
            "incarnation": newer.incarnation,
            "holder_host": "node-2",
        }
    assert contents(watched.server) == before


def test_of_launchers_whose_ranks_interleave_the_later_has_the_run(client: Client) -> None:
    place = jobs.stepped(client, jobs.begun(client), 5)
    a, b = (
        jobs.a_start(
            place.run, checkpoint=jobs.checkpoint_of(place, 5), world_size=2, holder_labels={"host": host}
        )
        for host in ("launcher-a", "launcher-b")
    )
    a0 = client.acquire_run(a)
    b0 = client.acquire_run(b)
    with pytest.raises(RunFenced) as caught:
        client.acquire_run(replace(a, rank=1))
    assert caught.value.details["holder_host"] == "launcher-b"
    b1 = client.acquire_run(replace(b, rank=1))
    assert (a0.fence, b0.fence, b1.fence) == (2, 3, 3)
    with pytest.raises(RunFenced):
        jobs.ask(client, a0, 6)
    assert jobs.ask(client, b1, 6).frontier == 7


def test_eight_ranks_at_once_get_one_fence(server: ServerProcess, client: Client) -> None:
    place = jobs.stepped(client, jobs.begun(client), 5)
    start = jobs.a_start(place.run, checkpoint=jobs.checkpoint_of(place, 3), world_size=8)
    together = Barrier(8)

    def acquire(rank: int) -> Place:
        with Client(server.address) as own:
            own.get_server()
            together.wait()
            return own.acquire_run(replace(start, rank=rank))

    with ThreadPoolExecutor(8) as threads:
        places = list(threads.map(acquire, range(8)))
    assert {(p.fence, p.branch, p.resume_step, p.run_uid) for p in places} == {(2, 1, 3, place.run_uid)}
    found = rows(server, "SELECT fence FROM incarnations WHERE run_uid = ?", place.run_uid)
    assert sorted(found) == [(1,), (2,)]


def at_once(server: ServerProcess, starts: list[Start]) -> list[Place | LrkeeperError]:
    """Let launchers of their own acquire at once; return what each has got."""
    together = Barrier(len(starts))

    def acquire(start: Start) -> Place | LrkeeperError:
        with Client(server.address) as own:
            own.get_server()
            together.wait()
            try:
                return own.acquire_run(start)
            except LrkeeperError as error:
                return error

    with ThreadPoolExecutor(len(starts)) as threads:
        return list(threads.map(acquire, starts))


def test_of_launchers_that_start_a_run_at_once_one_has_it(server: ServerProcess) -> None:
    run = jobs.new_name()
    starts = [jobs.a_start(run, holder_labels={"host": f"node-{i}"}) for i in range(6)]
    found = at_once(server, starts)
    (winner,) = [place for place in found if isinstance(place, Place)]
    losers = [error for error in found if not isinstance(error, Place)]
    host = f"node-{found.index(winner)}"
    assert len(losers) == 5
    for error in losers:
        assert isinstance(error, RunHeld)
        assert error.details["incarnation"] == winner.incarnation
        assert error.details["holder_host"] == host
        assert host in str(error)


def test_of_launchers_that_resume_a_run_at_once_the_last_moves_it(
    server: ServerProcess, client: Client
) -> None:
    place = jobs.stepped(client, jobs.begun(client), 5)
    checkpoint = jobs.checkpoint_of(place, 5)
    found = at_once(server, [jobs.a_start(place.run, checkpoint=checkpoint) for _ in range(6)])
    places = sorted((p for p in found if isinstance(p, Place)), key=lambda p: p.fence)
    assert [p.fence for p in places] == [2, 3, 4, 5, 6, 7]
    for old in places[:-1]:
        with pytest.raises(RunFenced):
            jobs.ask(client, old, 6)
    assert jobs.ask(client, places[-1], 6).frontier == 7


def test_an_earlier_attempt_may_not_take_the_run(watched: Watched) -> None:
    client = watched.client
    first = client.acquire_run(jobs.a_start(jobs.new_name(), attempt=4))
    before = contents(watched.server)
    for fields in ({"on_existing": "takeover"}, {"checkpoint": jobs.checkpoint_of(first, 0)}):
        with pytest.raises(StaleAttempt, match="attempt 3") as caught:
            client.acquire_run(jobs.a_start(first.run, attempt=3, **fields))
        assert caught.value.details == {"run": first.run, "attempt": "4"}
    assert contents(watched.server) == before
    assert jobs.ask(client, first, 1).frontier == 2


@pytest.mark.parametrize("attempt", [4, 5, None])
def test_an_attempt_that_is_not_earlier_may(client: Client, attempt: int | None) -> None:
    first = client.acquire_run(jobs.a_start(jobs.new_name(), attempt=4))
    second = client.acquire_run(jobs.a_start(first.run, attempt=attempt, on_existing="takeover"))
    assert second.fence == 2


def test_the_highest_attempt_counts_and_not_the_last(client: Client) -> None:
    first = client.acquire_run(jobs.a_start(jobs.new_name(), attempt=4))
    client.acquire_run(jobs.a_start(first.run, on_existing="takeover"))
    with pytest.raises(StaleAttempt):
        client.acquire_run(jobs.a_start(first.run, attempt=3, on_existing="takeover"))


def test_a_late_rank_of_an_earlier_attempt_is_fenced_and_the_later_lives(client: Client) -> None:
    third = jobs.a_start(jobs.new_name(), attempt=3, world_size=2)
    place = client.acquire_run(third)
    fourth = client.acquire_run(
        jobs.a_start(third.run, attempt=4, world_size=2, checkpoint=jobs.checkpoint_of(place, 0))
    )
    with pytest.raises(RunFenced):
        client.acquire_run(replace(third, rank=1))
    with pytest.raises(StaleAttempt):
        client.acquire_run(replace(third, incarnation="of-the-third-too", on_existing="takeover"))
    assert jobs.ask(client, fourth, 1).frontier == 2


@pytest.mark.parametrize("step", [None, 2, 4])
def test_a_rank_that_stands_elsewhere_is_refused(watched: Watched, step: int | None) -> None:
    client = watched.client
    place = jobs.stepped(client, jobs.begun(client), 5)
    start = jobs.a_start(place.run, checkpoint=jobs.checkpoint_of(place, 3), world_size=2)
    client.acquire_run(start)
    checkpoint = None if step is None else jobs.checkpoint_of(place, step)
    before = contents(watched.server)
    with pytest.raises(RankDiffers, match=f"rank 1 stands at step {step or 0}, .* at step 3") as caught:
        client.acquire_run(replace(start, rank=1, checkpoint=checkpoint))
    assert caught.value.details == {"run": place.run}
    assert contents(watched.server) == before
    assert client.acquire_run(replace(start, rank=1)).resume_step == 3


def test_the_only_rank_may_load_another_checkpoint(client: Client) -> None:
    place = jobs.stepped(client, jobs.begun(client), 5)
    start = jobs.a_start(place.run, checkpoint=jobs.checkpoint_of(place, 3))
    for step in (3, 5, 0, 2):
        again = client.acquire_run(replace(start, checkpoint=jobs.checkpoint_of(place, step)))
        assert (again.fence, again.resume_step) == (2, step)
        assert jobs.bits(again.values) == [((0.1 * 0.5**step).hex(),)]


def test_a_rank_with_another_schedule_or_other_groups_is_refused(watched: Watched) -> None:
    start = jobs.a_start(jobs.new_name(), world_size=2)
    watched.client.acquire_run(start)
    before = contents(watched.server)
    with pytest.raises(ScheduleDiffers):
        watched.client.acquire_run(replace(start, rank=1, schedule=jobs.SLOW))
    with pytest.raises(GroupsDiffer):
        watched.client.acquire_run(replace(start, rank=1, groups=(jobs.a_group(0.2),)))
    assert contents(watched.server) == before
