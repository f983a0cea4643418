"""What every call gets, whatever it is: a status that tells no more than it should, and a line of log."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lrkeeper import Client, errors
from lrkeeper import schedules as S
from lrkeeper.schedules.table import Table
from lrkeeper.v1 import run_service_pb2
from lrkeeper.views import Group, Start
from tests.support import altered_server
from tests.support.server import ServerProcess

GET_RUN = "/lrkeeper.v1.RunService/GetRun"
REQUEST = run_service_pb2.GetRunRequest(run="run").SerializeToString()


def test_its_health_is_serving(server: ServerProcess) -> None:
    with grpc.insecure_channel(server.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        answer = health.Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def called_raw(server: ServerProcess, method: str, request: bytes) -> grpc.RpcError:
    """Return the error of a call with bytes of our own."""
    with grpc.insecure_channel(server.address) as channel:
        call: Callable[..., object] = channel.unary_unary(method)
        with pytest.raises(grpc.RpcError) as caught:
            call(request, timeout=10)
    return caught.value


@pytest.mark.parametrize("request_bytes", [b"\xff", b"\x0a\x7fshort", b"\x0a\x01\xff"])
def test_bytes_that_are_no_message_are_an_invalid_argument(
    server: ServerProcess, client: Client, request_bytes: bytes
) -> None:
    error = called_raw(server, GET_RUN, request_bytes)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "the request is no GetRunRequest message"
    client.get_server()


@pytest.mark.parametrize(
    "method",
    ["/lrkeeper.v1.RunService/Fly", "/lrkeeper.v1.Nothing/GetRun", "/lrkeeper.v1.RunService/get_run"],
)
def test_a_method_that_is_not_there_is_unimplemented(
    server: ServerProcess, client: Client, method: str
) -> None:
    error = called_raw(server, method, REQUEST)
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    client.get_server()


def logged(log: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_a_fault_of_the_server_shows_an_id_and_nothing_else(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    command = altered_server.command("get-run-fails")
    with (
        ServerProcess(tmp_path / "runs", log=log, command=command) as server,
        Client(server.address) as client,
    ):
        with pytest.raises(errors.Internal) as caught:
            client.get_run("run")
        fault = caught.value.details["id"]
        assert str(caught.value) == f"internal error id={fault}"
        error = called_raw(server, GET_RUN, REQUEST)
        assert error.code() is grpc.StatusCode.INTERNAL
        answered = f"{error.details()} {error.trailing_metadata()}"
        assert altered_server.SECRET not in answered
        assert "RuntimeError" not in answered
        client.get_server()
    (line,) = [line for line in logged(log) if line.get("id") == fault]
    assert altered_server.SECRET in str(line["exception"])


def requests_in(log: Path) -> list[dict[str, object]]:
    return [line for line in logged(log) if line["event"] == "request"]


def about(line: dict[str, object]) -> dict[str, object]:
    """Return what a line says that its request was about."""
    return {key: line[key] for key in ("run", "run_uid", "schedule") if key in line}


def test_every_request_is_one_line_of_log_without_what_it_says(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with ServerProcess(tmp_path / "runs", log=log) as server, Client(server.address) as client:
        client.create_schedule("plan", S.StepLR(step_size=7, gamma=0.123456789), reason="told in confidence")
        start = Start(
            run="run",
            incarnation="run-1",
            groups=(Group(None, "float64", {"lr": 0.1}, {"lr": 0.1}),),
            schedule="plan",
            labels={"team": "told in confidence"},
        )
        place = client.acquire_run(start)
        client.next_lr(place, 1, applied_step=0, revision=place.revision)
        with pytest.raises(errors.RunNotFound):
            client.get_run("told-nobody")
        client.preview_schedule("plan", 3)
        client.preview_schedule(S.StepLR(step_size=7, gamma=0.123456789), 3)
        client.get_server()
        called_raw(server, GET_RUN, b"\xff")
    requests = requests_in(log)
    assert [(line["method"], line["status"], about(line)) for line in requests] == [
        ("CreateSchedule", "OK", {"schedule": "plan"}),
        ("AcquireRun", "OK", {"run": "run"}),
        ("NextLr", "OK", {"run": "run", "run_uid": place.run_uid}),
        ("GetRun", "NOT_FOUND", {"run": "told-nobody"}),
        ("PreviewSchedule", "OK", {"schedule": "plan"}),
        ("PreviewSchedule", "OK", {}),
        ("GetServer", "OK", {}),
        ("GetRun", "INVALID_ARGUMENT", {}),
    ]
    assert all(isinstance(line["ms"], float) and line["ms"] > 0 for line in requests)
    assert "confidence" not in log.read_text()
    assert "0.123456789" not in log.read_text()


def test_the_lines_of_a_run_are_found_by_its_name_once_the_server_has_it_in_memory(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    start = Start("run", "run-1", (Group(None, "float64", {"lr": 0.1}, {"lr": 0.1}),), S.StepLR(step_size=7))
    with ServerProcess(tmp_path / "runs", log=log) as server, Client(server.address) as client:
        place = client.acquire_run(start)
        uid = place.run_uid
        elsewhere = replace(place, run_uid="no\"body's")
        client.report_deviation(place, Table.from_rows(1, [{"lr": (0.1,)}]), "hold")  # looks at no head
        with pytest.raises(errors.RunNotFound):
            client.next_lr(elsewhere, 1, applied_step=0, revision=1)
        client.next_lr(place, 1, applied_step=0, revision=1)
        with pytest.raises(errors.StepOutOfRange):
            client.next_lr(place, 1 << 52, applied_step=0, revision=1)
        client.report_deviation(place, Table.from_rows(1, [{"lr": (0.1,)}]), "hold")
        client.finish_run("run")
        client.next_lr(place, 1, applied_step=0, revision=1)
    assert [(line["method"], line["status"], about(line)) for line in requests_in(log)] == [
        ("AcquireRun", "OK", {"run": "run"}),
        ("ReportDeviation", "OK", {"run_uid": uid}),
        ("NextLr", "NOT_FOUND", {"run_uid": elsewhere.run_uid}),
        ("NextLr", "OK", {"run": "run", "run_uid": uid}),
        ("NextLr", "OUT_OF_RANGE", {"run": "run", "run_uid": uid}),
        ("ReportDeviation", "OK", {"run": "run", "run_uid": uid}),
        ("FinishRun", "OK", {"run": "run"}),
        ("NextLr", "OK", {"run": "run", "run_uid": uid}),
    ]
