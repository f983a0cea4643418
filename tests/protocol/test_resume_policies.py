"""What a start with a checkpoint wants of its run."""

from __future__ import annotations

from typing import Any, cast

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import (
    CheckpointAhead,
    GroupsDiffer,
    RankDiffers,
    ResumeRefused,
    RunFenced,
    RunFinished,
    ScheduleDiffers,
    WrongBranch,
)
from lrkeeper.messages import acquire_request
from lrkeeper.views import Place, Start
from tests.protocol import jobs
from tests.protocol.stored import contents
from tests.protocol.watched import Watched
from tests.support.server import ServerProcess


def a_resume(client: Client, place: Place, step: int, on_resume: str, **fields: Any) -> Start:
    """Return a start from a checkpoint of a place's branch, with what that carries."""
    window = jobs.ask(client, place, step)
    carried = {"checkpoint": jobs.checkpoint_of(place, step), "origin": jobs.origin_of(place, window, step)}
    return jobs.a_start(place.run, on_resume=on_resume, **{**carried, **fields})


def halving(first: int, end: int) -> jobs.Bits:
    return [((0.1 * 0.5**step).hex(),) for step in range(first, end)]


@pytest.fixture
def old(client: Client) -> Place:
    """The place of a job that got to step 20, and was edited from step 16 on."""
    place = jobs.stepped(client, jobs.begun(client), 15)
    client.edit_run(place.run, jobs.SLOW, expected_revision=1, reason="slower", author="op")
    return jobs.stepped(client, place, 20)


# checkpoint


def test_the_checkpoints_schedule_and_values_win_on_a_branch_of_its_own(client: Client, old: Place) -> None:
    before = jobs.read(client, old, 1, 21)
    new = client.acquire_run(a_resume(client, old, 10, "checkpoint"))
    assert (new.branch, new.fence, new.resume_step, new.frontier, new.schedule) == (
        2,
        2,
        10,
        11,
        jobs.HALVING,
    )
    jobs.stepped(client, new, 30)
    assert jobs.read(client, new, 1, 31) == halving(1, 31)
    assert jobs.read(client, old, 1, 21) == before
    run = client.get_run(old.run)
    assert [(b.branch, b.origin_step, b.time) for b in run.lineage] == [(1, 0, None), (2, 10, None)]
    with pytest.raises(RunFenced):
        jobs.ask(client, old, 21)


def test_also_where_the_job_brings_another_schedule_by_now(client: Client, old: Place) -> None:
    with pytest.raises(ScheduleDiffers, match="on_resume='checkpoint'"):
        client.acquire_run(a_resume(client, old, 10, "exact", schedule=S.StepLR(3)))
    new = client.acquire_run(a_resume(client, old, 10, "checkpoint", schedule=S.StepLR(3)))
    jobs.stepped(client, new, 30)
    assert jobs.read(client, new, 1, 31) == halving(1, 31)
    assert [e.reason for e in new.edits] == ["carried over from the checkpoint"]
    again = client.acquire_run(
        jobs.a_start(old.run, schedule=S.StepLR(3), checkpoint=jobs.checkpoint_of(new, 25))
    )
    assert (again.branch, again.resume_step, again.schedule) == (2, 25, jobs.HALVING)


def test_also_beyond_where_the_run_left_the_checkpoints_branch(client: Client, old: Place) -> None:
    start = a_resume(client, old, 14, "checkpoint")
    client.rollback_run(old.run, 12, expected_revision=2, reason="back")
    with pytest.raises(WrongBranch, match="on_resume='checkpoint'"):
        client.acquire_run(jobs.a_start(old.run, checkpoint=jobs.checkpoint_of(old, 14)))
    new = client.acquire_run(start)
    assert [(b.branch, b.origin_step) for b in client.get_run(old.run).lineage] == [(1, 0), (3, 14)]
    jobs.stepped(client, new, 30)
    assert jobs.read(client, new, 1, 31) == halving(1, 31)


