"""Named schedules: create, get, list, update, delete."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import (
    LrkeeperError,
    RequestIdReused,
    ScheduleExists,
    ScheduleInUse,
    ScheduleNotFound,
    StaleEtag,
)
from lrkeeper.v1.schedule_service_pb2 import ListSchedulesRequest
from lrkeeper.views import StoredSchedule
from tests.protocol import jobs
from tests.protocol.stored import contents
from tests.protocol.watched import Watched
from tests.support.server import ServerProcess

KINDS = [
    S.StepLR(30),
    S.StepLR(2.5, gamma=0.3),
    S.MultiStepLR([10, 20], gamma=0.0),
    S.SequentialLR([S.StepLR(3), S.MultiStepLR([2])], [7]),
    S.MultiStepLR([10, 20]).then(S.StepLR(5), at=20).then(S.StepLR(3), at=40),
]


@pytest.mark.parametrize("schedule", KINDS, ids=lambda schedule: schedule.kind)
def test_a_schedule_is_kept_as_it_was_given(client: Client, schedule: S.Schedule) -> None:
    name = jobs.new_name("schedule")
    created = client.create_schedule(name, schedule, reason="größer \U0001f39b", author="op@desk")
    assert (created.name, created.revision, created.schedule) == (name, 1, schedule)
    assert (created.author, created.reason, created.followers) == ("op@desk", "größer \U0001f39b", 0)
    assert client.get_schedule(name) == client.get_schedule(name, 1) == created


def test_a_taken_name_is_refused(watched: Watched) -> None:
    stored = watched.client.create_schedule(jobs.new_name("schedule"), S.StepLR(3))
    before = contents(watched.server)
    for schedule in (S.StepLR(4), S.StepLR(3)):
        with pytest.raises(ScheduleExists, match=stored.name) as caught:
            watched.client.create_schedule(stored.name, schedule)
        assert caught.value.details == {"schedule": stored.name}
    assert contents(watched.server) == before


def test_an_update_makes_a_revision_and_keeps_the_ones_before(client: Client) -> None:
    name = jobs.new_name("schedule")
    heads = [client.create_schedule(name, KINDS[0], reason="first")]
    for number, schedule in enumerate(KINDS[1:], 2):
        head, followers = client.update_schedule(
            name, schedule, etag=heads[-1].etag, reason=f"revision {number}"
        )
        assert (head.revision, head.schedule, followers) == (number, schedule, ())
        heads.append(head)
    assert len({head.etag for head in heads}) == len(heads)
    assert client.get_schedule(name) == heads[-1]
    assert [client.get_schedule(name, head.revision) for head in heads] == heads


def is_at(read: StoredSchedule, head: StoredSchedule) -> str:
    """Return what a message begins with that refuses an etag: the field, its value, and the one there is."""
    return "^" + re.escape(f"etag is {read.etag!r}; schedule {head.name!r} is at {head.etag!r}")


def test_an_update_of_what_has_changed_is_refused(watched: Watched) -> None:
    client = watched.client
    first = client.create_schedule(jobs.new_name("schedule"), S.StepLR(3))
    second, _ = client.update_schedule(first.name, S.StepLR(4), etag=first.etag)
    before = contents(watched.server)
    with pytest.raises(StaleEtag, match=is_at(first, second)) as caught:
        client.update_schedule(first.name, S.StepLR(5), etag=first.etag)
    assert caught.value.details == {"etag": second.etag}
    assert contents(watched.server) == before


def test_two_operators_who_have_read_the_same_etag_cannot_both_write(server: ServerProcess) -> None:
    with Client(server.address) as client:
        stored = client.create_schedule(jobs.new_name("schedule"), S.StepLR(100))
        together = Barrier(6)

        def update(number: int) -> StoredSchedule | LrkeeperError:
            with Client(server.address) as own:
                own.get_server()
                together.wait()
                try:
                    return own.update_schedule(stored.name, S.StepLR(1 + number), etag=stored.etag)[0]
                except LrkeeperError as error:
                    return error

        with ThreadPoolExecutor(6) as threads:
            found = list(threads.map(update, range(6)))
        (winner,) = [answer for answer in found if isinstance(answer, StoredSchedule)]
        assert all(isinstance(a, StaleEtag) for a in found if a is not winner)
        assert winner.revision == 2
        assert client.get_schedule(stored.name) == winner


def test_a_repeated_update_is_one_revision(watched: Watched) -> None:
    client, request_id = watched.client, str(uuid4())
    first = client.create_schedule(jobs.new_name("schedule"), S.StepLR(3))

    def update() -> StoredSchedule:
        return client.update_schedule(
            first.name, S.StepLR(4), etag=first.etag, request_id=request_id, author="op", reason="r"
        )[0]

    second = update()
    before = contents(watched.server)
    assert [update() for _ in range(3)] == [second] * 3
    assert contents(watched.server) == before
    third, _ = client.update_schedule(first.name, S.StepLR(5), etag=second.etag)
    assert update() == second
    assert client.get_schedule(first.name) == third


@pytest.mark.parametrize(
    "change",
    [{"schedule": S.StepLR(5)}, {"author": "another"}, {"reason": "another"}],
    ids=lambda change: next(iter(change)),
)
def test_a_request_id_is_not_used_for_another_update(watched: Watched, change: dict[str, object]) -> None:
    client = watched.client
    first = client.create_schedule(jobs.new_name("schedule"), S.StepLR(3))
    fields = {"schedule": S.StepLR(4), "author": "op", "reason": "r", "request_id": str(uuid4())}
    second, _ = client.update_schedule(first.name, etag=first.etag, **fields)
    before = contents(watched.server)
    with pytest.raises(RequestIdReused, match=str(fields["request_id"])) as caught:
        client.update_schedule(first.name, etag=second.etag, **{**fields, **change})
    assert caught.value.details == {"revision": "2"}
    assert contents(watched.server) == before


def test_a_deleted_schedule_is_gone_and_its_name_free(client: Client) -> None:
    stored = client.create_schedule(jobs.new_name("schedule"), S.StepLR(3))
    client.delete_schedule(stored.name, etag=stored.etag)
    for revision in (None, 1):
        with pytest.raises(ScheduleNotFound):
            client.get_schedule(stored.name, revision)
    with pytest.raises(ScheduleNotFound):
        client.delete_schedule(stored.name)
    assert stored.name not in [s.name for s in client.list_schedules()]
    again = client.create_schedule(stored.name, S.StepLR(4))
    assert (again.revision, again.schedule) == (1, S.StepLR(4))
    assert again.etag != stored.etag
    with pytest.raises(StaleEtag, match=is_at(stored, again)):
        client.update_schedule(stored.name, S.StepLR(5), etag=stored.etag)


def test_a_schedule_that_has_changed_is_not_deleted(watched: Watched) -> None:
    client = watched.client
    first = client.create_schedule(jobs.new_name("schedule"), S.StepLR(3))
    second, _ = client.update_schedule(first.name, S.StepLR(4), etag=first.etag)
    before = contents(watched.server)
    with pytest.raises(StaleEtag, match=is_at(first, second)):
        client.delete_schedule(first.name, etag=first.etag)
    assert contents(watched.server) == before
    client.delete_schedule(first.name)


def test_a_schedule_that_runs_follow_is_not_deleted(watched: Watched) -> None:
    client = watched.client
    stored = client.create_schedule(jobs.new_name("schedule"), S.StepLR(3))
    places = [jobs.begun(client, schedule=stored.name) for _ in range(2)]
    for number, place in enumerate(places):
        before = contents(watched.server)
        with pytest.raises(ScheduleInUse, match=place.run) as caught:
            client.delete_schedule(stored.name)
        assert caught.value.details == {"followers": str(2 - number)}
        assert contents(watched.server) == before
        client.finish_run(place.run)
    client.delete_schedule(stored.name)
    # The runs keep what they pinned.
    for place in places:
        run = client.get_run(place.run)
        assert (run.schedule, run.schedule_name, run.schedule_revision) == (S.StepLR(3), stored.name, 1)


def test_schedules_are_listed_by_name_page_by_page(own_server: ServerProcess) -> None:
    with Client(own_server.address) as client:
        assert list(client.list_schedules()) == []
        names = [f"s-{number:02}" for number in range(23)]
        for name in reversed(names):
            client.create_schedule(name, S.StepLR(3))
        client.delete_schedule("s-07")
        names.remove("s-07")
        for size in (0, 1, 5, 22, 23, 1000):
            assert [s.name for s in client.list_schedules(page_size=size)] == names
        jobs.begun(client, schedule="s-03")
        assert {s.name: s.followers for s in client.list_schedules() if s.followers} == {"s-03": 1}


def test_a_page_goes_on_by_name_whatever_came_in_between(own_server: ServerProcess) -> None:
    with Client(own_server.address) as client:
        for number in range(0, 20, 2):
            client.create_schedule(f"s-{number:02}", S.StepLR(3))
        listing = client.list_schedules(page_size=3)
        seen = [next(listing).name for _ in range(3)]
        client.create_schedule("s-01", S.StepLR(3))
        client.create_schedule("s-07", S.StepLR(3))
        client.delete_schedule("s-04")
        seen += [s.name for s in listing]
        assert seen == [
            "s-00", "s-02", "s-04", "s-06", "s-07", "s-08", "s-10", "s-12", "s-14", "s-16", "s-18"
        ]  # fmt: skip


def test_the_last_page_has_no_token(watched: Watched) -> None:
    token, sizes = "", []
    while True:
        answer = watched.wire.schedules.ListSchedules(ListSchedulesRequest(page_size=2, page_token=token))
        sizes.append(len(answer.schedules))
        token = answer.next_page_token
        if not token:
            break
    assert sizes[:-1] == [2] * (len(sizes) - 1)
    assert sum(sizes) == len(list(watched.client.list_schedules()))
