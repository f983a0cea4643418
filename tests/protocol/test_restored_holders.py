"""A database is put back from an older backup: who has a run then, and what its ranks put back."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lrkeeper import Client
from lrkeeper.errors import (
    CheckpointAhead,
    RemembersOther,
    RunExists,
    RunFenced,
    RunNotFound,
)
from tests.protocol import jobs
from tests.protocol.restored import SLOW_BITS, Backups, Job, a_job, stored
from tests.protocol.stored import contents
from tests.support.server import ServerProcess


@pytest.fixture
def client(lasting_client: Client) -> Client:
    return lasting_client


# Fences.


def test_a_start_that_was_lost_with_its_fence_has_the_run_again(client: Client, backups: Backups) -> None:
    first = a_job(client).hold(20)
    backup = backups.take()
    later = Job(
        client,
        client.acquire_run(jobs.a_start(first.place.run, schedule=jobs.SLOW, on_existing="takeover")),
        schedule=jobs.SLOW,
    )
    backups.put_back(backup)
    place = later.come_back()
    assert place.repaired
    assert place.fence == 2
    assert client.get_run(place.run).holder.incarnation == place.incarnation  # type: ignore[union-attr]
    with pytest.raises(RunFenced, match=place.incarnation):
        first.come_back()
    newer = client.acquire_run(jobs.a_start(place.run, schedule=jobs.SLOW, on_existing="takeover"))
    assert newer.fence == 3


def test_of_two_starts_that_come_back_the_later_one_has_the_run_in_whichever_order(
    client: Client, backups: Backups
) -> None:
    zeroth = a_job(client).hold(20)
    backup = backups.take()
    starts = [
        Job(
            client,
            client.acquire_run(jobs.a_start(zeroth.place.run, schedule=jobs.SLOW, on_existing="takeover")),
            schedule=jobs.SLOW,
        )
        for _ in range(2)
    ]
    older, newer = starts
    for order in ([older, newer], [newer, older]):
        backups.put_back(backup)
        for job in order:
            try:
                job.come_back()
            except RunFenced:
                assert job is older
        holder = client.get_run(zeroth.place.run).holder
        assert holder is not None
        assert holder.incarnation == newer.place.incarnation


def test_a_start_that_was_made_since_is_fenced_by_the_one_that_had_the_run(
    client: Client, backups: Backups
) -> None:
    first = a_job(client).hold(20)
    backup = backups.take()
    places = [
        client.acquire_run(jobs.a_start(first.place.run, schedule=jobs.SLOW, on_existing="takeover"))
        for _ in range(3)
    ]
    backups.put_back(backup)
    unknowing = client.acquire_run(jobs.a_start(first.place.run, schedule=jobs.SLOW, on_existing="takeover"))
    assert unknowing.fence == 2
    second, last = (Job(client, place, schedule=jobs.SLOW) for place in (places[0], places[-1]))
    with pytest.raises(RunFenced):
        second.come_back()
    assert last.come_back().fence == 4
    with pytest.raises(RunFenced):
        jobs.ask(client, unknowing, 20)


# Ranks.


def test_ranks_put_back_what_each_holds_and_share_the_fence(client: Client, backups: Backups) -> None:
    rank0 = a_job(client, world_size=3)
    others = [rank0.rank(client, rank) for rank in (1, 2)]
    backup = backups.take()
    for rank in (rank0, *others):
        rank.hold(20)
    for rank in (rank0, *others):
        rank.fetch(1)  # says where it is
    seen = max(rank.hold(end).frontier for rank, end in zip((rank0, *others), (30, 40, 36), strict=True))
    assert seen == 40
    for rank, step in zip((rank0, *others), (18, 19, 18), strict=True):
        rank.step = step
        rank.frontier = rank.end
    backups.put_back(backup)
    places = [rank.come_back() for rank in (rank0, *others)]
    assert [place.frontier for place in places] == [30, 40, 40]
    assert [place.repaired for place in places] == [True, True, False]
    assert {(place.fence, place.branch) for place in places} == {(1, 1)}
    assert [place.resume_step for place in places] == [18, 19, 18]
    assert stored(client, rank0.place.run, 1, 40) == SLOW_BITS[1:40]


def test_ranks_that_come_later_go_on_where_the_first_one_has_begun_a_branch(
    client: Client, backups: Backups
) -> None:
    rank0 = a_job(client, world_size=2)
    rank1 = rank0.rank(client, 1)
    backup = backups.take()
    rank0.hold(20)
    rank1.hold(40)
    rank0.step = rank1.step = 15
    rank0.frontier = 40
    backups.put_back(backup)
    first, second = rank0.come_back(), rank1.come_back()
    assert (first.branch, first.frontier) == (2, 20)
    assert (second.branch, second.frontier) == (2, 40)
    rank0.hold(60)
    rank1.hold(60)
    assert rank0.bits(1, 60) == rank1.bits(1, 60) == SLOW_BITS[1:60]


# Two histories.


def test_a_run_that_has_gone_on_another_way_is_not_mixed_up(
    own_server: ServerProcess, client: Client, backups: Backups
) -> None:
    job = a_job(client).hold(20)
    backup = backups.take()
    job.hold(60)
    backups.put_back(backup)
    other = client.acquire_run(jobs.a_start(job.place.run, schedule=jobs.SLOW, on_existing="takeover"))
    client.edit_run(other.run, jobs.HALVING, expected_revision=1, reason="another way", at_step=30)
    jobs.stepped(client, other, 50)
    before = contents(own_server)
    job.place = replace(job.place, fence=9)
    with pytest.raises(RemembersOther, match="two histories of one run") as caught:
        job.come_back()
    assert caught.value.details == {"run": job.place.run, "step": "30"}
    assert contents(own_server) == before


def test_a_run_that_has_gone_on_the_same_way_is_gone_on_with(client: Client, backups: Backups) -> None:
    job = a_job(client).hold(20)
    backup = backups.take()
    later = Job(
        client,
        client.acquire_run(jobs.a_start(job.place.run, schedule=jobs.SLOW, on_existing="takeover")),
        schedule=jobs.SLOW,
    ).hold(60)
    backups.put_back(backup)
    other = client.acquire_run(jobs.a_start(job.place.run, schedule=jobs.SLOW, on_existing="takeover"))
    jobs.stepped(client, other, 40)
    later.place = replace(later.place, fence=5)
    assert later.come_back().frontier == 60


def test_a_run_whose_name_is_another_ones_now_is_not_made_again(client: Client, backups: Backups) -> None:
    backup = backups.take()
    job = a_job(client).hold(30)
    backups.put_back(backup)
    other = client.acquire_run(jobs.a_start(job.place.run))
    with pytest.raises(RunExists, match="another run name"):
        job.come_back()
    assert client.get_run(job.place.run).uid == other.run_uid


# Starts that come with a checkpoint.


def test_a_new_start_puts_back_what_its_checkpoint_holds(client: Client, backups: Backups) -> None:
    job = a_job(client).hold(20)
    backup = backups.take()
    job.hold(60)
    job.step = 40
    place = job.place
    backups.put_back(backup)
    checkpoint = jobs.checkpoint_of(place, 40)
    with pytest.raises(CheckpointAhead):
        client.acquire_run(jobs.a_start(place.run, schedule=jobs.SLOW, checkpoint=checkpoint))
    remembered = job.remembered(first=40, held=False)
    new = client.acquire_run(
        jobs.a_start(place.run, schedule=jobs.SLOW, checkpoint=checkpoint, remembered=remembered)
    )
    assert new.repaired
    assert (new.fence, new.resume_step, new.frontier) == (2, 40, 60)
    assert jobs.bits(new.values) == [SLOW_BITS[40]]
    jobs.stepped(client, new, 80)
    assert stored(client, place.run, 41, 80) == SLOW_BITS[41:80]
    with pytest.raises(RunFenced):
        job.come_back()


def test_all_ranks_of_a_new_start_go_on_from_its_checkpoint(client: Client, backups: Backups) -> None:
    job = a_job(client).hold(20)
    backup = backups.take()
    job.hold(60)
    backups.put_back(backup)
    remembered = job.remembered(first=40, held=False)
    start = jobs.a_start(
        job.place.run,
        schedule=jobs.SLOW,
        checkpoint=jobs.checkpoint_of(job.place, 40),
        remembered=remembered,
        world_size=2,
    )
    places = [client.acquire_run(replace(start, rank=rank)) for rank in (0, 1)]
    assert [(place.fence, place.branch, place.resume_step) for place in places] == [(2, 2, 40), (2, 2, 40)]
    assert [place.repaired for place in places] == [True, False]


def test_what_a_checkpoint_holds_changes_nothing_where_nothing_was_lost(client: Client) -> None:
    job = a_job(client).hold(60)
    remembered = job.remembered(first=30, end=50, held=False)
    start = jobs.a_start(
        job.place.run, schedule=jobs.SLOW, checkpoint=jobs.checkpoint_of(job.place, 30), remembered=remembered
    )
    place = client.acquire_run(start)
    assert (place.repaired, place.fence, place.branch, place.frontier) == (False, 2, 1, 60)


def test_a_run_that_is_not_here_is_not_made_of_a_checkpoint(client: Client, backups: Backups) -> None:
    """A checkpoint may have been brought to the wrong server."""
    backup = backups.take()
    job = a_job(client).hold(60)
    backups.put_back(backup)
    with pytest.raises(RunNotFound, match="on_missing='create'"):
        job.come_back(job.remembered(held=False))