def test_also_beyond_the_frontier(client: Client) -> None:
    ahead, behind = jobs.begun(client), jobs.stepped(client, jobs.begun(client), 5)
    jobs.stepped(client, ahead, 20)
    start = a_resume(client, ahead, 12, "checkpoint")
    place = jobs.checkpoint_of(behind, 12)
    start = jobs.a_start(behind.run, on_resume="checkpoint", checkpoint=place, origin=start.origin)
    with pytest.raises(CheckpointAhead):
        client.acquire_run(jobs.a_start(behind.run, checkpoint=place))
    new = client.acquire_run(start)
    assert (new.branch, new.resume_step, new.frontier) == (2, 12, 13)
    jobs.stepped(client, new, 20)
    assert jobs.read(client, new, 13, 21) == halving(13, 21)
    assert [b.branch for b in client.get_run(behind.run).lineage] == [2]


def test_all_ranks_share_the_branch(client: Client, old: Place) -> None:
    starts = [
        a_resume(client, old, 10, "checkpoint", incarnation=f"all-{old.run_uid}", rank=rank, world_size=2)
        for rank in range(2)
    ]
    places = [client.acquire_run(starts[rank]) for rank in (0, 1, 0)]
    assert [(p.branch, p.fence, p.resume_step) for p in places] == [(2, 2, 10)] * 3
    jobs.stepped(client, places[0], 12)
    assert client.acquire_run(starts[1]).frontier == 13


def test_a_start_goes_on_from_one_checkpoint_only(client: Client, old: Place) -> None:
    first = a_resume(client, old, 10, "checkpoint")
    client.acquire_run(first)
    other = a_resume(client, old, 9, "checkpoint", incarnation=first.incarnation)
    with pytest.raises(ResumeRefused, match="stands on branch 2 already, from step 10 on"):
        client.acquire_run(other)


def test_a_checkpoint_that_carries_nothing_is_no_way_on(watched: Watched) -> None:
    request = acquire_request(
        jobs.a_start(watched.run, on_resume="checkpoint", checkpoint=jobs.checkpoint_of(watched.place, 2))
    )
    refusal = watched.refuses(lambda: watched.wire.runs.AcquireRun(request))
    assert (refusal.status, refusal.details) == ("INVALID_ARGUMENT", {"field": "origin"})


def test_a_policy_of_a_newer_client_is_none(watched: Watched) -> None:
    request = acquire_request(jobs.a_start(watched.run, checkpoint=jobs.checkpoint_of(watched.place, 2)))
    request.on_resume = cast(Any, 99)
    refusal = watched.refuses(lambda: watched.wire.runs.AcquireRun(request))
    assert (refusal.status, refusal.details) == ("INVALID_ARGUMENT", {"field": "on_resume"})


def test_a_finished_run_stays_finished(client: Client, old: Place) -> None:
    start = a_resume(client, old, 10, "checkpoint")
    client.finish_run(old.run)
    with pytest.raises(RunFinished):
        client.acquire_run(start)


# server (see the contract's tests for what the ranks have said)


def test_a_job_goes_on_at_the_step_that_was_applied_last(client: Client, old: Place) -> None:
    start = a_resume(client, old, 10, "server")
    jobs.ask(client, old, 20, applied=18)
    new = client.acquire_run(start)
    assert (new.branch, new.resume_step, new.frontier, new.schedule) == (1, 18, 21, jobs.SLOW)
    assert jobs.bits(new.values) == jobs.read(client, old, 18, 19)


def test_a_checkpoint_tells_that_its_step_was_applied(client: Client, old: Place) -> None:
    start = a_resume(client, old, 19, "server")
    jobs.ask(client, old, 20, applied=17)
    assert client.acquire_run(start).resume_step == 19


def test_without_word_of_the_ranks_a_job_goes_on_at_the_last_committed_step(
    own_server: ServerProcess,
) -> None:
    with Client(own_server.address) as client:
        place = jobs.stepped(client, jobs.begun(client), 20)
        start = a_resume(client, place, 10, "server")
        own_server.kill()
        own_server.start()
    with Client(own_server.address) as client:
        assert client.acquire_run(start).resume_step == 20


