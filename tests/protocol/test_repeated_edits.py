"""An edit that is sent again is the same edit; its request id is not another's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import uuid4

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import (
    RequestIdReused,
)
from lrkeeper.views import Edited
from tests.protocol import jobs
from tests.protocol.stored import contents, rows
from tests.protocol.watched import Watched
from tests.support.server import ServerProcess


@pytest.mark.parametrize("author", ["", "someone@else"])
def test_a_repeated_request_is_the_same_edit(watched: Watched, author: str) -> None:
    client, run, request_id = watched.client, watched.run, str(uuid4())

    def edit() -> Edited:
        return client.edit_run(
            run, jobs.SLOW, expected_revision=1, reason="once", at_step=6, author="op", request_id=request_id
        )

    first = edit()
    before = contents(watched.server)
    assert [edit() for _ in range(3)] == [first] * 3
    assert contents(watched.server) == before
    # Also once the run has gone past it, has been edited again, and is finished.
    jobs.stepped(client, watched.place, 40)
    assert edit() == first
    client.edit_run(run, S.StepLR(3), expected_revision=2, reason="another", author=author)
    assert edit() == first
    client.finish_run(run)
    before = contents(watched.server)
    assert edit() == first
    assert contents(watched.server) == before
    assert [e.effective_step for e in client.get_run(run).edits] == [6, 41]


def test_a_request_id_may_be_spelt_in_capitals(client: Client) -> None:
    place, request_id = jobs.begun(client), str(uuid4())
    for spelt in (request_id, request_id.upper(), request_id.replace("-", "")):
        edited = client.edit_run(
            place.run, jobs.SLOW, expected_revision=1, reason="once", author="op", request_id=spelt
        )
        assert edited.revision == 2


@pytest.mark.parametrize(
    "change",
    [
        {"schedule": S.StepLR(1, gamma=0.998)},
        {"at_step": 7},
        {"at_step": None},
        {"not_after_step": 100},
        {"reason": "another"},
        {"author": "another"},
    ],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.parametrize("validate_only", [False, True])
def test_a_request_id_is_not_used_for_another_edit(
    watched: Watched, change: dict[str, object], validate_only: bool
) -> None:
    fields = {
        "schedule": jobs.SLOW,
        "at_step": 6,
        "reason": "once",
        "author": "op",
        "request_id": str(uuid4()),
    }
    watched.client.edit_run(watched.run, expected_revision=1, **fields)
    before = contents(watched.server)
    with pytest.raises(RequestIdReused, match=str(fields["request_id"])) as caught:
        watched.client.edit_run(
            watched.run, expected_revision=2, validate_only=validate_only, **{**fields, **change}
        )
    assert caught.value.details == {"revision": "2"}
    assert contents(watched.server) == before


def test_a_request_id_belongs_to_its_run(client: Client) -> None:
    one, other, request_id = jobs.begun(client), jobs.begun(client), str(uuid4())
    for place in (one, other):
        edited = client.edit_run(place.run, jobs.SLOW, expected_revision=1, reason="", request_id=request_id)
        assert edited.revision == 2


def test_an_edit_is_repeated_after_the_run_has_left_its_branch(client: Client) -> None:
    place, request_id = jobs.stepped(client, jobs.begun(client), 4), str(uuid4())

    def edit() -> Edited:
        return client.edit_run(
            place.run, jobs.SLOW, expected_revision=1, reason="later", at_step=1000, request_id=request_id
        )

    first = edit()
    client.finish_run(place.run)
    client.acquire_run(jobs.a_start(place.run, on_existing="new_branch"))
    again = edit()
    assert (again.revision, again.effective_step) == (first.revision, first.effective_step)


def test_an_edit_by_a_stored_schedule_is_repeated_after_that_has_changed(client: Client) -> None:
    """A reply was lost; by the time it is asked for again the schedule has a new revision, or is gone."""
    place, request_id = jobs.stepped(client, jobs.begun(client), 4), str(uuid4())
    stored = client.create_schedule(jobs.new_name("schedule"), jobs.SLOW)

    def edit() -> Edited:
        return client.edit_run(
            place.run, stored.name, expected_revision=1, reason="follow", request_id=request_id
        )

    first = edit()
    client.update_schedule(stored.name, S.StepLR(3), etag=stored.etag)
    again = edit()
    assert (again.revision, again.effective_step) == (first.revision, first.effective_step)
    client.finish_run(place.run)
    client.delete_schedule(stored.name)
    again = edit()
    assert (again.revision, again.effective_step) == (first.revision, first.effective_step)


def test_the_same_request_sent_six_times_at_once_is_one_edit(server: ServerProcess) -> None:
    with Client(server.address) as client:
        place = jobs.begun(client)
        together, request_id = Barrier(6), str(uuid4())

        def edit(_: int) -> Edited:
            with Client(server.address) as own:
                own.get_server()
                together.wait()
                return own.edit_run(
                    place.run, jobs.SLOW, expected_revision=1, reason="once", request_id=request_id
                )

        with ThreadPoolExecutor(6) as threads:
            found = list(threads.map(edit, range(6)))
        assert found == [found[0]] * 6
        assert rows(server, "SELECT count(*) FROM edits WHERE run_uid = ?", place.run_uid) == [(1,)]
