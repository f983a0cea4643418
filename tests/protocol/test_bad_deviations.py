"""Reports of deviations that make no sense."""

from __future__ import annotations

import math
from typing import Any

import pytest

from lrkeeper.schedules.table import Table
from lrkeeper.v1 import run_pb2
from lrkeeper.v1.run_service_pb2 import ReportDeviationRequest
from lrkeeper.v1.values_pb2 import Values
from tests.protocol.watched import Watched


def of(*lrs: float, first_step: int = 2, track: str = "lr") -> Values:
    """Return rows of one param group."""
    return Table.from_rows(first_step, [{track: (lr,)} for lr in lrs]).to_message()


def altered(**fields: Any) -> Values:
    """Return a good row with other fields."""
    message = of(0.5)
    for name, value in fields.items():
        setattr(message, name, value)
    return message


def a_request(watched: Watched, **fields: Any) -> ReportDeviationRequest:
    """Return a report of the run's second step."""
    place = watched.place
    values = {
        "run_uid": place.run_uid,
        "store_epoch": place.store_epoch,
        "fence": place.fence,
        "branch": place.branch,
        "values": of(0.5),
        "kind": run_pb2.DEVIATION_KIND_HOLD,
    }
    return ReportDeviationRequest(**{**values, **fields})


BOMB = Values(
    first_step=1, count=4096, tracks=["lr"], groups=100_000, columns=[b"\0" * 8], index=[0] * 100_000
)
INVALID = {
    "no uid": ({"run_uid": ""}, "run_uid", "missing"),
    "NUL in the uid": ({"run_uid": "a\0"}, "run_uid", "NUL"),
    "rank -1": ({"rank": -1}, "rank", "0 to 0"),
    "a rank beyond the start's world": ({"rank": 1}, "rank", "0 to 0"),
    "no kind": ({"kind": 0}, "kind", "1, 2"),
    "a kind there is not": ({"kind": 99}, "kind", "99"),
    "no values": ({"values": Values()}, "values.count", "0"),
    "no rows": ({"values": altered(count=0)}, "values.count", "0"),
    "more rows than one report has": ({"values": altered(count=4097)}, "values.count", "4096"),
    "rows of many groups": ({"values": BOMB}, "values.count", "1 for 1 tracks of 100000"),
    "a row more than there are values": ({"values": altered(count=2)}, "values", "crc32"),
    "a wrong checksum": ({"values": altered(crc32=1)}, "values", "0x00000001"),
    "a group more than the columns": ({"values": altered(groups=2)}, "values", "column"),
    "another track": ({"values": of(0.5, track="momentum")}, "values", "momentum"),
    "two groups": ({"values": Table.from_rows(2, [{"lr": (1.0, 2.0)}]).to_message()}, "values", "2 param"),
    "a track twice": (
        {"values": Table(2, 1, ("lr", "lr"), 1, b"\0" * 16).to_message()},
        "values",
        "'lr', 'lr'",
    ),
    "no number": ({"values": of(0.5, math.nan)}, "values", "nan"),
}


@pytest.mark.parametrize(("fields", "field", "shown"), INVALID.values(), ids=INVALID)
def test_a_report_that_makes_no_sense_is_refused(
    watched: Watched, fields: dict[str, Any], field: str, shown: str
) -> None:
    refusal = watched.refuses(lambda: watched.wire.runs.ReportDeviation(a_request(watched, **fields)))
    assert (refusal.status, refusal.reason) == ("INVALID_ARGUMENT", "InvalidArgument")
    assert refusal.details == {"field": field}
    assert field in refusal.message
    assert shown in refusal.message


@pytest.mark.parametrize("step", [-(2**63), -1, 0, 2**53 - 1, 2**63 - 1])
def test_steps_that_no_run_can_have_are_out_of_range(watched: Watched, step: int) -> None:
    request = a_request(watched, values=of(0.5, 0.25, first_step=step))
    refusal = watched.refuses(lambda: watched.wire.runs.ReportDeviation(request))
    assert (refusal.status, refusal.reason) == ("OUT_OF_RANGE", "StepOutOfRange")
    assert f"values.first_step is {step}" in refusal.message


@pytest.mark.parametrize("fence", [-1, 0, 2, 2**63 - 1])
def test_a_fence_that_was_never_given_is_unknown(watched: Watched, fence: int) -> None:
    refusal = watched.refuses(lambda: watched.wire.runs.ReportDeviation(a_request(watched, fence=fence)))
    assert (refusal.status, refusal.reason) == ("FAILED_PRECONDITION", "UnknownFence")
    assert refusal.details == {"fence": "1"}


@pytest.mark.parametrize("branch", [-1, 0, 2, 2**63 - 1])
def test_a_branch_that_is_not_there_is_not_found(watched: Watched, branch: int) -> None:
    refusal = watched.refuses(lambda: watched.wire.runs.ReportDeviation(a_request(watched, branch=branch)))
    assert (refusal.status, refusal.reason) == ("NOT_FOUND", "BranchNotFound")
    assert f"branch {branch}" in refusal.message


def test_a_run_of_another_database_is_refused(watched: Watched) -> None:
    request = a_request(watched, store_epoch="another")
    refusal = watched.refuses(lambda: watched.wire.runs.ReportDeviation(request))
    assert (refusal.status, refusal.reason) == ("FAILED_PRECONDITION", "StoreChanged")


def test_an_unknown_run_is_not_found(watched: Watched) -> None:
    request = a_request(watched, run_uid="nothing")
    refusal = watched.refuses(lambda: watched.wire.runs.ReportDeviation(request))
    assert (refusal.status, refusal.reason) == ("NOT_FOUND", "RunNotFound")
