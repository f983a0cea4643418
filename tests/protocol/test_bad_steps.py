"""NextLr requests that make no sense."""

from __future__ import annotations

from typing import Any

import pytest

from lrkeeper.v1.run_service_pb2 import NextLrRequest
from tests.protocol.watched import Watched


def a_request(watched: Watched, **fields: Any) -> NextLrRequest:
    """Return a request for the run's next step."""
    place = watched.place
    values = {
        "run_uid": place.run_uid,
        "store_epoch": place.store_epoch,
        "fence": place.fence,
        "branch": place.branch,
        "incarnation": place.incarnation,
        "from_step": 4,
        "count": 1,
        "applied_step": 3,
        "revision": 1,
    }
    return NextLrRequest(**{**values, **fields})


INVALID = {
    "no uid": ({"run_uid": ""}, "run_uid", "missing"),
    "NUL in the uid": ({"run_uid": "a\0"}, "run_uid", "NUL"),
    "a uid of 65 letters": ({"run_uid": "a" * 65}, "run_uid", "65"),
    "step 0": ({"from_step": 0, "applied_step": 0}, "from_step", "0"),
    "step -1": ({"from_step": -1}, "from_step", "-1"),
    "the least step there is": ({"from_step": -(2**63)}, "from_step", str(-(2**63))),
    "no step": ({"count": 0}, "count", "0"),
    "less than no step": ({"count": -1}, "count", "-1"),
    "rank -1": ({"rank": -1}, "rank", "-1"),
    "a rank beyond any world": ({"rank": 2**31 - 1}, "rank", str(2**31 - 1)),
    "a rank beyond the start's world": ({"rank": 1}, "rank", "0 to 0"),
    "a step applied before any": ({"applied_step": -1}, "applied_step", "-1"),
    "a step applied that is asked for later": ({"applied_step": 5}, "applied_step", "5"),
}


@pytest.mark.parametrize(("fields", "field", "shown"), INVALID.values(), ids=INVALID)
def test_a_request_that_makes_no_sense_is_refused(
    watched: Watched, fields: dict[str, Any], field: str, shown: str
) -> None:
    refusal = watched.refuses(lambda: watched.wire.runs.NextLr(a_request(watched, **fields)))
    assert (refusal.status, refusal.reason) == ("INVALID_ARGUMENT", "InvalidArgument")
    assert refusal.details == {"field": field}
    assert field in refusal.message
    assert shown in refusal.message


@pytest.mark.parametrize("step", [2**63 - 1, 2**53, 10**12, 10_000_005])
@pytest.mark.parametrize("count", [1, 2**63 - 1])
def test_a_step_far_beyond_the_frontier_is_out_of_range(watched: Watched, step: int, count: int) -> None:
    refusal = watched.refuses(
        lambda: watched.wire.runs.NextLr(a_request(watched, from_step=step, count=count, applied_step=step))
    )
    assert (refusal.status, refusal.reason) == ("OUT_OF_RANGE", "StepOutOfRange")
    assert f"from_step is {step}" in refusal.message


def test_an_unknown_run_is_not_found(watched: Watched) -> None:
    refusal = watched.refuses(lambda: watched.wire.runs.NextLr(a_request(watched, run_uid="nothing")))
    assert (refusal.status, refusal.reason) == ("NOT_FOUND", "RunNotFound")
    assert refusal.details == {"run_uid": "nothing"}
    assert "'nothing'" in refusal.message


@pytest.mark.parametrize("fence", [-1, 0, 2, 2**63 - 1])
def test_a_fence_that_was_never_given_is_unknown(watched: Watched, fence: int) -> None:
    refusal = watched.refuses(lambda: watched.wire.runs.NextLr(a_request(watched, fence=fence)))
    assert (refusal.status, refusal.reason) == ("FAILED_PRECONDITION", "UnknownFence")
    assert f"fence {fence}" in refusal.message
    assert refusal.details == {"fence": "1"}


@pytest.mark.parametrize("step", [2, 4], ids=["a committed step", "the next step"])
@pytest.mark.parametrize("epoch", ["", "another"])
def test_a_run_of_another_database_is_refused(watched: Watched, epoch: str, step: int) -> None:
    request = a_request(watched, store_epoch=epoch, from_step=step, applied_step=step - 1)
    refusal = watched.refuses(lambda: watched.wire.runs.NextLr(request))
    assert (refusal.status, refusal.reason) == ("FAILED_PRECONDITION", "StoreChanged")
    assert refusal.details == {"store_epoch": watched.place.store_epoch}
    assert repr(epoch) in refusal.message


@pytest.mark.parametrize("branch", [0, -1, 2, 2**63 - 1])
def test_a_branch_that_is_not_there_has_no_steps(watched: Watched, branch: int) -> None:
    refusal = watched.refuses(lambda: watched.wire.runs.NextLr(a_request(watched, branch=branch)))
    assert (refusal.status, refusal.reason) in {
        ("OUT_OF_RANGE", "StepOutOfRange"),
        ("NOT_FOUND", "BranchNotFound"),
    }
    assert f"branch {branch}" in refusal.message


def test_a_count_of_a_billion_is_clamped(watched: Watched) -> None:
    answer = watched.wire.runs.NextLr(a_request(watched, count=10**9))
    assert answer.values.count == 4096
    assert answer.frontier == 4 + 4096


def test_a_step_within_reach_is_no_error_and_moves_the_frontier_a_little(watched: Watched) -> None:
    answer = watched.wire.runs.NextLr(a_request(watched, from_step=10_000_000, applied_step=3))
    assert not answer.HasField("values")
    assert answer.frontier == 3 + 1 + 2  # the step applied, and twice the count beyond the next
