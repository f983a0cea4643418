"""Bytes that are no request, requests of a newer or a broken client, and how gRPC itself fares."""

from __future__ import annotations

import pytest
from grpc_health.v1 import health_pb2

from lrkeeper import messages
from lrkeeper import schedules as S
from lrkeeper.schedules import codec
from lrkeeper.v1 import run_service_pb2, schedule_pb2, schedule_service_pb2, server_service_pb2
from tests.protocol import jobs
from tests.protocol.stored import contents, rows
from tests.protocol.watched import Watched
from tests.protocol.wire import RUNS, SCHEDULES, field, number_field

METHODS = [
    f"/{service.full_name}/{method.name}"
    for file, name in (
        (run_service_pb2, "RunService"),
        (schedule_service_pb2, "ScheduleService"),
        (server_service_pb2, "ServerService"),
    )
    for service in [file.DESCRIPTOR.services_by_name[name]]
    for method in service.methods
]


@pytest.mark.parametrize(
    "path", [f"{RUNS}RollBackTime", "/lrkeeper.v1.NoService/GetRun", "/", "", "GetRun", "/lrkeeper.v1"]
)
def test_an_unknown_method_is_unimplemented(watched: Watched, path: str) -> None:
    assert watched.fails(lambda: watched.wire.send(path)).status == "UNIMPLEMENTED"


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", id="noise"),
        pytest.param(b"\x00", id="field-zero"),
        pytest.param(field(1, "a-run")[:-1], id="truncated"),
        pytest.param(b"\x0b", id="group-never-ended"),
    ],
)
@pytest.mark.parametrize("path", METHODS)
def test_bytes_that_are_no_message_are_an_invalid_argument(watched: Watched, path: str, data: bytes) -> None:
    refusal = watched.refuses(lambda: watched.wire.send(path, data))
    assert (refusal.status, refusal.reason) == ("INVALID_ARGUMENT", "InvalidArgument")
    assert f"no {path.rpartition('/')[2]}Request message" in refusal.message


@pytest.mark.parametrize(
    "path", [f"{RUNS}AcquireRun", f"{RUNS}EditRun", f"{RUNS}NextLr", f"{SCHEDULES}CreateSchedule"]
)
def test_text_that_is_no_utf8_is_an_invalid_argument(watched: Watched, path: str) -> None:
    refusal = watched.refuses(lambda: watched.wire.send(path, field(1, b"run-\xff\xfe")))
    assert (refusal.status, refusal.reason) == ("INVALID_ARGUMENT", "InvalidArgument")


def nested(levels: int) -> bytes:
    """Return a schedule that holds a schedule that holds …: messages, twice as many as levels."""
    inner = field(1, b"")
    for _ in range(levels):
        inner = field(3, field(1, inner))
    return inner


@pytest.mark.parametrize("levels", [24, 49, 75, 2500])
def test_a_deeply_nested_schedule_is_an_invalid_argument(watched: Watched, levels: int) -> None:
    data = field(1, jobs.new_name("schedule")) + field(2, nested(levels))
    refusal = watched.refuses(lambda: watched.wire.send(f"{SCHEDULES}CreateSchedule", data))
    assert (refusal.status, refusal.reason) == ("INVALID_ARGUMENT", "InvalidArgument")


@pytest.mark.parametrize(
    ("path", "missing"),
    [
        (f"{RUNS}AcquireRun", "run"),
        (f"{RUNS}NextLr", "run_uid"),
        (f"{RUNS}EditRun", "operation"),
        (f"{RUNS}GetRun", "run"),
        (f"{RUNS}ListBlocks", "run"),
        (f"{RUNS}Explain", "run"),
        (f"{RUNS}FinishRun", "run"),
        (f"{RUNS}DeleteRun", "run"),
        (f"{SCHEDULES}CreateSchedule", "name"),
        (f"{SCHEDULES}GetSchedule", "name"),
        (f"{SCHEDULES}UpdateSchedule", "etag"),
        (f"{SCHEDULES}DeleteSchedule", "name"),
        (f"{SCHEDULES}PreviewSchedule", "schedule"),
    ],
)
def test_an_empty_message_lacks_a_field_that_is_named(watched: Watched, path: str, missing: str) -> None:
    refusal = watched.refuses(lambda: watched.wire.send(path))
    assert (refusal.status, refusal.details) == ("INVALID_ARGUMENT", {"field": missing})
    assert missing in refusal.message


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(number_field(1, 7), id="a number"),
        pytest.param(b"\x09" + b"abcdefgh", id="eight bytes"),
        pytest.param(b"\x0d" + b"abcd", id="four bytes"),
    ],
)
def test_a_field_of_the_wrong_wire_type_is_missing(watched: Watched, wrong: bytes) -> None:
    refusal = watched.refuses(lambda: watched.wire.send(f"{RUNS}GetRun", wrong))
    assert (refusal.status, refusal.details) == ("INVALID_ARGUMENT", {"field": "run"})


def test_an_unknown_field_is_ignored(watched: Watched) -> None:
    answer = watched.wire.send(
        f"{RUNS}GetRun", field(1, watched.run) + field(1000, "of a newer client") + number_field(1001, 7)
    )
    assert run_service_pb2.GetRunResponse.FromString(answer).run.name == watched.run


