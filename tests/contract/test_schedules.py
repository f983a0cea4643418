"""Named schedules and their revisions."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lrkeeper.errors import StorageUnavailable
from lrkeeper.server.runs.records import ScheduleRevision
from tests.contract.calls import Calls
from tests.contract.samples import DEFINITION, NOW, WORDS, a_schedule

NAMES = {"B", "B-2", "B.1", "B0", "B_3", "a", "aB", "b", "imagenet-90", "imagenet_9", "imagenet100"}


def next_revision(before: ScheduleRevision, **fields: object) -> ScheduleRevision:
    """Return the revision after a head."""
    return replace(
        a_schedule(uid=before.uid, name=before.name),
        revision=before.revision + 1,
        head_revision=before.revision + 1,
        **fields,  # type: ignore[arg-type]
    )


def test_a_schedule_comes_back_by_name_its_head_or_a_revision(calls: Calls) -> None:
    first = a_schedule(name=WORDS, author=WORDS, reason=WORDS, definition=DEFINITION, created_at=NOW + 1)
    second = next_revision(first, rolled_out=False, reason="lower", created_at=NOW + 2)
    calls.store(first)
    assert calls.read(lambda tx: tx.schedule(WORDS)) == first

    calls.transact(lambda tx: tx.insert_schedule_revision(second))
    assert calls.read(lambda tx: tx.schedule(WORDS)) == second
    assert calls.read(lambda tx: tx.schedule(WORDS, 2)) == second
    assert calls.read(lambda tx: tx.schedule(WORDS, 1)) == replace(first, head_revision=2)
    assert calls.read(lambda tx: tx.schedule(WORDS, 3)) is None
    assert calls.read(lambda tx: tx.schedule("nobody")) is None


def test_a_revision_is_found_by_the_request_that_made_it(calls: Calls) -> None:
    first, other = a_schedule(), a_schedule()
    second = next_revision(first)
    calls.store(first, other)
    calls.transact(lambda tx: tx.insert_schedule_revision(second))

    assert calls.read(lambda tx: tx.schedule_by_request(first.uid, second.request_id)) == second
    found = calls.read(lambda tx: tx.schedule_by_request(first.uid, first.request_id))
    assert found == replace(first, head_revision=2)
    assert calls.read(lambda tx: tx.schedule_by_request(other.uid, first.request_id)) is None


def test_a_request_id_makes_one_revision_of_a_schedule(calls: Calls) -> None:
    first = a_schedule()
    calls.store(first)

    with pytest.raises(StorageUnavailable):
        calls.transact(
            lambda tx: tx.insert_schedule_revision(next_revision(first, request_id=first.request_id))
        )
    assert calls.read(lambda tx: tx.schedule(first.name)) == first


def test_a_name_that_is_taken_cannot_be_stored_again(calls: Calls) -> None:
    first = a_schedule(name="taken")
    calls.store(first)

    with pytest.raises(StorageUnavailable):
        calls.store(a_schedule(name="taken"))
    assert calls.read(lambda tx: tx.schedule("taken")) == first


def test_a_deleted_schedule_keeps_its_name_for_the_records_and_frees_it(calls: Calls) -> None:
    first, other = a_schedule(name="again", rolled_out=False), a_schedule(name="other")
    calls.store(first, other)
    calls.transact(lambda tx: tx.delete_schedule(first.uid, NOW))

    assert calls.read(lambda tx: tx.schedule("again")) is None
    assert calls.read(lambda tx: tx.schedule("again", 1)) is None
    assert calls.read(lambda tx: tx.schedules(after_name="", limit=9)) == [other]
    assert calls.read(lambda tx: tx.unfinished_rollouts()) == []
    assert calls.read(lambda tx: tx.schedule_names({first.uid, other.uid, "nobody"})) == {
        first.uid: "again",
        other.uid: "other",
    }
    successor = a_schedule(name="again")
    calls.store(successor)
    assert calls.read(lambda tx: tx.schedule("again")) == successor


def test_no_names_are_asked_for_and_none_given(calls: Calls) -> None:
    assert calls.read(lambda tx: tx.schedule_names(set())) == {}


def test_heads_are_listed_by_name_the_same_on_every_database(calls: Calls) -> None:
    names = sorted(NAMES)
    schedules = {name: a_schedule(name=name) for name in names}
    calls.store(*reversed(schedules.values()))
    head = next_revision(schedules["a"])
    calls.transact(lambda tx: tx.insert_schedule_revision(head))
    heads = {**schedules, "a": head}

    listed = calls.read(lambda tx: tx.schedules(after_name="", limit=100))
    assert [schedule.name for schedule in listed] == names
    assert listed == [heads[name] for name in names]


def test_the_pages_of_a_listing_hold_every_schedule_once(calls: Calls) -> None:
    calls.store(*(a_schedule(name=name) for name in NAMES))

    def page_after(name: str) -> list[str]:
        return [schedule.name for schedule in calls.read(lambda tx: tx.schedules(after_name=name, limit=2))]

    found: list[str] = []
    while page := page_after(found[-1] if found else ""):
        found += page
    assert len(found) == len(NAMES)
    assert set(found) == NAMES


def test_heads_whose_followers_wait_are_unfinished_until_marked(calls: Calls) -> None:
    first, other = a_schedule(rolled_out=False), a_schedule()
    second = next_revision(first, rolled_out=False)
    third = next_revision(second, rolled_out=False)
    calls.store(first, other)
    assert calls.read(lambda tx: tx.unfinished_rollouts()) == [first]

    calls.transact(lambda tx: tx.insert_schedule_revision(second))
    calls.transact(lambda tx: tx.insert_schedule_revision(third))
    assert calls.read(lambda tx: tx.unfinished_rollouts()) == [third]
    calls.transact(lambda tx: tx.mark_rolled_out(first.uid, 1))
    assert calls.read(lambda tx: tx.unfinished_rollouts()) == [third]
    calls.transact(lambda tx: tx.mark_rolled_out(first.uid, 3))
    assert calls.read(lambda tx: tx.unfinished_rollouts()) == []
    assert calls.read(lambda tx: tx.schedule(first.name)) == replace(third, rolled_out=True)
    assert calls.read(lambda tx: tx.schedule(first.name, 2)) == replace(
        second, rolled_out=True, head_revision=3
    )
