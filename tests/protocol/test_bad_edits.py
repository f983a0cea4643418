"""EditRun requests that make no sense, or come too late."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from lrkeeper import schedules as S
from lrkeeper.schedules import codec
from lrkeeper.v1 import run_pb2
from lrkeeper.v1.run_service_pb2 import EditRunRequest
from lrkeeper.v1.schedule_service_pb2 import UpdateScheduleRequest
from tests.protocol import jobs
from tests.protocol.watched import Watched
from tests.protocol.wire import RUNS, field

DEFINITION = codec.encode(S.StepLR(3))


def a_request(run: str) -> EditRunRequest:
    """Return a request that a run at revision 1 takes."""
    return EditRunRequest(
        run=run,
        request_id=str(uuid4()),
        expected_revision=1,
        replace=run_pb2.Replace(schedule=DEFINITION),
        reason="to see it refused",
        author="operator@desk",
    )


INVALID: dict[str, tuple[Callable[[EditRunRequest], object], str, str]] = {
    "no request id": (lambda r: r.ClearField("request_id"), "request_id", "''"),
    "a request id that is no UUID": (lambda r: setattr(r, "request_id", "edit-1"), "request_id", "'edit-1'"),
    "a request id of 10 KiB": (lambda r: setattr(r, "request_id", "a" * 10240), "request_id", "10240"),
    "no expected revision": (lambda r: r.ClearField("expected_revision"), "expected_revision", "missing"),
    "no operation": (lambda r: r.ClearField("operation"), "operation", "replace"),
    "nothing to replace with": (lambda r: r.replace.Clear(), "replace.schedule", "missing"),
    "a step of -1": (lambda r: setattr(r, "at_step", -1), "at_step", "-1"),
    "the least step there is": (lambda r: setattr(r, "at_step", -(2**63)), "at_step", str(-(2**63))),
    "a step of 2^63-1": (lambda r: setattr(r, "at_step", 2**63 - 1), "at_step", str(2**63 - 1)),
    "a reason of 4,097 letters": (lambda r: setattr(r, "reason", "a" * 4097), "reason", "4097"),
    "a reason of 1 MiB": (lambda r: setattr(r, "reason", "a" * (1 << 20)), "reason", str(1 << 20)),
    "NUL in the reason": (lambda r: setattr(r, "reason", "a\0"), "reason", "NUL"),
    "an author of 4,097 letters": (lambda r: setattr(r, "author", "a" * 4097), "author", "4097"),
    "NUL in the author": (lambda r: setattr(r, "author", "a\0"), "author", "NUL"),
}


@pytest.mark.parametrize("validate_only", [False, True])
@pytest.mark.parametrize(("change", "name", "shown"), INVALID.values(), ids=INVALID)
def test_an_edit_that_makes_no_sense_is_refused(
    watched: Watched,
    change: Callable[[EditRunRequest], object],
    name: str,
    shown: str,
    validate_only: bool,
) -> None:
    request = a_request(watched.run)
    request.validate_only = validate_only
    change(request)
    refusal = watched.refuses(lambda: watched.wire.runs.EditRun(request))
    assert (refusal.status, refusal.reason) == ("INVALID_ARGUMENT", "InvalidArgument")
    assert refusal.details == {"field": name}
    assert name in refusal.message
    assert shown in refusal.message


def test_an_edit_that_makes_sense_is_taken(watched: Watched) -> None:
    """What the table above changes is all that is wrong there."""
    assert watched.wire.runs.EditRun(a_request(watched.run)).revision == 2


@pytest.mark.parametrize("validate_only", [False, True])
@pytest.mark.parametrize("stored", [False, True])
def test_a_track_for_a_group_that_the_run_does_not_have_is_refused_at_once(
    watched: Watched, stored: bool, validate_only: bool
) -> None:
    tracks = S.Tracks([S.Track(S.StepLR(3)), S.Track(S.StepLR(4), group="heads")])
    request = a_request(watched.run)
    request.validate_only = validate_only
    request.replace.Clear()
    if stored:
        request.replace.schedule_name = jobs.new_name("schedule")
        watched.client.create_schedule(request.replace.schedule_name, tracks)
    else:
        request.replace.schedule.CopyFrom(codec.encode(tracks))
    refusal = watched.refuses(lambda: watched.wire.runs.EditRun(request))
    assert (refusal.status, refusal.details) == ("INVALID_ARGUMENT", {"field": "replace.schedule"})
    assert (
        f"the groups 'heads', and no param group of run {watched.run!r} is one: there are 0"
        in refusal.message
    )


def test_an_operation_of_a_newer_client_is_none(watched: Watched) -> None:
    request = a_request(watched.run)
    request.ClearField("operation")
    data = request.SerializeToString() + field(99, b"scale")
    refusal = watched.refuses(lambda: watched.wire.send(f"{RUNS}EditRun", data))
    assert (refusal.status, refusal.details) == ("INVALID_ARGUMENT", {"field": "operation"})


@pytest.mark.parametrize("validate_only", [False, True])
@pytest.mark.parametrize("expected", [0, 2, -1, 2**63 - 1])
def test_a_stale_revision_is_aborted_and_the_present_one_named(
    watched: Watched, expected: int, validate_only: bool
) -> None:
    request = a_request(watched.run)
    request.expected_revision, request.validate_only = expected, validate_only
    refusal = watched.refuses(lambda: watched.wire.runs.EditRun(request))
    assert (refusal.status, refusal.reason) == ("ABORTED", "StaleRevision")
    assert refusal.details == {"revision": "1"}
    assert f"expected_revision is {expected}" in refusal.message


@pytest.mark.parametrize("validate_only", [False, True])
@pytest.mark.parametrize(("at_step", "not_after"), [(None, 3), (2, 3), (4, 3), (10, 9), (None, -1)])
def test_an_edit_that_could_only_act_too_late_is_out_of_range(
    watched: Watched, at_step: int | None, not_after: int, validate_only: bool
) -> None:
    request = a_request(watched.run)
    request.not_after_step, request.validate_only = not_after, validate_only
    if at_step is not None:
        request.at_step = at_step
    refusal = watched.refuses(lambda: watched.wire.runs.EditRun(request))
    assert (refusal.status, refusal.reason) == ("OUT_OF_RANGE", "EffectiveStepPassed")
    assert refusal.details == {"effective_step": str(max(at_step or 4, 4))}
    assert f"not_after_step {not_after}" in refusal.message


def test_an_edit_of_the_far_future_is_out_of_range(watched: Watched) -> None:
    request = a_request(watched.run)
    request.at_step = 10_000_005
    refusal = watched.refuses(lambda: watched.wire.runs.EditRun(request))
    assert (refusal.status, refusal.reason) == ("OUT_OF_RANGE", "StepOutOfRange")
    assert "at_step is 10000005" in refusal.message
    assert refusal.details == {"frontier": "4"}


def test_an_unknown_run_is_not_found(watched: Watched) -> None:
    name = jobs.new_name()
    refusal = watched.refuses(lambda: watched.wire.runs.EditRun(a_request(name)))
    assert (refusal.status, refusal.reason, refusal.details) == ("NOT_FOUND", "RunNotFound", {"run": name})
    assert repr(name) in refusal.message


def test_a_deleted_run_is_not_found(watched: Watched) -> None:
    place = jobs.begun(watched.client)
    watched.client.delete_run(place.run, force=True)
    refusal = watched.refuses(lambda: watched.wire.runs.EditRun(a_request(place.run)))
    assert (refusal.status, refusal.reason) == ("NOT_FOUND", "RunNotFound")


def test_a_finished_run_takes_no_edit(watched: Watched) -> None:
    place = jobs.begun(watched.client)
    watched.client.finish_run(place.run)
    refusal = watched.refuses(lambda: watched.wire.runs.EditRun(a_request(place.run)))
    assert (refusal.status, refusal.reason) == ("FAILED_PRECONDITION", "RunFinished")
    assert refusal.details == {"run": place.run}


def test_an_unknown_stored_schedule_is_not_found(watched: Watched) -> None:
    request = a_request(watched.run)
    request.replace.ClearField("schedule")
    request.replace.schedule_name = "no-such-schedule"
    refusal = watched.refuses(lambda: watched.wire.runs.EditRun(request))
    assert (refusal.status, refusal.reason) == ("NOT_FOUND", "ScheduleNotFound")
    assert refusal.details == {"schedule": "no-such-schedule"}


@pytest.mark.parametrize("request_id", ["", "update-1", "a" * 10240])
def test_an_update_of_a_schedule_needs_a_request_id_too(watched: Watched, request_id: str) -> None:
    stored = watched.client.create_schedule(jobs.new_name("schedule"), S.StepLR(3))
    request = UpdateScheduleRequest(
        name=stored.name, etag=stored.etag, request_id=request_id, schedule=DEFINITION
    )
    refusal = watched.refuses(lambda: watched.wire.schedules.UpdateSchedule(request))
    assert (refusal.status, refusal.details) == ("INVALID_ARGUMENT", {"field": "request_id"})


def test_a_reason_is_kept_to_the_letter_and_stays_out_of_the_log(watched: Watched) -> None:
    reason = 'loss went up\r\n{"event": "forged"}\x1b[31m red \u202e'
    request = a_request(watched.run)
    request.reason = reason
    watched.wire.runs.EditRun(request)
    (edit,) = watched.client.get_run(watched.run).edits
    assert edit.reason == reason
    log = Path(watched.server.log).read_text()
    assert '"EditRun"' in log
    assert "forged" not in log
    assert "\x1b" not in log