def test_of_two_kinds_in_one_schedule_the_last_counts(watched: Watched) -> None:
    step_lr = schedule_pb2.Schedule(step_lr=schedule_pb2.StepLR(step_size=3)).SerializeToString()
    multi_step_lr = schedule_pb2.Schedule(
        multi_step_lr=schedule_pb2.MultiStepLR(milestones=[1, 2])
    ).SerializeToString()

    def preview(definition: bytes) -> S.Schedule:
        answer = watched.wire.send(f"{SCHEDULES}PreviewSchedule", field(1, definition) + number_field(3, 5))
        return codec.decode(schedule_service_pb2.PreviewScheduleResponse.FromString(answer).schedule)

    assert preview(step_lr + multi_step_lr) == S.MultiStepLR(milestones=[1, 2])
    assert preview(multi_step_lr + step_lr) == S.StepLR(step_size=3)


@pytest.mark.parametrize(
    ("path", "place", "name"),
    [
        (f"{SCHEDULES}CreateSchedule", 2, "schedule"),
        (f"{SCHEDULES}PreviewSchedule", 1, "schedule"),
        (f"{SCHEDULES}UpdateSchedule", 2, "schedule"),
    ],
)
def test_a_kind_of_schedule_that_a_newer_client_knows_is_refused_with_those_known_here(
    watched: Watched, path: str, place: int, name: str
) -> None:
    request = field(1, "a-schedule") + field(3, "some/1") if place == 2 else number_field(3, 5)
    data = request + field(place, field(99, b"cosine"))
    refusal = watched.refuses(lambda: watched.wire.send(path, data))
    assert (refusal.status, refusal.details) == ("INVALID_ARGUMENT", {"field": name})
    for kind in codec.KINDS:
        assert kind in refusal.message


def test_the_last_of_two_kinds_is_the_one_checked(watched: Watched) -> None:
    good = schedule_pb2.Schedule(step_lr=schedule_pb2.StepLR(step_size=3)).SerializeToString()
    bad = schedule_pb2.Schedule(multi_step_lr=schedule_pb2.MultiStepLR(milestones=[2, 1])).SerializeToString()
    data = field(1, jobs.new_name("schedule")) + field(2, good + bad)
    refusal = watched.refuses(lambda: watched.wire.send(f"{SCHEDULES}CreateSchedule", data))
    assert refusal.details == {"field": "schedule.multi_step_lr"}


@pytest.mark.parametrize("size", [5 << 20, 9 << 20])
def test_a_message_of_megabytes_is_refused_by_grpc(watched: Watched, size: int) -> None:
    data = field(1, jobs.new_name("schedule")) + field(4, "a" * size)
    call = watched.fails(lambda: watched.wire.send(f"{SCHEDULES}CreateSchedule", data))
    assert call.status == "RESOURCE_EXHAUSTED"


@pytest.mark.parametrize("timeout", [-1])
def test_a_call_without_time_exceeds_its_deadline(watched: Watched, timeout: float) -> None:
    request = schedule_service_pb2.CreateScheduleRequest(
        name=jobs.new_name("schedule"), schedule=codec.encode(S.StepLR(3))
    )
    refusal = watched.fails(lambda: watched.wire.schedules.CreateSchedule(request, timeout=timeout))
    assert refusal.status == "DEADLINE_EXCEEDED"


def test_of_two_messages_in_one_call_at_most_the_first_acts(watched: Watched) -> None:
    names = [jobs.new_name("schedule") for _ in range(2)]
    both = [
        schedule_service_pb2.CreateScheduleRequest(
            name=name, schedule=codec.encode(S.StepLR(3))
        ).SerializeToString()
        for name in names
    ]
    answer = watched.wire.send_many(f"{SCHEDULES}CreateSchedule", both)
    assert schedule_service_pb2.CreateScheduleResponse.FromString(answer).schedule.name == names[0]
    assert rows(watched.server, "SELECT name FROM schedules WHERE name IN (?, ?)", *names) == [(names[0],)]


def test_the_same_step_twice_in_one_call_is_one_step(watched: Watched) -> None:
    place = watched.place
    request = run_service_pb2.NextLrRequest(
        run_uid=place.run_uid,
        store_epoch=place.store_epoch,
        fence=place.fence,
        branch=place.branch,
        from_step=4,
        count=1,
        applied_step=3,
    ).SerializeToString()
    answer = run_service_pb2.NextLrResponse.FromString(
        watched.wire.send_many(f"{RUNS}NextLr", [request, request])
    )
    assert answer.frontier == watched.client.get_run(watched.run).frontier == 5


def test_health_answers_for_the_server_and_not_for_what_is_not_there(watched: Watched) -> None:
    answer = watched.wire.health.Check(health_pb2.HealthCheckRequest(service=""))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    request = health_pb2.HealthCheckRequest(service="nope")
    assert watched.fails(lambda: watched.wire.health.Check(request)).status == "NOT_FOUND"


def test_a_refused_start_leaves_not_even_a_name(watched: Watched) -> None:
    start = jobs.a_start(jobs.new_name(), groups=(jobs.a_group(), jobs.a_group(float("nan"))))
    watched.refuses(lambda: watched.wire.runs.AcquireRun(messages.acquire_request(start)))
    assert start.run not in repr(contents(watched.server))
