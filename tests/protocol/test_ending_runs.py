"""FinishRun and DeleteRun."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from lrkeeper import Client
from lrkeeper.errors import RunFenced, RunFinished, RunNotFound
from lrkeeper.v1.run_service_pb2 import DeleteRunRequest, FinishRunRequest
from tests.protocol import jobs
from tests.protocol.silence import let_pass
from tests.protocol.stored import contents, rows
from tests.protocol.watched import Watched
from tests.support.server import ServerProcess


@pytest.mark.parametrize("with_fence", [False, True])
def test_a_finished_run_says_so_and_finishing_it_again_changes_nothing(
    watched: Watched, with_fence: bool
) -> None:
    client, place = watched.client, jobs.stepped(watched.client, jobs.begun(watched.client), 3)
    fence = place.fence if with_fence else None
    finished = client.finish_run(place.run, fence=fence)
    assert (finished.state, finished.frontier) == ("finished", 4)
    assert finished.finished is not None
    before = contents(watched.server)
    assert client.finish_run(place.run, fence=fence) == finished == client.get_run(place.run)
    assert contents(watched.server) == before


def test_a_finished_run_takes_no_steps_and_no_edits(watched: Watched) -> None:
    client, place = watched.client, jobs.stepped(watched.client, jobs.begun(watched.client), 3)
    client.finish_run(place.run)
    before = contents(watched.server)
    with pytest.raises(RunFinished) as caught:
        jobs.ask(client, place, 4)
    assert caught.value.details == {"run": place.run}
    with pytest.raises(RunFinished):
        client.edit_run(place.run, jobs.SLOW, expected_revision=1, reason="too late")
    assert contents(watched.server) == before


@pytest.mark.parametrize("end", ["finish", "delete"])
def test_a_run_at_full_speed_stays_where_it_was_ended(
    server: ServerProcess, client: Client, end: str
) -> None:
    place = jobs.begun(client, schedule=jobs.SLOW)
    frontier = 1

    def step_on() -> int:
        with Client(server.address) as own:
            step = 1
            try:
                while True:
                    step = jobs.ask(own, place, step).frontier
            except (RunFinished, RunNotFound):
                return step

    with ThreadPoolExecutor(1) as thread:
        job = thread.submit(step_on)
        while frontier < 20:
            frontier = client.get_run(place.run).frontier
        if end == "finish":
            frontier = client.finish_run(place.run).frontier
        else:
            client.delete_run(place.run, force=True)
        reached = job.result()
    (stored,) = rows(server, "SELECT frontier FROM runs WHERE uid = ?", place.run_uid)
    assert stored == (reached,)
    assert reached == frontier or end == "delete"
    assert rows(server, "SELECT sum(count) FROM blocks WHERE run_uid = ?", place.run_uid) == [(reached - 1,)]


def test_a_start_that_has_lost_the_run_does_not_finish_it(watched: Watched) -> None:
    client, old = watched.client, jobs.begun(watched.client)
    new = client.acquire_run(jobs.a_start(old.run, on_existing="takeover"))
    before = contents(watched.server)
    with pytest.raises(RunFenced) as caught:
        client.finish_run(old.run, fence=old.fence)
    assert caught.value.details["incarnation"] == new.incarnation
    assert contents(watched.server) == before
    assert client.finish_run(old.run, fence=new.fence).state == "finished"


@pytest.mark.parametrize("fence", [0, -1, 2, 2**63 - 1])
def test_a_fence_that_was_never_given_finishes_nothing(watched: Watched, fence: int) -> None:
    request = FinishRunRequest(run=watched.run, fence=fence)
    refusal = watched.refuses(lambda: watched.wire.runs.FinishRun(request))
    assert (refusal.status, refusal.reason) == ("FAILED_PRECONDITION", "UnknownFence")
    assert f"fence {fence}" in refusal.message


def test_a_run_that_is_held_is_not_deleted(watched: Watched) -> None:
    refusal = watched.refuses(lambda: watched.wire.runs.DeleteRun(DeleteRunRequest(run=watched.run)))
    assert refusal.status == "FAILED_PRECONDITION"
    assert watched.place.incarnation in refusal.message
    assert "force" in refusal.message
    assert refusal.details is not None
    assert refusal.details["run"] == watched.run


def test_force_deletes_it_all_the_same(client: Client) -> None:
    place = jobs.begun(client)
    client.delete_run(place.run, force=True)
    with pytest.raises(RunNotFound):
        client.get_run(place.run)


def test_a_run_whose_holder_is_silent_or_that_is_finished_is_deleted(own_server: ServerProcess) -> None:
    with Client(own_server.address) as client:
        silent, finished = jobs.begun(client), jobs.begun(client)
        let_pass(own_server, silent.run_uid, 61)
        client.finish_run(finished.run)
        for place in (silent, finished):
            client.delete_run(place.run)
            with pytest.raises(RunNotFound):
                client.get_run(place.run)


def test_a_deleted_run_leaves_its_tombstone_and_its_values(watched: Watched) -> None:
    client, place = watched.client, jobs.stepped(watched.client, jobs.begun(watched.client), 5)
    client.delete_run(place.run, force=True)
    for call in (
        lambda: client.get_run(place.run),
        lambda: client.explain(place.run, 1),
        lambda: list(client.list_blocks(place.run)),
        lambda: client.finish_run(place.run),
        lambda: client.delete_run(place.run, force=True),
        lambda: client.edit_run(place.run, jobs.SLOW, expected_revision=1, reason=""),
        lambda: jobs.ask(client, place, 2),
        lambda: jobs.ask(client, place, 6),
    ):
        with pytest.raises(RunNotFound):
            call()
    uid = place.run_uid
    assert rows(watched.server, "SELECT state, deleted_at > 0 FROM runs WHERE uid = ?", uid) == [
        ("deleted", 1)
    ]
    assert rows(watched.server, "SELECT sum(count) FROM blocks WHERE run_uid = ?", uid) == [(5,)]


def test_a_deleted_runs_name_is_free_and_its_uid_is_not(client: Client) -> None:
    places = []
    for _ in range(3):
        places.append(client.acquire_run(jobs.a_start(places[0].run if places else jobs.new_name())))
        jobs.stepped(client, places[-1], len(places))
        client.delete_run(places[-1].run, force=True)
    again = client.acquire_run(jobs.a_start(places[0].run))
    assert (again.created, again.fence, again.frontier) == (True, 1, 1)
    assert len({place.run_uid for place in (*places, again)}) == 4
    assert jobs.ask(client, again, 1).frontier == 2
    for place in places:
        with pytest.raises(RunNotFound):
            jobs.ask(client, place, 1)


def test_a_job_whose_run_is_deleted_under_it_makes_no_new_one(client: Client) -> None:
    batch = jobs.new_name("batch")
    place = jobs.stepped(client, jobs.begun(client, labels={"batch": batch}), 3)
    client.delete_run(place.run, force=True)
    with pytest.raises(RunNotFound):
        client.acquire_run(
            jobs.a_start(place.run, labels={"batch": batch}, checkpoint=jobs.checkpoint_of(place, 3))
        )
    assert list(client.list_runs(labels={"batch": batch})) == []
