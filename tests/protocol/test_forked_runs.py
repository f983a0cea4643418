"""ForkRun: another run begins where one was at a step, and both go on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any
from uuid import uuid4

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import (
    BranchNotFound,
    NotTheForkStep,
    RequestIdReused,
    RunExists,
    RunNotFound,
    StepOutOfRange,
    UnknownFence,
)
from lrkeeper.views import Checkpoint, Place, Run
from tests.protocol import jobs
from tests.protocol.stored import contents, rows
from tests.protocol.watched import Watched
from tests.support.server import ServerProcess


def forked(client: Client, run: str, at_step: int, **fields: Any) -> Run:
    """Return a fork of a run."""
    return client.fork_run(
        run, fields.pop("new_run", jobs.new_name("fork")), at_step, **{"reason": "to compare", **fields}
    )


def halving(first: int, end: int) -> jobs.Bits:
    return [((0.1 * 0.5**step).hex(),) for step in range(first, end)]


def taken(client: Client, run: Run, checkpoint: Checkpoint | None = None, **fields: Any) -> Place:
    """Return the place of a start on a fork."""
    return client.acquire_run(jobs.a_start(run.name, checkpoint=checkpoint, **fields))


def test_a_fork_has_what_the_run_had_at_the_step(client: Client) -> None:
    groups = (jobs.a_group(name="body"), jobs.a_group(0.3))
    place = jobs.stepped(
        client, jobs.begun(client, groups=groups, unit="epoch", labels={"team": "vision", "try": "1"}), 10
    )
    run = forked(client, place.run, 6, labels={"try": "2"})
    assert (run.branch, run.origin_step, run.frontier, run.fence, run.holder) == (1, 6, 7, 0, None)
    assert (run.groups, run.unit, run.labels) == (groups, "epoch", {"team": "vision", "try": "2"})
    assert (run.schedule, run.revision, run.state) == (jobs.HALVING, 1, "active")
    assert run.forked_from is not None
    assert (run.forked_from.run, run.forked_from.run_uid) == (place.run, place.run_uid)
    assert (run.forked_from.branch, run.forked_from.step) == (1, 6)
    assert jobs.bits(run.latest) == jobs.read(client, place, 6, 7)
    assert client.get_run(run.name) == run
    assert client.explain(run.name, 6).origin


def test_a_fork_and_its_original_go_on_apart(client: Client) -> None:
    place = jobs.stepped(client, jobs.begun(client), 10)
    run = forked(client, place.run, 6)
    client.edit_run(run.name, jobs.SLOW, expected_revision=1, reason="another way")
    fork = taken(client, run)
    assert (fork.run, fork.fence, fork.resume_step, fork.created) == (run.name, 1, 6, False)
    assert fork.run_uid != place.run_uid
    jobs.stepped(client, fork, 20)
    jobs.stepped(client, place, 20)
    assert jobs.read(client, place, 1, 21) == halving(1, 21)
    assert jobs.read(client, fork, 7, 21) == jobs.torch_bits(jobs.torch_step(0.999), 21)[7:]
    assert client.get_run(place.run).fence == 1


def test_a_job_goes_on_with_a_fork_from_the_originals_checkpoint_at_its_step(client: Client) -> None:
    place = jobs.stepped(client, jobs.begun(client), 10)
    run = forked(client, place.run, 6)
    checkpoint = jobs.checkpoint_of(place, 6)
    fork = taken(client, run, checkpoint)
    assert (fork.run, fork.run_uid, fork.branch, fork.resume_step) == (run.name, run.uid, 1, 6)
    jobs.stepped(client, fork, 9)
    again = taken(client, run, checkpoint)  # nothing was saved of the fork yet
    assert (again.run_uid, again.fence, again.resume_step, again.frontier) == (run.uid, 2, 6, 10)
    assert jobs.read(client, again, 7, 10) == halving(7, 10)
    assert jobs.ask(client, place, 11).frontier == 12


def test_ranks_of_a_fork_share_their_start(client: Client) -> None:
    place = jobs.stepped(client, jobs.begun(client), 10)
    run = forked(client, place.run, 6)
    places = [
        taken(
            client, run, jobs.checkpoint_of(place, 6), incarnation=f"all-{run.uid}", rank=rank, world_size=2
        )
        for rank in range(2)
    ]
    assert [(p.run_uid, p.fence, p.resume_step) for p in places] == [(run.uid, 1, 6)] * 2


@pytest.mark.parametrize("step", [5, 7])
def test_a_checkpoint_of_another_step_is_refused(watched: Watched, step: int) -> None:
    place = jobs.stepped(watched.client, jobs.begun(watched.client), 10)
    run = forked(watched.client, place.run, 6)
    before = contents(watched.server)
    with pytest.raises(NotTheForkStep, match=rf"at step 6 of branch 1, .* lies at step {step} of branch 1"):
        taken(watched.client, run, jobs.checkpoint_of(place, step))
    assert contents(watched.server) == before


def test_no_fence_moves_a_fork_that_no_start_has(client: Client) -> None:
    place = jobs.stepped(client, jobs.begun(client), 10)
    run = forked(client, place.run, 6)
    nobody = replace(place, run=run.name, run_uid=run.uid, fence=0, branch=1)
    with pytest.raises(UnknownFence, match="no start holds run"):
        jobs.ask(client, nobody, 7)
    assert client.get_run(run.name) == run
    client.delete_run(run.name)


def test_a_run_is_forked_at_its_origin_its_last_step_and_once_it_is_finished(client: Client) -> None:
    place = jobs.stepped(client, jobs.begun(client), 10)
    client.finish_run(place.run)
    for step in (0, 10):
        run = forked(client, place.run, step)
        fork = jobs.stepped(client, taken(client, run), 15)
        assert jobs.read(client, fork, step + 1, 16) == halving(step + 1, 16)


def test_a_fork_is_forked(client: Client) -> None:
    place = jobs.stepped(client, jobs.begun(client), 10)
    first = forked(client, place.run, 6)
    jobs.stepped(client, taken(client, first), 20)
    second = forked(client, first.name, 15)
    assert second.forked_from is not None
    assert (second.forked_from.run, second.forked_from.step) == (first.name, 15)
    with pytest.raises(StepOutOfRange, match=r"at_step is 5, .* begins at step 6 and has got to step 20"):
        forked(client, first.name, 5)


def test_a_branch_that_was_left_can_be_forked_beyond_that(client: Client) -> None:
    place = jobs.stepped(client, jobs.begun(client), 30)
    client.edit_run(place.run, jobs.SLOW, expected_revision=1, reason="later", at_step=25)
    client.rollback_run(place.run, 10, expected_revision=2, reason="back")
    with pytest.raises(StepOutOfRange, match=r"at_step is 20, which branch 2 .* has got to step 10"):
        forked(client, place.run, 20)
    with pytest.raises(StepOutOfRange, match=r"at_step is 31, which branch 1 of"):
        forked(client, place.run, 31, branch=1)
    run = forked(client, place.run, 20, branch=1)
    assert run.forked_from is not None
    assert run.forked_from.branch == 1
    fork = taken(client, run, jobs.checkpoint_of(place, 20))
    assert jobs.bits(fork.values) == halving(20, 21)
    # A step that both have is one place.
    other = forked(client, place.run, 10)
    assert taken(client, other, jobs.checkpoint_of(place, 10)).run == other.name


def test_edits_go_along_if_they_shall(client: Client) -> None:
    place = jobs.stepped(client, jobs.begun(client), 10)
    client.edit_run(place.run, S.StepLR(1, gamma=0.75), expected_revision=1, reason="faster", at_step=11)
    jobs.stepped(client, place, 20)
    client.edit_run(place.run, jobs.SLOW, expected_revision=2, reason="slower", at_step=30)
    values = jobs.read(client, jobs.stepped(client, place, 40), 1, 41)
    kept, dropped = (forked(client, place.run, 15, keep_edits=keep) for keep in (True, False))
    assert [(e.effective_step, e.reason) for e in kept.edits] == [(15, "faster"), (30, "slower")]
    assert [(e.effective_step, e.reason) for e in dropped.edits] == [(15, "faster")]
    assert kept.schedule == dropped.schedule == S.StepLR(1, gamma=0.75)
    fork = jobs.stepped(client, taken(client, kept), 40)
    assert jobs.read(client, fork, 16, 41) == values[15:]
    fork = jobs.stepped(client, taken(client, dropped), 40)
    assert jobs.read(client, fork, 16, 41) == jobs.torch_bits(jobs.torch_step(0.75), 41)[16:]


def test_a_fork_follows_the_stored_schedule_that_the_run_followed(client: Client) -> None:
    stored = client.create_schedule(jobs.new_name("schedule"), jobs.HALVING)
    place = jobs.stepped(client, jobs.begun(client, schedule=stored.name), 10)
    run = forked(client, place.run, 6)
    assert (run.schedule_name, run.schedule_revision) == (stored.name, 1)
    _, followers = client.update_schedule(stored.name, jobs.SLOW, etag=stored.etag)
    assert {(f.run, f.effective_step) for f in followers} == {(place.run, 11), (run.name, 7)}
    assert taken(client, run, schedule=stored.name).resume_step == 6


def test_a_repeated_request_is_the_same_fork(watched: Watched) -> None:
    client, run, request_id, name = watched.client, watched.run, str(uuid4()), jobs.new_name("fork")

    def again(**fields: Any) -> Run:
        values = {"new_run": name, "author": "op", "request_id": request_id, **fields}
        return forked(client, run, values.pop("at_step", 2), **values)

    first = again()
    before = contents(watched.server)
    assert [again(), again()] == [first] * 2
    for change in (
        {"new_run": jobs.new_name("other")},
        {"at_step": 1},
        {"branch": 1},
        {"keep_edits": True},
        {"reason": "another"},
        {"author": "another"},
        {"labels": {"a": "b"}},
    ):
        with pytest.raises(RequestIdReused, match=f"made run '{name}'"):
            again(**change)
    with pytest.raises(RunExists, match=name):
        again(request_id=str(uuid4()))
    assert contents(watched.server) == before
    jobs.stepped(client, taken(client, first), 5)
    assert (again().uid, again().frontier) == (first.uid, 6)
    client.delete_run(name, force=True)
    with pytest.raises(RequestIdReused, match="deleted since"):
        again()


def test_the_same_request_sent_six_times_at_once_is_one_fork(server: ServerProcess) -> None:
    with Client(server.address) as client:
        place = jobs.stepped(client, jobs.begun(client), 5)
    together, request_id, name = Barrier(6), str(uuid4()), jobs.new_name("fork")

    def fork(_: int) -> Run:
        with Client(server.address) as own:
            own.get_server()
            together.wait()
            return forked(own, place.run, 3, new_run=name, request_id=request_id)

    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(fork, range(6)))
    assert found == [found[0]] * 6
    assert rows(server, "SELECT count(*) FROM runs WHERE name = ?", name) == [(1,)]


@pytest.mark.parametrize(
    ("fields", "error", "shown"),
    [
        ({"at_step": 4}, StepOutOfRange, "at_step is 4, .* has got to step 3"),
        ({"run": "no-such-run"}, RunNotFound, "no-such-run"),
        ({"branch": 2}, BranchNotFound, "no branch 2"),
        ({"branch": -1}, BranchNotFound, "no branch -1"),
    ],
)
def test_what_cannot_be_is_refused(
    watched: Watched, fields: dict[str, Any], error: type[Exception], shown: str
) -> None:
    before = contents(watched.server)
    values = {"run": watched.run, "new_run": jobs.new_name("fork"), "at_step": 2, "reason": "", **fields}
    with pytest.raises(error, match=shown):
        watched.client.fork_run(**values)
    assert contents(watched.server) == before


def test_a_run_is_no_fork_of_itself(watched: Watched) -> None:
    before = contents(watched.server)
    with pytest.raises(RunExists):
        forked(watched.client, watched.run, 2, new_run=watched.run)
    assert contents(watched.server) == before
