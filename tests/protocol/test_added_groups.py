"""AcquireRun with `adds_groups`: two ranks, repeats, and requests that make no sense."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lrkeeper import Client
from lrkeeper.errors import (
    CheckpointAhead,
    GroupsDiffer,
    InvalidArgument,
    RankDiffers,
    RunFinished,
    WrongBranch,
)
from lrkeeper.views import Place, Start
from tests.protocol import jobs
from tests.protocol.stored import rows
from tests.support.server import ServerProcess


@pytest.fixture
def start() -> Start:
    return jobs.a_start(jobs.new_name(), world_size=2)


@pytest.fixture
def place(client: Client, start: Start) -> Place:
    """Rank 0's place on a run with the steps below 6."""
    place = client.acquire_run(start)
    client.acquire_run(replace(start, rank=1))
    return jobs.stepped(client, place, 5)


def more(start: Start, place: Place, step: int, *lrs: float, **changes: object) -> Start:
    """Return the request of a rank that has added groups at a step."""
    groups = (*start.groups, *map(jobs.a_group, lrs or (0.5,)))
    return replace(
        start,
        groups=groups,
        checkpoint=jobs.checkpoint_of(place, step),
        adds_groups=True,
        **changes,  # type: ignore[arg-type]
    )


def test_ranks_that_add_the_same_groups_at_the_same_step_share_a_branch(
    client: Client, start: Start, place: Place
) -> None:
    one = client.acquire_run(more(start, place, 5))
    other = client.acquire_run(more(start, place, 5, rank=1))
    again = client.acquire_run(more(start, place, 5))
    for found in (one, other, again):
        assert (found.branch, found.fence, found.resume_step, found.frontier) == (2, place.fence, 5, 6)
        assert found.values.row(5)["lr"] == (0.1 * 0.5**5, 0.5)
    assert jobs.bits(jobs.ask(client, one, 6).table) == [((0.1 * 0.5**6).hex(), (0.25).hex())]
    assert jobs.bits(jobs.ask(client, other, 6).table) == [((0.1 * 0.5**6).hex(), (0.25).hex())]


def test_a_rank_behind_reads_its_branch_up_to_the_step(client: Client, start: Start, place: Place) -> None:
    client.acquire_run(more(start, place, 5))
    behind = jobs.at_rank(place, 1)
    assert len(jobs.bits(jobs.ask(client, behind, 4, 5).table)) == 2
    with pytest.raises(GroupsDiffer, match="has 2 param groups, and the job goes on with 1 after step 5"):
        jobs.ask(client, behind, 6)


def test_a_rank_that_adds_other_groups_is_refused_with_the_difference(
    client: Client, start: Start, place: Place
) -> None:
    client.acquire_run(more(start, place, 5))
    with pytest.raises(RankDiffers, match=r"rank 1 has added other param groups at step 5 .* base values"):
        client.acquire_run(more(start, place, 5, 0.7, rank=1))
    assert client.get_run(start.run).branch == 2


def test_a_group_can_come_at_the_first_step_of_a_branch(client: Client, start: Start, place: Place) -> None:
    one = client.acquire_run(more(start, place, 5))
    grown = replace(start, groups=(*start.groups, jobs.a_group(0.5)))
    two = client.acquire_run(more(grown, one, 5, 0.25))
    assert (two.branch, two.values.row(5)["lr"]) == (3, (0.1 * 0.5**5, 0.5, 0.25))


@pytest.mark.parametrize("step", [6, 100])
def test_a_step_that_is_not_committed_is_no_place_to_add_at(
    client: Client, start: Start, place: Place, step: int
) -> None:
    with pytest.raises(CheckpointAhead, match=f"the start leaves the plan at step {step}"):
        client.acquire_run(more(start, place, step))


def test_fewer_the_same_and_other_groups_are_not_more(client: Client, start: Start, place: Place) -> None:
    request = more(start, place, 5)
    for groups, says in (
        (start.groups, "none was added"),
        ((jobs.a_group(0.7), jobs.a_group(0.5)), "base values"),
    ):
        with pytest.raises(GroupsDiffer, match=says):
            client.acquire_run(replace(request, groups=groups))
    grown = client.acquire_run(request)
    with pytest.raises(GroupsDiffer, match="the job has 1, the run 2"):
        client.acquire_run(replace(more(start, grown, 5), groups=start.groups))


def test_a_branch_that_the_run_has_left_otherwise_is_no_place(client: Client, start: Start) -> None:
    place = jobs.stepped(client, client.acquire_run(replace(start, world_size=1)), 3)
    client.finish_run(start.run)
    other = replace(start, world_size=1, incarnation="another", on_existing="new_branch")
    client.acquire_run(other)
    with pytest.raises(WrongBranch):
        client.acquire_run(more(other, place, 3))


def test_a_finished_run_takes_none(client: Client, start: Start, place: Place) -> None:
    client.finish_run(start.run)
    with pytest.raises(RunFinished, match="is finished and takes no more steps"):
        client.acquire_run(more(start, place, 5))


def test_nothing_is_stored_of_what_is_refused(
    server: ServerProcess, client: Client, start: Start, place: Place
) -> None:
    with pytest.raises(InvalidArgument, match="checkpoint is missing"):
        client.acquire_run(replace(more(start, place, 5), checkpoint=None))
    with pytest.raises(GroupsDiffer):
        client.acquire_run(replace(more(start, place, 5), groups=start.groups))
    found = rows(server, f"SELECT branch FROM branches WHERE run_uid = '{place.run_uid}'")
    assert found == [(1,)]
