"""Branches and their param groups come back bit for bit."""

from __future__ import annotations

import math

import pytest

from lrkeeper.errors import StorageUnavailable
from lrkeeper.schedules.numbers import to_float32
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs.records import Branch, ForkedFrom, ParamGroup
from tests.contract.calls import Calls
from tests.contract.samples import WORDS, a_branch, a_run, a_schedule, an_origin


def stored(calls: Calls, branch: Branch) -> Branch:
    """Store a branch, and return what is there then."""
    calls.store(branch)
    found = calls.read(lambda tx: tx.branch(branch.run_uid, branch.branch))
    assert found is not None
    return found


def test_a_branch_comes_back_as_it_was_stored(calls: Calls) -> None:
    run, schedule = a_run(), a_schedule()
    calls.store(schedule, run)
    groups = (
        ParamGroup(WORDS, "float64", {"lr": 0.1, "momentum": 0.9}, {"lr": 0.05, "momentum": 0.85}),
        ParamGroup(None, "float32", {"lr": to_float32(0.1), "momentum": 0.0}, {"lr": 1e-45, "momentum": 1.0}),
        ParamGroup("", "float64", {"lr": 5e-324, "momentum": -1.5}, {"lr": 1.7e308, "momentum": 0.1 + 0.2}),
    )
    origin = an_origin(groups, schedule_uid=schedule.uid, schedule_revision=7, definition=f'{{"{WORDS}":[]}}')
    branch = a_branch(run, branch=2, parent=1, fork_step=12, revision=3, origin=origin, groups=groups)

    assert stored(calls, branch) == branch


def test_infinities_come_back(calls: Calls) -> None:
    run = a_run()
    calls.store(run)
    group = ParamGroup(None, "float64", {"lr": math.inf}, {"lr": -math.inf})

    assert stored(calls, a_branch(run, groups=(group,))) == a_branch(run, groups=(group,))


def test_a_negative_zero_keeps_its_sign(calls: Calls) -> None:
    run = a_run()
    calls.store(run)
    group = ParamGroup(None, "float64", {"lr": -0.0}, {"lr": -0.0})

    (found,) = stored(calls, a_branch(run, groups=(group,))).groups
    assert found.initial["lr"].hex() == "-0x0.0p+0"
    assert found.current["lr"].hex() == "-0x0.0p+0"


def test_a_value_that_is_no_number_comes_back_at_the_origin(calls: Calls) -> None:
    run = a_run()
    calls.store(run)
    values = Table.from_rows(0, [{"lr": (math.nan,)}])
    branch = a_branch(
        run, origin=an_origin((ParamGroup(None, "float64", {"lr": 1.0}, {"lr": 1.0}),), values=values)
    )

    assert stored(calls, branch).origin.values.data == values.data


@pytest.mark.parametrize(
    "tracks", [("lr", "momentum", "weight_decay"), ("Momentum", "lr"), ("weight_decay", "weighta", "weightb")]
)
def test_every_track_has_its_own_origin_value(calls: Calls, tracks: tuple[str, ...]) -> None:
    run = a_run()
    calls.store(run)
    values = {track: 1.0 + place for place, track in enumerate(tracks)}
    group = ParamGroup(None, "float64", {**values}, {**values})

    found = stored(calls, a_branch(run, groups=(group,)))
    assert found.origin.values.row(0) == {track: (value,) for track, value in values.items()}
    assert found.groups == (group,)


def test_many_groups_keep_their_order(calls: Calls) -> None:
    run = a_run()
    calls.store(run)
    groups = tuple(ParamGroup(f"g{n}", "float64", {"lr": n / 7}, {"lr": n / 7}) for n in range(120))

    assert stored(calls, a_branch(run, groups=groups)).groups == groups


def test_branches_of_one_number_belong_to_their_runs(calls: Calls) -> None:
    one, other = a_run(), a_run()
    ones, others = a_branch(one, created_at=1), a_branch(other, created_at=2)
    calls.store(one, other, ones, others)

    assert calls.read(lambda tx: tx.branch(one.uid, 1)) == ones
    assert calls.read(lambda tx: tx.branch(other.uid, 1)) == others
    assert calls.read(lambda tx: tx.branch(one.uid, 2)) is None
    assert calls.read(lambda tx: tx.branch("nobody", 1)) is None


def test_a_branch_is_found_by_the_request_that_made_it(calls: Calls) -> None:
    run, other = a_run(), a_run()
    made = {"author": WORDS, "reason": WORDS, "request_id": "request", "digest": "d" * 64}
    first, rolled_back = a_branch(run), a_branch(run, branch=2, parent=1, fork_step=5, **made)
    elsewhere = a_branch(other, request_id="request")
    calls.store(run, other, first, rolled_back, elsewhere)

    assert calls.read(lambda tx: tx.branch_by_request(run.uid, "request")) == rolled_back
    assert calls.read(lambda tx: tx.branch_by_request(other.uid, "request")) == elsewhere
    assert calls.read(lambda tx: tx.branch_by_request(run.uid, "another")) is None
    assert calls.read(lambda tx: tx.branch(run.uid, 1)) == first


def test_a_request_id_makes_one_branch_of_a_run(calls: Calls) -> None:
    run = a_run()
    calls.store(run, a_branch(run, request_id="request"))

    with pytest.raises(StorageUnavailable):
        calls.store(a_branch(run, branch=2, request_id="request"))
    assert calls.read(lambda tx: tx.branch(run.uid, 2)) is None


def test_a_fork_is_found_by_the_request_that_made_it(calls: Calls) -> None:
    run, other = a_run(), a_run()
    of_run, of_other = (
        a_run(forked_from=ForkedFrom(source.uid, source.name, 1, 5)) for source in (run, other)
    )
    made, elsewhere = (a_branch(fork, request_id="request") for fork in (of_run, of_other))
    calls.store(run, other, of_run, of_other, a_branch(run, request_id="request"), made, elsewhere)
    calls.store(a_branch(of_run, branch=2, request_id="later"))

    assert calls.read(lambda tx: tx.fork_by_request(run.uid, "request")) == made
    assert calls.read(lambda tx: tx.fork_by_request(other.uid, "request")) == elsewhere
    assert calls.read(lambda tx: tx.fork_by_request(run.uid, "later")) is None
    assert calls.read(lambda tx: tx.fork_by_request(of_run.uid, "request")) is None


def test_a_branch_keeps_the_fence_that_was_raised_with_it(calls: Calls) -> None:
    run = a_run()
    calls.store(run, a_branch(run))

    assert stored(calls, a_branch(run, branch=2, parent=1, fork_step=5, fence=7)).fence == 7
    assert calls.read(lambda tx: tx.branch(run.uid, 1)) == a_branch(run)
