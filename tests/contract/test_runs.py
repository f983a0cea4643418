"""Runs: what is stored comes back, is found by name or uid, and is listed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lrkeeper.errors import StorageUnavailable
from lrkeeper.server.runs.records import ForkedFrom
from tests.contract.calls import Calls
from tests.contract.samples import NOW, WORDS, a_run, a_schedule

LARGEST = 2**63 - 1


def test_a_run_comes_back_as_it_was_stored(calls: Calls) -> None:
    run = a_run(name=WORDS, unit="epoch", labels={"team": WORDS, "empty": "", "a/b.c": "100% 'x' \"y\""})
    calls.store(run)

    assert calls.read(lambda tx: tx.run_by_name(WORDS)) == run
    assert calls.read(lambda tx: tx.run_by_uid(run.uid)) == run


def test_a_fork_knows_the_run_it_came_from(calls: Calls) -> None:
    run = a_run(name="fork", forked_from=ForkedFrom("uid-of-a-run-that-may-be-gone", WORDS, 3, 2**53))
    calls.store(run, a_run())

    assert calls.read(lambda tx: tx.run_by_name("fork")) == run
    assert run in calls.read(lambda tx: tx.runs(before_uid=None, limit=9, labels={}, state=None))


def test_the_largest_numbers_come_back(calls: Calls) -> None:
    run = a_run(frontier=2**53, fence=LARGEST, revision=LARGEST, branch=LARGEST, heard_every=LARGEST)
    calls.store(run)

    assert calls.read(lambda tx: tx.run_by_uid(run.uid)) == run


def test_a_run_that_is_not_there_is_none(calls: Calls) -> None:
    assert calls.read(lambda tx: tx.run_by_name("nobody")) is None
    assert calls.read(lambda tx: tx.run_by_uid("nobody")) is None


def test_names_that_differ_in_case_are_different_runs(calls: Calls) -> None:
    upper, lower = a_run(name="ResNet"), a_run(name="resnet")
    calls.store(upper, lower)

    assert calls.read(lambda tx: tx.run_by_name("resnet")) == lower
    assert calls.read(lambda tx: tx.run_by_name("RESNET")) is None


def test_an_update_changes_the_columns_named_of_that_run_only(calls: Calls) -> None:
    run, other = a_run(labels={"k": "v"}), a_run()
    calls.store(run, other)
    calls.transact(lambda tx: tx.update_run(run.uid, state="finished", finished_at=NOW + 5, fence=9))

    finished = replace(run, state="finished", finished_at=NOW + 5, fence=9)
    assert calls.read(lambda tx: tx.run_by_uid(run.uid)) == finished
    assert calls.read(lambda tx: tx.run_by_uid(other.uid)) == other


def test_a_deleted_run_is_found_by_uid_only_and_its_name_is_free(calls: Calls) -> None:
    run = a_run(name="again")
    calls.store(run)
    calls.transact(lambda tx: tx.update_run(run.uid, state="deleted", deleted_at=NOW))

    assert calls.read(lambda tx: tx.run_by_name("again")) is None
    assert calls.read(lambda tx: tx.run_by_uid(run.uid)) == replace(run, state="deleted", deleted_at=NOW)
    successor = a_run(name="again")
    calls.store(successor)
    assert calls.read(lambda tx: tx.run_by_name("again")) == successor


def test_a_name_that_is_taken_cannot_be_stored_again(calls: Calls) -> None:
    run, second = a_run(name="taken"), a_run(name="taken", labels={"k": "v"})
    calls.store(run)

    with pytest.raises(StorageUnavailable):
        calls.store(second)
    assert calls.read(lambda tx: tx.run_by_uid(second.uid)) is None
    assert calls.read(lambda tx: tx.run_by_name("taken")) == run


def test_runs_are_listed_the_newest_first_and_go_on_after_the_one_named(calls: Calls) -> None:
    runs = [a_run(uid=f"{n:036d}", labels={"n": str(n)}) for n in range(5)]
    calls.store(runs[3], runs[0], runs[4], runs[2], runs[1])

    def page(before_uid: str | None, limit: int) -> list[object]:
        return list(calls.read(lambda tx: tx.runs(before_uid=before_uid, limit=limit, labels={}, state=None)))

    assert page(None, 100) == runs[::-1]
    assert page(None, 2) == [runs[4], runs[3]]
    assert page(runs[3].uid, 2) == [runs[2], runs[1]]
    assert page(runs[0].uid, 2) == []


def test_runs_are_listed_by_all_labels_given_and_by_state(calls: Calls) -> None:
    both = a_run(uid="3", labels={"team": "vision", "gpu": "h100"})
    one = a_run(uid="2", labels={"team": "vision", "gpu": "a100"}, state="finished", finished_at=NOW)
    swapped = a_run(uid="1", labels={"team": "h100", "gpu": "vision"})
    gone = a_run(uid="0", labels=both.labels, state="deleted", deleted_at=NOW)
    calls.store(gone, one, both, swapped)

    def listed(labels: dict[str, str], state: str | None = None) -> list[object]:
        return list(calls.read(lambda tx: tx.runs(before_uid=None, limit=9, labels=labels, state=state)))

    assert listed({}) == [both, one, swapped]
    assert listed({"team": "vision"}) == [both, one]
    assert listed({"team": "vision", "gpu": "h100"}) == [both]
    assert listed({"team": "vision"}, "finished") == [one]
    assert listed({}, "active") == [both, swapped]
    assert listed({"team": "%"}) == []
    assert listed({"nothing": "here"}) == []


def test_a_label_is_matched_to_the_letter(calls: Calls) -> None:
    run = a_run(labels={"why": "100% 'sure' \\ 学习率"})
    calls.store(run)

    def found(value: str) -> int:
        return len(
            calls.read(lambda tx: tx.runs(before_uid=None, limit=9, labels={"why": value}, state=None))
        )

    assert found("100% 'sure' \\ 学习率") == 1
    assert found("100% 'SURE' \\ 学习率") == 0


def test_followers_are_the_active_runs_of_the_schedule_by_uid(calls: Calls) -> None:
    schedule, other = a_schedule(), a_schedule()
    first, second = a_run(uid="1", schedule_uid=schedule.uid), a_run(uid="2", schedule_uid=schedule.uid)
    calls.store(
        schedule,
        other,
        second,
        first,
        a_run(uid="3", schedule_uid=schedule.uid, state="finished"),
        a_run(uid="4", schedule_uid=schedule.uid, state="deleted", deleted_at=NOW),
        a_run(uid="5", schedule_uid=other.uid),
        a_run(uid="6"),
    )

    assert calls.read(lambda tx: tx.followers(schedule.uid)) == [first, second]
    assert calls.read(lambda tx: tx.followers("nobody")) == []
