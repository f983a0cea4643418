"""A job goes on from a checkpoint: at its step, with the bits that were there the first time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import CheckpointAhead, RunNotFound, WrongBranch
from lrkeeper.views import Checkpoint, Origin
from tests.protocol import jobs
from tests.protocol.stored import contents
from tests.protocol.watched import Watched
from tests.support.server import ServerProcess

SCHEDULE = S.MultiStepLR([3, 7]).then(S.StepLR(4, gamma=0.3), at=9)


@pytest.mark.parametrize("step", [0, 1, 6, 11, 39])
def test_a_job_goes_on_with_the_bits_of_the_first_time(own_server: ServerProcess, step: int) -> None:
    with Client(own_server.address) as client:
        first = jobs.begun(client, schedule=SCHEDULE)
        for begin, count in ((1, 5), (6, 5), (11, 1), (12, 28)):
            jobs.ask(client, first, begin, count)
        bits = jobs.read(client, first, 1, 40)
        own_server.kill()
        own_server.start()
        start = jobs.a_start(first.run, schedule=SCHEDULE, checkpoint=jobs.checkpoint_of(first, step))
        again = client.acquire_run(start)
        assert (again.fence, again.resume_step, again.frontier) == (2, step, 40)
        assert jobs.bits(again.values) == ([((0.1).hex(),), *bits])[step : step + 1]
        assert jobs.read(client, again, step + 1, 40) == bits[step:]
        jobs.stepped(client, again, 60)
        undisturbed = jobs.stepped(client, jobs.begun(client, schedule=SCHEDULE), 60)
        assert jobs.read(client, again, 1, 61) == jobs.read(client, undisturbed, 1, 61)


@pytest.mark.parametrize("step", [10, 11, 10**9])
def test_a_checkpoint_beyond_the_frontier_is_refused(watched: Watched, step: int) -> None:
    client = watched.client
    place = jobs.stepped(client, jobs.begun(client), 9)
    before = contents(watched.server)
    with pytest.raises(CheckpointAhead, match=f"at step {step}, .* below 10") as caught:
        client.acquire_run(jobs.a_start(place.run, checkpoint=jobs.checkpoint_of(place, step)))
    assert caught.value.details == {"run": place.run, "frontier": "10"}
    assert contents(watched.server) == before
    assert client.acquire_run(jobs.a_start(place.run, checkpoint=jobs.checkpoint_of(place, 9))).fence == 2


def test_a_checkpoint_of_a_branch_that_was_left_is_refused(watched: Watched) -> None:
    client = watched.client
    old = jobs.stepped(client, jobs.begun(client), 9)
    client.finish_run(old.run)
    new = jobs.stepped(client, client.acquire_run(jobs.a_start(old.run, on_existing="new_branch")), 9)
    before = contents(watched.server)
    for branch, step in ((1, 5), (1, 0), (3, 5), (0, 5), (-1, 5)):
        with pytest.raises(WrongBranch, match=f"step {step} of branch {branch}; .* branch 2") as caught:
            client.acquire_run(jobs.a_start(old.run, checkpoint=Checkpoint(old.run_uid, branch, step)))
        assert caught.value.details == {"run": old.run, "branch": "2"}
    assert contents(watched.server) == before
    assert client.acquire_run(jobs.a_start(old.run, checkpoint=jobs.checkpoint_of(new, 5))).fence == 3


def test_a_checkpoint_before_the_origin_is_refused(client: Client) -> None:
    source = jobs.begun(client)
    window = jobs.ask(client, source, 1, 20)
    client.delete_run(source.run, force=True)
    place = jobs.begun(
        client, checkpoint=jobs.checkpoint_of(source, 12), origin=jobs.origin_of(source, window, 12)
    )
    with pytest.raises(CheckpointAhead, match=r"before run .* begins at 12"):
        client.acquire_run(jobs.a_start(place.run, checkpoint=jobs.checkpoint_of(place, 11)))


def test_the_checkpoint_says_which_run_is_meant_and_not_the_name(client: Client) -> None:
    place = jobs.stepped(client, jobs.begun(client), 3)
    again = client.acquire_run(jobs.a_start(jobs.new_name(), checkpoint=jobs.checkpoint_of(place, 3)))
    assert (again.run, again.run_uid) == (place.run, place.run_uid)


def test_a_checkpoint_of_a_deleted_run_is_not_found(client: Client) -> None:
    place = jobs.stepped(client, jobs.begun(client), 3)
    client.delete_run(place.run, force=True)
    anew = client.acquire_run(jobs.a_start(place.run))
    assert anew.run_uid != place.run_uid
    with pytest.raises(RunNotFound) as caught:
        client.acquire_run(jobs.a_start(place.run, checkpoint=jobs.checkpoint_of(place, 3)))
    assert caught.value.details == {"run": place.run, "run_uid": place.run_uid}


def test_an_edit_made_while_the_job_was_down_acts_at_the_frontier(client: Client) -> None:
    first = jobs.stepped(client, jobs.begun(client), 9)
    edited = client.edit_run(first.run, jobs.SLOW, expected_revision=1, reason="while it was down")
    again = client.acquire_run(jobs.a_start(first.run, checkpoint=jobs.checkpoint_of(first, 4)))
    assert edited.effective_step == 10
    assert (again.revision, again.schedule) == (1, jobs.HALVING)
    assert [(e.revision, e.effective_step, e.reason) for e in again.edits] == [(2, 10, "while it was down")]
    jobs.stepped(client, again, 14)
    halving = jobs.torch_bits(jobs.torch_step(0.5), 10)
    assert jobs.read(client, again, 5, 15) == halving[5:] + jobs.torch_bits(jobs.torch_step(0.999), 15)[10:]


def test_a_start_beyond_an_edit_is_given_the_definition_in_force(client: Client) -> None:
    first = jobs.stepped(client, jobs.begun(client), 4)
    client.edit_run(first.run, jobs.SLOW, expected_revision=1, reason="first")
    jobs.stepped(client, first, 8)
    client.edit_run(first.run, SCHEDULE, expected_revision=2, reason="second")
    jobs.stepped(client, first, 12)
    in_force = {
        4: (1, jobs.HALVING),
        5: (2, jobs.SLOW),
        8: (2, jobs.SLOW),
        9: (3, SCHEDULE),
        12: (3, SCHEDULE),
    }
    for step, expected in in_force.items():
        again = client.acquire_run(jobs.a_start(first.run, checkpoint=jobs.checkpoint_of(first, step)))
        assert (again.revision, again.schedule) == expected


@pytest.mark.parametrize("step", [0, 3, 5, 6, 12])
def test_a_place_carries_enough_to_go_on_elsewhere(client: Client, step: int) -> None:
    """What AcquireRun answers is what a checkpoint needs, also in the middle of a block."""
    first = jobs.begun(client, schedule=SCHEDULE)
    for begin, count in ((1, 5), (6, 15)):
        jobs.ask(client, first, begin, count)
    place = client.acquire_run(
        jobs.a_start(first.run, schedule=SCHEDULE, checkpoint=jobs.checkpoint_of(first, step))
    )
    assert place.cursor_step <= step
    elsewhere = jobs.begun(
        client,
        schedule=SCHEDULE,
        checkpoint=jobs.checkpoint_of(replace(place, run_uid="gone"), step),
        origin=Origin(place.schedule, place.cursor, place.cursor_step, place.values),
    )
    jobs.stepped(client, elsewhere, 30)
    jobs.stepped(client, place, 30)
    assert jobs.read(client, elsewhere, step + 1, 31) == jobs.read(client, place, step + 1, 31)