def test_it_goes_on_there_also_from_a_branch_that_was_left(client: Client, old: Place) -> None:
    start = a_resume(client, old, 18, "server")
    client.rollback_run(old.run, 12, expected_revision=2, reason="back")
    new = client.acquire_run(start)
    assert (new.branch, new.resume_step) == (2, 12)
    assert jobs.bits(new.values) == halving(12, 13)


def test_another_schedule_or_other_groups_are_refused_all_the_same(client: Client, old: Place) -> None:
    with pytest.raises(ScheduleDiffers):
        client.acquire_run(a_resume(client, old, 10, "server", schedule=S.StepLR(3)))
    with pytest.raises(GroupsDiffer):
        client.acquire_run(a_resume(client, old, 10, "server", groups=(jobs.a_group(), jobs.a_group())))


# error


def test_a_run_that_was_edited_from_a_later_step_on_is_refused(watched: Watched) -> None:
    client = watched.client
    client.edit_run(watched.run, jobs.SLOW, expected_revision=1, reason="slower", author="op", at_step=9)
    start = a_resume(client, watched.place, 3, "error")
    before = contents(watched.server)
    with pytest.raises(
        ResumeRefused, match=r"edited with effect from step 9 \(revision 2, op: slower\)"
    ) as caught:
        client.acquire_run(start)
    for way in ("'exact'", "'server'", "'checkpoint'"):
        assert way in str(caught.value)
    assert contents(watched.server) == before


def test_a_run_that_was_taken_back_is_refused(client: Client, old: Place) -> None:
    start = a_resume(client, old, 10, "error")
    client.rollback_run(old.run, 12, expected_revision=2, reason="it diverged", author="op")
    with pytest.raises(ResumeRefused, match="taken back to step 12 by op: it diverged"):
        client.acquire_run(start)


def test_a_run_that_went_on_from_a_checkpoint_is_refused(client: Client, old: Place) -> None:
    start = a_resume(client, old, 10, "error")
    client.acquire_run(a_resume(client, old, 11, "checkpoint"))
    with pytest.raises(ResumeRefused, match="on branch 2, which left branch 1 at step 11"):
        client.acquire_run(start)


def test_a_run_with_which_nothing_has_happened_is_resumed(client: Client, old: Place) -> None:
    """That it is committed further is no more than the job's own window."""
    new = client.acquire_run(a_resume(client, old, 17, "error"))
    assert (new.branch, new.resume_step, new.frontier) == (1, 17, 21)
    with pytest.raises(ScheduleDiffers):
        client.acquire_run(a_resume(client, old, 17, "error", schedule=S.StepLR(3)))


# All ranks of a start.


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("exact", "server"),
        ("server", "exact"),
        ("checkpoint", "exact"),
        ("exact", "checkpoint"),
        ("error", "exact"),
    ],
)
def test_all_ranks_of_a_start_want_the_same(client: Client, first: str, second: str) -> None:
    place = jobs.stepped(client, jobs.begun(client), 20)
    shared = {"incarnation": f"all-{place.run_uid}", "world_size": 2}
    client.acquire_run(a_resume(client, place, 20, first, **shared))
    other = a_resume(client, place, 20, second, **shared, rank=1)
    with pytest.raises(RankDiffers, match=f"on_resume='{second}', and the first rank .* '{first}'"):
        client.acquire_run(other)


def test_all_ranks_go_on_at_the_first_ones_step(client: Client, old: Place) -> None:
    starts = [
        a_resume(client, old, 10 + rank, "server", incarnation=f"all-{old.run_uid}", rank=rank, world_size=2)
        for rank in range(2)
    ]
    jobs.ask(client, old, 20, applied=18)
    first = client.acquire_run(starts[0])
    jobs.stepped(client, first, 21)
    assert [first.resume_step, client.acquire_run(starts[1]).resume_step] == [18, 18]
