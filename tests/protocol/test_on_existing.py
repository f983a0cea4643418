"""A fresh start on a run that is there already."""

from __future__ import annotations

from typing import Any

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import (
    GroupsDiffer,
    RunAlreadyFinished,
    RunFenced,
    RunFinished,
    RunHeld,
    ScheduleDiffers,
    StepOutOfRange,
)
from tests.protocol import jobs
from tests.protocol.silence import let_pass
from tests.protocol.stored import contents
from tests.protocol.watched import Watched
from tests.support.server import ServerProcess


@pytest.mark.parametrize("on_existing", ["resume", "new_branch"])
def test_a_run_that_is_held_is_not_given_away(watched: Watched, on_existing: str) -> None:
    client = watched.client
    holder = jobs.begun(client, holder_labels={"host": "node-3", "pid": "99"})
    jobs.stepped(client, holder, 3)
    before = contents(watched.server)
    with pytest.raises(RunHeld) as caught:
        client.acquire_run(jobs.a_start(holder.run, on_existing=on_existing))
    assert caught.value.details == {
        "run": holder.run,
        "incarnation": holder.incarnation,
        "holder_host": "node-3",
        "holder_pid": "99",
    }
    assert "on node-3, pid 99" in str(caught.value)
    assert "on_existing='takeover'" in str(caught.value)
    assert contents(watched.server) == before
    assert jobs.ask(client, holder, 4).frontier == 5


def test_a_run_whose_holder_is_silent_is_begun_again_from_its_origin(own_server: ServerProcess) -> None:
    with Client(own_server.address) as client:
        old = jobs.stepped(client, jobs.begun(client), 9)
        let_pass(own_server, old.run_uid, 61)
        place = client.acquire_run(jobs.a_start(old.run))
        assert (place.fence, place.branch, place.resume_step, place.frontier) == (2, 1, 0, 10)
        assert not place.created
        assert jobs.read(client, place, 1, 10) == jobs.read(client, old, 1, 10)
        with pytest.raises(RunFenced):
            jobs.ask(client, old, 10)


@pytest.mark.parametrize(("silent", "every", "held"), [(50, 0, True), (100, 60, True), (200, 60, False)])
def test_a_holder_seems_alive_for_a_minute_or_three_of_its_steps(
    own_server: ServerProcess, silent: int, every: int, held: bool
) -> None:
    with Client(own_server.address) as client:
        old = jobs.stepped(client, jobs.begun(client), 2)
        let_pass(own_server, old.run_uid, silent, every=every)
        start = jobs.a_start(old.run)
        if held:
            with pytest.raises(RunHeld):
                client.acquire_run(start)
        else:
            assert client.acquire_run(start).fence == 2


def test_takeover_takes_the_run_from_a_living_holder(client: Client) -> None:
    holder = jobs.stepped(client, jobs.begun(client), 9)
    place = client.acquire_run(jobs.a_start(holder.run, on_existing="takeover"))
    assert (place.fence, place.branch, place.resume_step, place.frontier) == (2, 1, 0, 10)
    assert jobs.read(client, place, 1, 10) == jobs.read(client, holder, 1, 10)


def test_a_finished_run_is_not_begun_again_by_accident(watched: Watched) -> None:
    client = watched.client
    place = jobs.stepped(client, jobs.begun(client), 3)
    client.finish_run(place.run)
    before = contents(watched.server)
    with pytest.raises(RunAlreadyFinished, match=r"'new_branch'.*'takeover'") as caught:
        client.acquire_run(jobs.a_start(place.run))
    assert caught.value.details == {"run": place.run}
    with pytest.raises(RunFinished, match="on_existing='takeover'"):
        client.acquire_run(jobs.a_start(place.run, checkpoint=jobs.checkpoint_of(place, 3)))
    assert contents(watched.server) == before


def test_takeover_goes_on_with_a_finished_run(client: Client) -> None:
    place = jobs.stepped(client, jobs.begun(client), 3)
    client.finish_run(place.run)
    again = client.acquire_run(
        jobs.a_start(place.run, on_existing="takeover", checkpoint=jobs.checkpoint_of(place, 3))
    )
    assert (again.fence, again.resume_step) == (2, 3)
    run = client.get_run(place.run)
    assert (run.state, run.finished) == ("active", None)
    assert jobs.ask(client, again, 4).frontier == 5


