"""RollbackRun and ForkRun requests that make no sense."""

from __future__ import annotations

from collections.abc import Callable
from uuid import uuid4

import pytest

from lrkeeper import schedules as S
from lrkeeper.schedules import codec
from lrkeeper.v1 import run_pb2
from lrkeeper.v1.run_service_pb2 import ForkRunRequest, RollbackRunRequest
from tests.protocol.watched import Watched


def a_rollback(run: str) -> RollbackRunRequest:
    """Return a request that a run at revision 1 takes."""
    return RollbackRunRequest(
        run=run,
        to_step=2,
        request_id=str(uuid4()),
        expected_revision=1,
        replace=run_pb2.Replace(schedule=codec.encode(S.StepLR(3))),
        reason="to see it refused",
        author="operator@desk",
    )


def a_fork(run: str) -> ForkRunRequest:
    """Return a request that a run takes."""
    return ForkRunRequest(
        run=run, new_run=f"fork-{uuid4().hex}", at_step=2, request_id=str(uuid4()), reason="r", author="a"
    )


def without_replace(request: RollbackRunRequest) -> None:
    request.ClearField("replace")
    request.parameters["steps"] = 3.0


ROLLBACKS: dict[str, tuple[Callable[[RollbackRunRequest], object], str, str]] = {
    "no run": (lambda r: r.ClearField("run"), "run", "''"),
    "a run that is no name": (lambda r: setattr(r, "run", "a/b"), "run", "'a/b'"),
    "no step": (lambda r: r.ClearField("to_step"), "to_step", "missing"),
    "a step of -1": (lambda r: setattr(r, "to_step", -1), "to_step", "-1"),
    "a step of 2^63-1": (lambda r: setattr(r, "to_step", 2**63 - 1), "to_step", str(2**63 - 1)),
    "no request id": (lambda r: r.ClearField("request_id"), "request_id", "''"),
    "a request id that is no UUID": (lambda r: setattr(r, "request_id", "one"), "request_id", "'one'"),
    "no expected revision": (lambda r: r.ClearField("expected_revision"), "expected_revision", "missing"),
    "nothing to replace with": (lambda r: r.replace.Clear(), "replace.schedule", "missing"),
    "a schedule of no kind": (lambda r: r.replace.schedule.Clear(), "replace.schedule", "kind"),
    "a stored schedule that is no name": (
        lambda r: r.replace.CopyFrom(run_pb2.Replace(schedule_name="a/b")),
        "replace.schedule_name",
        "'a/b'",
    ),
    "parameters of nothing": (
        without_replace,
        "parameters",
        "no replace",
    ),
    "parameters that the schedule does not take": (
        lambda r: r.parameters.update({"steps": 3.0}),
        "parameters",
        "steps",
    ),
    "a reason of 4,097 letters": (lambda r: setattr(r, "reason", "a" * 4097), "reason", "4097"),
    "NUL in the author": (lambda r: setattr(r, "author", "a\0"), "author", "NUL"),
}

FORKS: dict[str, tuple[Callable[[ForkRunRequest], object], str, str]] = {
    "no run": (lambda r: r.ClearField("run"), "run", "''"),
    "no new run": (lambda r: r.ClearField("new_run"), "new_run", "''"),
    "a new run that is no name": (lambda r: setattr(r, "new_run", "../x"), "new_run", "'../x'"),
    "no step": (lambda r: r.ClearField("at_step"), "at_step", "missing"),
    "a step of -1": (lambda r: setattr(r, "at_step", -1), "at_step", "-1"),
    "no request id": (lambda r: r.ClearField("request_id"), "request_id", "''"),
    "a label whose key is none": (lambda r: r.labels.update({"a b": ""}), "labels", "'a b'"),
    "NUL in the reason": (lambda r: setattr(r, "reason", "a\0"), "reason", "NUL"),
    "an author of 4,097 letters": (lambda r: setattr(r, "author", "a" * 4097), "author", "4097"),
}


@pytest.mark.parametrize("validate_only", [False, True])
@pytest.mark.parametrize(("change", "name", "shown"), ROLLBACKS.values(), ids=ROLLBACKS)
def test_a_rollback_that_makes_no_sense_is_refused(
    watched: Watched,
    change: Callable[[RollbackRunRequest], object],
    name: str,
    shown: str,
    validate_only: bool,
) -> None:
    request = a_rollback(watched.run)
    request.validate_only = validate_only
    change(request)
    refusal = watched.refuses(lambda: watched.wire.runs.RollbackRun(request))
    assert (refusal.status, refusal.details) == ("INVALID_ARGUMENT", {"field": name})
    assert shown in refusal.message


@pytest.mark.parametrize(("change", "name", "shown"), FORKS.values(), ids=FORKS)
def test_a_fork_that_makes_no_sense_is_refused(
    watched: Watched, change: Callable[[ForkRunRequest], object], name: str, shown: str
) -> None:
    request = a_fork(watched.run)
    change(request)
    refusal = watched.refuses(lambda: watched.wire.runs.ForkRun(request))
    assert (refusal.status, refusal.details) == ("INVALID_ARGUMENT", {"field": name})
    assert shown in refusal.message


def test_those_that_make_sense_are_taken(watched: Watched) -> None:
    """What the tables above change is all that is wrong there."""
    assert watched.wire.runs.ForkRun(a_fork(watched.run)).run.frontier == 3
    assert watched.wire.runs.RollbackRun(a_rollback(watched.run)).branch == 2
