"""AcquireRun requests that make no sense."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from lrkeeper import messages
from lrkeeper import schedules as S
from lrkeeper.v1 import run_pb2, schedule_pb2
from lrkeeper.v1.run_service_pb2 import AcquireRunRequest
from tests.protocol import jobs
from tests.protocol.watched import Watched
from tests.protocol.wire import RUNS, number_field

Change = Callable[[AcquireRunRequest], object]


def a_request() -> AcquireRunRequest:
    """Return a request of two groups with two tracks each, that would be granted."""
    tracks = {"lr": 0.1, "momentum": 0.9}
    groups = tuple(jobs.a_group(name=name, initial=tracks, current=tracks) for name in ("body", "head"))
    return messages.acquire_request(jobs.a_start(jobs.new_name(), groups=groups, world_size=2))


def set_checkpoint(request: AcquireRunRequest, **fields: object) -> None:
    values = {"run_uid": "0197-some-uid", "branch": 1, "step": 3, **fields}
    request.checkpoint.CopyFrom(type(request.checkpoint)(**values))


def second_member_without_size(request: AcquireRunRequest) -> None:
    members = request.schedule.sequential_lr.schedulers
    members.add().step_lr.step_size = 3
    members.add().step_lr.gamma = 0.5
    request.schedule.sequential_lr.milestones.append(5)


def set_nan(track: run_pb2.TrackValue, field: str) -> None:
    setattr(track, field, math.nan)


BAD: dict[str, tuple[Change, str, str]] = {
    "no incarnation": (lambda r: r.ClearField("incarnation"), "incarnation", "''"),
    "no groups": (lambda r: r.ClearField("groups"), "groups", "0"),
    "too many groups": (
        lambda r: r.groups.extend([run_pb2.ParamGroup()] * 10_000),
        "groups",
        "10002",
    ),
    "an unknown number": (lambda r: setattr(r.groups[1], "number", 99), "groups[1].number", "99"),
    "a group without lr": (lambda r: r.groups[1].tracks.pop(0), "groups[1].tracks", "lr"),
    "a group without tracks": (lambda r: r.groups[0].ClearField("tracks"), "groups[0].tracks", "lr"),
    "groups of different tracks": (
        lambda r: r.groups[1].tracks.pop(1),
        "groups[1].tracks",
        "['lr', 'momentum']",
    ),
    "the same track twice": (
        lambda r: r.groups[1].tracks.add(track="lr", initial=0.7),
        "groups[1].tracks[2].track",
        "lr",
    ),
    "a track without a name": (
        lambda r: r.groups[1].tracks[1].ClearField("track"),
        "groups[1].tracks[1].track",
        "''",
    ),
    "a track without a base value": (
        lambda r: r.groups[1].tracks[0].ClearField("initial"),
        "groups[1].tracks[0].initial",
        "missing",
    ),
    "a base value that is nan": (
        lambda r: set_nan(r.groups[1].tracks[0], "initial"),
        "groups[1].tracks[0].initial",
        "nan",
    ),
    "a present value that is nan": (
        lambda r: set_nan(r.groups[0].tracks[1], "current"),
        "groups[0].tracks[1].current",
        "nan",
    ),
    "NUL in a group's name": (lambda r: setattr(r.groups[0], "name", "a\0"), "groups[0].name", "NUL"),
    "a group's name of 5,000 letters": (
        lambda r: setattr(r.groups[0], "name", "a" * 5000),
        "groups[0].name",
        "5000",
    ),
    "a world of nobody": (lambda r: setattr(r, "world_size", 0), "world_size", "0"),
    "a world of less": (lambda r: setattr(r, "world_size", -1), "world_size", "-1"),
    "a world of too many": (lambda r: setattr(r, "world_size", 2**31 - 1), "world_size", str(2**31 - 1)),
    "a rank outside its world": (lambda r: setattr(r, "rank", 2), "rank", "2"),
    "a negative rank": (lambda r: setattr(r, "rank", -1), "rank", "-1"),
    "an unknown on_existing": (lambda r: setattr(r, "on_existing", 99), "on_existing", "99"),
    "no definition": (lambda r: r.ClearField("definition"), "schedule", "missing"),
    "a definition of no kind": (
        lambda r: r.schedule.CopyFrom(schedule_pb2.Schedule()),
        "schedule",
        "step_lr",
    ),
    "a definition without its field": (
        lambda r: r.schedule.step_lr.ClearField("step_size"),
        "schedule.step_lr.step_size",
        "missing",
    ),
    "a member without its field": (
        second_member_without_size,
        "schedule.sequential_lr.schedulers[1].step_lr.step_size",
        "missing",
    ),
    "a unit of 33 letters": (lambda r: setattr(r, "unit", "e" * 33), "unit", "33"),
    "NUL in the unit": (lambda r: setattr(r, "unit", "epo\0ch"), "unit", "NUL"),
    "65 labels": (lambda r: r.labels.update({f"key{i}": "" for i in range(65)}), "labels", "65"),
    "a label's key with a space": (lambda r: r.labels.update({"a key": "b"}), "labels", "'a key'"),
    "an empty label's key": (lambda r: r.labels.update({"": "b"}), "labels", "''"),
    "a label's value of 257 letters": (
        lambda r: r.labels.update({"key": "a" * 257}),
        "labels['key']",
        "257",
    ),
    "NUL in a label": (lambda r: r.labels.update({"key": "a\0"}), "labels['key']", "NUL"),
    "NUL in a holder's label": (
        lambda r: r.holder_labels.update({"host": "a\0"}),
        "holder_labels['host']",
        "NUL",
    ),
    "a checkpoint of no run": (lambda r: set_checkpoint(r, run_uid=""), "checkpoint.run_uid", "missing"),
    "NUL in a checkpoint": (lambda r: set_checkpoint(r, run_uid="a\0"), "checkpoint.run_uid", "NUL"),
    "a checkpoint of a long uid": (
        lambda r: set_checkpoint(r, run_uid="a" * 65),
        "checkpoint.run_uid",
        "65",
    ),
    "a checkpoint at -1": (lambda r: set_checkpoint(r, step=-1), "checkpoint.step", "-1"),
    "a checkpoint at 2^63-1": (
        lambda r: set_checkpoint(r, step=2**63 - 1),
        "checkpoint.step",
        str(2**63 - 1),
    ),
    "an origin without a schedule": (lambda r: r.origin.SetInParent(), "origin.schedule", "no kind"),
}


@pytest.mark.parametrize(("change", "field", "shown"), BAD.values(), ids=BAD)
def test_a_start_that_makes_no_sense_is_refused(
    watched: Watched, change: Change, field: str, shown: str
) -> None:
    request = a_request()
    change(request)
    refusal = watched.refuses(lambda: watched.wire.runs.AcquireRun(request))
    assert (refusal.status, refusal.reason) == ("INVALID_ARGUMENT", "InvalidArgument")
    assert refusal.details == {"field": field}
    assert field in refusal.message
    assert shown in refusal.message


def test_a_start_that_makes_sense_is_granted(watched: Watched) -> None:
    """What the table above changes is all that is wrong there."""
    assert watched.wire.runs.AcquireRun(a_request()).created


def test_a_world_of_more_than_an_int32_is_refused(watched: Watched) -> None:
    data = a_request().SerializeToString() + number_field(6, 2**31)
    refusal = watched.refuses(lambda: watched.wire.send(f"{RUNS}AcquireRun", data))
    assert (refusal.status, refusal.details) == ("INVALID_ARGUMENT", {"field": "world_size"})


def test_an_unknown_stored_schedule_is_not_found(watched: Watched) -> None:
    name = jobs.new_name("schedule")
    request = messages.acquire_request(jobs.a_start(jobs.new_name(), schedule=name))
    refusal = watched.refuses(lambda: watched.wire.runs.AcquireRun(request))
    assert (refusal.status, refusal.reason) == ("NOT_FOUND", "ScheduleNotFound")
    assert refusal.details == {"schedule": name}
    assert repr(name) in refusal.message


def test_a_checkpoint_of_a_run_that_is_not_here_is_not_found(watched: Watched) -> None:
    request = a_request()
    set_checkpoint(request)
    refusal = watched.refuses(lambda: watched.wire.runs.AcquireRun(request))
    assert (refusal.status, refusal.reason) == ("NOT_FOUND", "RunNotFound")
    assert refusal.details == {"run": request.run, "run_uid": "0197-some-uid"}
    assert "on_missing='create'" in refusal.message


def test_a_schedule_that_cannot_start_is_a_failed_precondition(watched: Watched) -> None:
    """torch takes such members, so the definition is read; its constructor fails, so nothing starts."""
    first = S.MultiStepLR.unchecked(milestones=(0, 0), gamma=-1e200)
    request = messages.acquire_request(jobs.a_start(jobs.new_name(), schedule=first))
    refusal = watched.refuses(lambda: watched.wire.runs.AcquireRun(request))
    assert (refusal.status, refusal.reason) == ("FAILED_PRECONDITION", "ScheduleFails")
    assert "MultiStepLR" in refusal.message


@pytest.mark.parametrize("ours", [1, 3])
def test_another_number_of_param_groups_is_a_failed_precondition(watched: Watched, ours: int) -> None:
    two = jobs.begun(watched.client, groups=(jobs.a_group(0.1), jobs.a_group(0.2)))
    watched.client.finish_run(two.run)
    groups = tuple(jobs.a_group(0.1 * (1 + i)) for i in range(ours))
    request = messages.acquire_request(jobs.a_start(two.run, groups=groups, on_existing="takeover"))
    refusal = watched.refuses(lambda: watched.wire.runs.AcquireRun(request))
    assert (refusal.status, refusal.reason) == ("FAILED_PRECONDITION", "GroupsDiffer")
    assert refusal.details == {"run": two.run}
    assert f"the job has {ours}, the run 2" in refusal.message


def test_a_difference_in_long_names_is_told_all_the_same(watched: Watched) -> None:
    """Status and details travel in headers, of which gRPC takes 16 KiB: letters beyond ASCII weigh more."""
    place = jobs.begun(watched.client, groups=(jobs.a_group(name="\u5b66" * 4000),))
    request = messages.acquire_request(
        jobs.a_start(place.run, incarnation=place.incarnation, groups=(jobs.a_group(name="\u4e60" * 4000),))
    )
    refusal = watched.fails(lambda: watched.wire.runs.AcquireRun(request))
    assert (refusal.status, refusal.reason) == ("FAILED_PRECONDITION", "GroupsDiffer")