def test_a_new_branch_has_its_own_schedule_and_groups_and_leaves_the_old_readable(client: Client) -> None:
    old = jobs.stepped(client, jobs.begun(client), 9)
    client.finish_run(old.run)
    groups = (jobs.a_group(0.3), jobs.a_group(0.4))
    new = client.acquire_run(
        jobs.a_start(old.run, on_existing="new_branch", schedule=S.StepLR(2, gamma=0.9), groups=groups)
    )
    assert (new.fence, new.branch, new.resume_step, new.frontier, new.revision) == (2, 2, 0, 1, 2)
    assert (new.run_uid, new.created, new.schedule) == (old.run_uid, False, S.StepLR(2, gamma=0.9))
    jobs.stepped(client, new, 5)
    assert jobs.read(client, new, 1, 6) == jobs.torch_bits(jobs.torch_step(0.9, 2), 6, (0.3, 0.4))[1:]
    assert jobs.read(client, old, 1, 10) == [((0.1 * 0.5**step).hex(),) for step in range(1, 10)]
    assert [b.table.groups for b in client.list_blocks(old.run, branch=1)] == [1]
    assert [b.table.groups for b in client.list_blocks(old.run)] == [2]
    run = client.get_run(old.run)
    assert (run.branch, run.state, run.frontier, run.groups) == (2, "active", 6, groups)


def test_a_step_below_the_origin_of_an_old_branch_is_out_of_range(client: Client) -> None:
    """Each branch has an origin of its own."""
    source = jobs.begun(client)
    window = jobs.ask(client, source, 1, 20)
    client.delete_run(source.run, force=True)
    checkpoint, origin = jobs.checkpoint_of(source, 12), jobs.origin_of(source, window, 12)
    old = jobs.begun(client, checkpoint=checkpoint, origin=origin)
    jobs.stepped(client, old, 20)
    client.finish_run(old.run)
    client.acquire_run(jobs.a_start(old.run, on_existing="new_branch"))
    assert len(jobs.read(client, old, 13, 21)) == 8
    for count in (1, 10):
        with pytest.raises(StepOutOfRange, match="begins at step 12"):
            jobs.ask(client, old, 5, count)


DIFFERENT: dict[str, tuple[Any, str]] = {
    "a name": ((jobs.a_group(name="head"),), "group 0 is named 'head' in the job, 'body' in the run"),
    "no name": ((jobs.a_group(),), "group 0 is named None in the job"),
    "a number": (
        (jobs.a_group(name="body", number="float32"),),
        "group 0 computes in float32 in the job, in float64 in the run",
    ),
    "a base value": ((jobs.a_group(0.2, name="body"),), "{'lr': 0.2} in the job, {'lr': 0.1} in the run"),
    "another track": (
        (
            jobs.a_group(
                name="body", initial={"lr": 0.1, "momentum": 0.9}, current={"lr": 0.1, "momentum": 0.9}
            ),
        ),
        "'momentum': 0.9} in the job",
    ),
    "a group more": ((jobs.a_group(name="body"), jobs.a_group()), "the job has 2, the run 1"),
}


@pytest.mark.parametrize(("groups", "shown"), DIFFERENT.values(), ids=DIFFERENT)
@pytest.mark.parametrize("from_checkpoint", [False, True])
def test_other_param_groups_are_refused_and_the_difference_shown(
    watched: Watched, groups: Any, shown: str, from_checkpoint: bool
) -> None:
    client = watched.client
    place = jobs.stepped(client, jobs.begun(client, groups=(jobs.a_group(name="body"),)), 3)
    before = contents(watched.server)
    checkpoint = jobs.checkpoint_of(place, 2) if from_checkpoint else None
    with pytest.raises(GroupsDiffer) as caught:
        client.acquire_run(
            jobs.a_start(place.run, groups=groups, on_existing="takeover", checkpoint=checkpoint)
        )
    assert shown in str(caught.value)
    assert caught.value.details == {"run": place.run}
    assert contents(watched.server) == before


@pytest.mark.parametrize("from_checkpoint", [False, True])
def test_another_schedule_is_refused_with_the_ways_on(watched: Watched, from_checkpoint: bool) -> None:
    client = watched.client
    place = jobs.stepped(client, jobs.begun(client), 3)
    before = contents(watched.server)
    checkpoint = jobs.checkpoint_of(place, 2) if from_checkpoint else None
    with pytest.raises(ScheduleDiffers) as caught:
        client.acquire_run(
            jobs.a_start(place.run, schedule=jobs.SLOW, on_existing="takeover", checkpoint=checkpoint)
        )
    message = str(caught.value)
    for shown in ("gamma=0.999", "gamma=0.5", "run set-schedule", "another run name", "'new_branch'"):
        assert shown in message
    assert contents(watched.server) == before


def test_values_that_other_code_has_set_meanwhile_are_no_difference(client: Client) -> None:
    """A job that resumes has the lr of its checkpoint in the groups, or any other."""
    place = jobs.stepped(client, jobs.begun(client), 3)
    again = client.acquire_run(
        jobs.a_start(
            place.run,
            groups=(jobs.a_group(0.1, current={"lr": 0.025}),),
            checkpoint=jobs.checkpoint_of(place, 2),
        )
    )
    assert jobs.bits(again.values) == [((0.1 * 0.25).hex(),)]
