"""Runs that follow a stored schedule: each new revision reaches each of them once, at its frontier."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import ScheduleDiffers
from lrkeeper.views import Follower
from tests.protocol import jobs
from tests.protocol.stored import contents, rows
from tests.protocol.watched import Watched
from tests.support.server import ServerProcess

FAILS_AT_10 = S.SequentialLR((S.StepLR(2, gamma=0.5), S.SequentialLR((S.StepLR(3),), ())), (10,))


def followed(client: Client, schedule: S.Schedule = jobs.HALVING) -> str:
    """Store a schedule; return its name."""
    return client.create_schedule(jobs.new_name("schedule"), schedule).name


def update(client: Client, name: str, schedule: S.Schedule, **fields: object) -> tuple[Follower, ...]:
    """Update a schedule as it is now; return what became of its followers."""
    etag = client.get_schedule(name).etag
    return client.update_schedule(name, schedule, etag=etag, reason="r", author="op", **fields)[1]


def test_a_run_pins_the_revision_it_found(client: Client) -> None:
    name = followed(client)
    update(client, name, jobs.SLOW)
    place = jobs.begun(client, schedule=name)
    assert (place.schedule, place.revision, place.edits) == (jobs.SLOW, 1, ())
    run = client.get_run(place.run)
    assert (run.schedule_name, run.schedule_revision, run.revision) == (name, 2, 1)
    assert client.get_schedule(name).followers == 1


def test_each_follower_has_the_new_revision_from_its_own_frontier(client: Client) -> None:
    name = followed(client)
    frontiers = (1, 5, 30, 31)
    places = [jobs.stepped(client, jobs.begun(client, schedule=name), f - 1) for f in frontiers]
    followers = update(client, name, jobs.SLOW)
    assert sorted(followers, key=lambda f: f.effective_step) == [
        Follower(place.run, frontier, "") for place, frontier in zip(places, frontiers, strict=True)
    ]
    halving, slow = (jobs.torch_bits(jobs.torch_step(gamma), 50) for gamma in (0.5, 0.999))
    for place, frontier in zip(places, frontiers, strict=True):
        (edit,) = client.get_run(place.run).edits
        assert (edit.effective_step, edit.schedule, edit.author, edit.reason) == (
            frontier, jobs.SLOW, "op", "r"
        )  # fmt: skip
        assert (edit.schedule_name, edit.schedule_revision) == (name, 2)
        jobs.stepped(client, place, 49)
        assert jobs.read(client, place, 1, 50) == halving[1:frontier] + slow[frontier:]


def test_runs_that_do_not_follow_or_are_finished_are_left_alone(watched: Watched) -> None:
    client = watched.client
    name, other = followed(client), followed(client)
    finished, own, elsewhere, deleted = (
        jobs.begun(client, schedule=schedule) for schedule in (name, jobs.HALVING, other, name)
    )
    client.finish_run(finished.run)
    client.delete_run(deleted.run, force=True)
    assert update(client, name, jobs.SLOW) == ()
    for place in (finished, own, elsewhere):
        assert client.get_run(place.run).edits == ()


def test_a_repeated_update_reports_the_same_steps_and_edits_nobody_again(watched: Watched) -> None:
    client, request_id = watched.client, str(uuid4())
    name = followed(client)
    etag = client.get_schedule(name).etag
    places = [jobs.stepped(client, jobs.begun(client, schedule=name), step) for step in (0, 4, 9)]

    def repeat() -> tuple[Follower, ...]:
        return client.update_schedule(
            name, jobs.SLOW, etag=etag, request_id=request_id, author="op", reason="r"
        )[1]

    first = repeat()
    assert {f.run: f.effective_step for f in first} == {
        place.run: step for place, step in zip(places, (1, 5, 10), strict=True)
    }
    before = contents(watched.server)
    assert repeat() == first
    assert contents(watched.server) == before
    for place in places:
        jobs.stepped(client, place, 40)
    before = contents(watched.server)
    assert repeat() == first
    assert contents(watched.server) == before


def test_a_late_update_does_not_take_a_run_back(watched: Watched) -> None:
    """A run that began with a later revision has no edit that says so: its origin does."""
    client, request_id = watched.client, str(uuid4())
    name = followed(client)
    etag = client.get_schedule(name).etag

    def late() -> object:
        return client.update_schedule(
            name, jobs.SLOW, etag=etag, request_id=request_id, author="op", reason="r"
        )

    late()
    update(client, name, S.StepLR(7))
    place = jobs.begun(client, schedule=name)
    before = contents(watched.server)
    late()
    assert contents(watched.server) == before
    assert client.get_run(place.run).schedule == S.StepLR(7)


def test_a_run_that_began_with_the_revision_needs_no_edit(watched: Watched) -> None:
    client, request_id = watched.client, str(uuid4())
    name = followed(client)
    etag = client.get_schedule(name).etag
    fields = {"etag": etag, "request_id": request_id, "author": "op", "reason": "r"}
    client.update_schedule(name, jobs.SLOW, **fields)
    jobs.begun(client, schedule=name)
    before = contents(watched.server)
    client.update_schedule(name, jobs.SLOW, **fields)
    assert contents(watched.server) == before


def test_a_repeated_update_reports_its_steps_after_a_later_one_too(client: Client) -> None:
    name, request_id = followed(client), str(uuid4())
    etag = client.get_schedule(name).etag
    place = jobs.stepped(client, jobs.begun(client, schedule=name), 4)
    fields = {"etag": etag, "request_id": request_id, "author": "op", "reason": "r"}
    _, first = client.update_schedule(name, jobs.SLOW, **fields)
    assert first == (Follower(place.run, 5, ""),)
    update(client, name, S.StepLR(7))
    assert client.update_schedule(name, jobs.SLOW, **fields)[1] == first


def test_every_revision_reaches_a_run_once(client: Client) -> None:
    name = followed(client)
    place = jobs.begun(client, schedule=name)
    expected = [jobs.torch_bits(jobs.torch_step(0.5), 60)[1:5]]
    for number in range(1, 5):
        jobs.stepped(client, place, 4 * number)
        (follower,) = update(client, name, S.StepLR(1, gamma=0.9 + number / 100))
        assert follower == Follower(place.run, 4 * number + 1, "")
        curve = jobs.torch_bits(jobs.torch_step(0.9 + number / 100), 60)
        expected.append(curve[4 * number + 1 : 4 * number + 5])
    jobs.stepped(client, place, 20)
    assert jobs.read(client, place, 1, 21) == [row for rows in expected for row in rows]
    run = client.get_run(place.run)
    assert [e.schedule_revision for e in run.edits] == [2, 3, 4, 5]
    assert (run.revision, run.schedule_revision) == (5, 5)


def test_a_run_given_its_own_schedule_stops_following(client: Client) -> None:
    name = followed(client)
    place = jobs.begun(client, schedule=name)
    client.edit_run(place.run, S.StepLR(9), expected_revision=1, reason="its own")
    run = client.get_run(place.run)
    assert (run.schedule_name, run.schedule_revision) == ("", 0)
    assert update(client, name, jobs.SLOW) == ()
    assert client.get_run(place.run).schedule == S.StepLR(9)
    client.delete_schedule(name)


def test_a_run_given_a_stored_schedule_follows_it(client: Client) -> None:
    name = followed(client, S.StepLR(9))
    place = jobs.stepped(client, jobs.begun(client), 4)
    edited = client.edit_run(place.run, name, expected_revision=1, reason="follow")
    assert edited.effective_step == 5
    run = client.get_run(place.run)
    assert (run.schedule_name, run.schedule_revision, run.schedule) == (name, 1, S.StepLR(9))
    assert update(client, name, jobs.SLOW) == (Follower(place.run, 5, ""),)
    assert client.get_run(place.run).schedule_revision == 2


def test_a_run_may_go_from_one_stored_schedule_to_another_with_fewer_revisions(client: Client) -> None:
    many, few = followed(client), followed(client)
    place = jobs.begun(client, schedule=many)
    for number in range(2, 6):
        update(client, many, S.StepLR(number))
    client.edit_run(place.run, few, expected_revision=5, reason="another")
    assert update(client, many, S.StepLR(50)) == ()
    assert update(client, few, S.StepLR(60)) == (Follower(place.run, 1, ""),)
    assert client.get_run(place.run).schedule == S.StepLR(60)


def test_a_run_that_shall_follow_later_is_not_changed_before(client: Client) -> None:
    """The operator said from step 50 on; a new revision of what it will follow acts from there."""
    name = followed(client, S.StepLR(9))
    place = jobs.stepped(client, jobs.begun(client), 4)
    client.edit_run(place.run, name, expected_revision=1, reason="follow", at_step=50)
    assert update(client, name, jobs.SLOW) == (Follower(place.run, 50, ""),)
    jobs.stepped(client, place, 60)
    halving, slow = (jobs.torch_bits(jobs.torch_step(gamma), 61) for gamma in (0.5, 0.999))
    assert jobs.read(client, place, 1, 61) == halving[1:50] + slow[50:]


def test_a_revision_that_fails_before_a_runs_frontier_is_refused_by_that_run(client: Client) -> None:
    name = followed(client)
    early = jobs.stepped(client, jobs.begun(client, schedule=name), 4)
    late = jobs.stepped(client, jobs.begun(client, schedule=name), 20)
    followers = {f.run: f for f in update(client, name, FAILS_AT_10)}
    assert followers[early.run] == Follower(early.run, 5, "")
    assert "cannot get beyond step 9" in followers[late.run].refusal
    run = client.get_run(late.run)
    assert (run.edits, run.schedule, run.schedule_revision) == ((), jobs.HALVING, 1)
    assert jobs.ask(client, late, 21).frontier == 22
    # It still follows, and takes the next one.
    followers = {f.run: f for f in update(client, name, jobs.SLOW)}
    assert followers[late.run] == Follower(late.run, 22, "")


def test_a_job_that_follows_resumes_whatever_the_schedule_has_become(client: Client) -> None:
    name = followed(client)
    place = jobs.stepped(client, jobs.begun(client, schedule=name), 4)
    update(client, name, jobs.SLOW)
    jobs.stepped(client, place, 8)
    for step, expected in ((2, jobs.HALVING), (7, jobs.SLOW)):
        again = client.acquire_run(
            jobs.a_start(place.run, schedule=name, checkpoint=jobs.checkpoint_of(place, step))
        )
        assert again.schedule == expected
        assert client.get_run(place.run).schedule_revision == 2
    with pytest.raises(ScheduleDiffers):
        client.acquire_run(
            jobs.a_start(place.run, schedule=followed(client, S.StepLR(3)), on_existing="takeover")
        )


def test_an_update_reaches_runs_that_step_meanwhile(server: ServerProcess, client: Client) -> None:
    name = followed(client)
    places = [jobs.begun(client, schedule=name) for _ in range(4)]

    def run_on(number: int) -> jobs.Bits:
        with Client(server.address) as own:
            place, found = places[number], []
            for step in range(1, 201):
                found += jobs.bits(jobs.ask(own, place, step).table)
            return found

    with ThreadPoolExecutor(4) as threads:
        runs = [threads.submit(run_on, number) for number in range(4)]
        while client.get_run(places[0].run).frontier < 20:
            assert not runs[0].done()
        followers = {f.run: f for f in update(client, name, jobs.SLOW)}
        values = [run.result() for run in runs]
    halving, slow = (jobs.torch_bits(jobs.torch_step(gamma), 201) for gamma in (0.5, 0.999))
    for place, found in zip(places, values, strict=True):
        step = followers[place.run].effective_step
        assert found == halving[1:step] + slow[step:]
        assert rows(server, "SELECT count(*) FROM edits WHERE run_uid = ?", place.run_uid) == [(1,)]
