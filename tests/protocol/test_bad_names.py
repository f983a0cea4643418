"""Names that are none: whatever they would do elsewhere, they stay out."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from google.protobuf.message import Message

from lrkeeper import messages
from lrkeeper import schedules as S
from lrkeeper.schedules import codec
from lrkeeper.v1 import run_pb2, run_service_pb2, schedule_service_pb2
from tests.protocol import jobs
from tests.protocol.watched import Watched
from tests.protocol.wire import Wire

BAD = {
    "empty": "",
    "a dot": ".",
    "two dots": "..",
    "spaces": "   ",
    "a space within": "run 1",
    "a newline at the end": "run\n",
    "NUL": "run\0",
    "a path": "../../etc/passwd",
    "an absolute path": "/etc/passwd",
    "an encoded path": "..%2f",
    "a twice encoded dot": "%252e",
    "a Windows path": "\\..\\",
    "a shell's separator": "a;b",
    "SQL": "'; DROP TABLE runs;--",
    "a wildcard": "%",
    "another wildcard": "_",
    "a device": "con",
    "a device in capitals": "NUL",
    "a leading dash": "-rf",
    "right to left": "\u202egnp.exe",
    "zero width": "run\u200b1",
    "a homoglyph": "r\u0443n",
    "not normalised": "re\u0301sume",
    "another script's digits": "run\u0661",
    "full width": "\uff52un",
    "an escape": "\x1b[31mrun",
    "one too long": "a" * 129,
    "much too long": "a" * (1 << 20),
}

Call = tuple[Callable[[Wire], Callable[..., object]], str, Callable[[str], Message]]


def with_name(value: str) -> run_service_pb2.AcquireRunRequest:
    request = messages.acquire_request(jobs.a_start(jobs.new_name()))
    request.run = value
    return request


def with_incarnation(value: str) -> run_service_pb2.AcquireRunRequest:
    request = messages.acquire_request(jobs.a_start(jobs.new_name()))
    request.incarnation = value
    return request


def following(value: str) -> run_service_pb2.AcquireRunRequest:
    request = messages.acquire_request(jobs.a_start(jobs.new_name()))
    request.schedule_name = value
    return request


def edit(run: str, replace: run_pb2.Replace) -> run_service_pb2.EditRunRequest:
    return run_service_pb2.EditRunRequest(
        run=run,
        request_id="8f14e45f-ceea-467f-a0e6-0a7d5c9a3b11",
        expected_revision=1,
        replace=replace,
        reason="to see it refused",
    )


DEFINITION = codec.encode(S.StepLR(3))

CALLS: dict[str, Call] = {
    "AcquireRun.run": (lambda w: w.runs.AcquireRun, "run", with_name),
    "AcquireRun.incarnation": (lambda w: w.runs.AcquireRun, "incarnation", with_incarnation),
    "AcquireRun.schedule_name": (lambda w: w.runs.AcquireRun, "schedule_name", following),
    "EditRun.run": (
        lambda w: w.runs.EditRun,
        "run",
        lambda value: edit(value, run_pb2.Replace(schedule=DEFINITION)),
    ),
    "GetRun.run": (lambda w: w.runs.GetRun, "run", lambda v: run_service_pb2.GetRunRequest(run=v)),
    "ListBlocks.run": (
        lambda w: w.runs.ListBlocks,
        "run",
        lambda v: run_service_pb2.ListBlocksRequest(run=v),
    ),
    "Explain.run": (lambda w: w.runs.Explain, "run", lambda v: run_service_pb2.ExplainRequest(run=v)),
    "FinishRun.run": (lambda w: w.runs.FinishRun, "run", lambda v: run_service_pb2.FinishRunRequest(run=v)),
    "DeleteRun.run": (
        lambda w: w.runs.DeleteRun,
        "run",
        lambda v: run_service_pb2.DeleteRunRequest(run=v, force=True),
    ),
    "CreateSchedule.name": (
        lambda w: w.schedules.CreateSchedule,
        "name",
        lambda v: schedule_service_pb2.CreateScheduleRequest(name=v, schedule=DEFINITION),
    ),
    "GetSchedule.name": (
        lambda w: w.schedules.GetSchedule,
        "name",
        lambda v: schedule_service_pb2.GetScheduleRequest(name=v),
    ),
    "UpdateSchedule.name": (
        lambda w: w.schedules.UpdateSchedule,
        "name",
        lambda v: schedule_service_pb2.UpdateScheduleRequest(name=v, schedule=DEFINITION, etag="some/1"),
    ),
    "DeleteSchedule.name": (
        lambda w: w.schedules.DeleteSchedule,
        "name",
        lambda v: schedule_service_pb2.DeleteScheduleRequest(name=v),
    ),
    "PreviewSchedule.name": (
        lambda w: w.schedules.PreviewSchedule,
        "name",
        lambda v: schedule_service_pb2.PreviewScheduleRequest(name=v, steps=1),
    ),
}


def refuse(watched: Watched, call: str, value: str) -> str:
    """See a call refuse a name; return the message."""
    method, field, request = CALLS[call]
    refusal = watched.refuses(lambda: method(watched.wire)(request(value)))
    assert (refusal.status, refusal.reason) == ("INVALID_ARGUMENT", "InvalidArgument")
    assert refusal.details == {"field": field}
    assert refusal.message.startswith(f"{field} is ")
    return refusal.message


@pytest.mark.parametrize("value", BAD.values(), ids=BAD)
@pytest.mark.parametrize("call", ["AcquireRun.run", "AcquireRun.incarnation", "CreateSchedule.name"])
def test_a_bad_name_is_refused_and_shown(watched: Watched, call: str, value: str) -> None:
    message = refuse(watched, call, value)
    if len(value) <= 128:
        assert repr(value) in message
    else:
        assert f"({len(value)} characters)" in message
        assert len(message) < 500


@pytest.mark.parametrize("value", ["", "../../etc/passwd", "run\0"], ids=["empty", "a path", "NUL"])
@pytest.mark.parametrize("call", CALLS)
def test_every_name_of_every_call_is_looked_at(watched: Watched, call: str, value: str) -> None:
    refuse(watched, call, value)


def test_the_name_of_a_stored_schedule_in_an_edit_is_looked_at(watched: Watched) -> None:
    request = edit(watched.run, run_pb2.Replace(schedule_name="../../etc/passwd"))
    refusal = watched.refuses(lambda: watched.wire.runs.EditRun(request))
    assert refusal.details == {"field": "replace.schedule_name"}


@pytest.mark.parametrize("name", ["a", "0", "A" * 128, "ResNet50-seed1", "a.b_c-d", "console", "v1.2..3"])
def test_a_good_name_is_taken_as_it_is(watched: Watched, name: str) -> None:
    place = watched.client.acquire_run(jobs.a_start(name))
    assert watched.client.get_run(name).name == place.run == name
    watched.client.delete_run(name, force=True)


def test_names_differ_by_case(watched: Watched) -> None:
    name = jobs.new_name("Case")
    upper, lower = (watched.client.acquire_run(jobs.a_start(n)) for n in (name, name.lower()))
    assert upper.run_uid != lower.run_uid


@pytest.mark.parametrize("value", ["%", "_", "t%", "' OR 1=1 --"])
def test_a_label_filter_takes_its_value_by_the_letter(watched: Watched, value: str) -> None:
    team = jobs.new_name("team")
    jobs.begun(watched.client, labels={team: "tea"})
    assert list(watched.client.list_runs(labels={team: value})) == []
    assert len(list(watched.client.list_runs(labels={team: "tea"}))) == 1
    ours = jobs.begun(watched.client, labels={team: value})
    assert [run.uid for run in watched.client.list_runs(labels={team: value})] == [ours.run_uid]
