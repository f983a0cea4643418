"""What every call gets, whatever it is: a status that tells no more than it should, and a line of log."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lrkeeper import Client, errors
from lrkeeper import schedules as S
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
    lines = logged(log)
    requests = [line for line in lines if line["event"] == "request"]
    assert [(line["method"], line["status"], line["run"]) for line in requests] == [
        ("CreateSchedule", "OK", "plan"),
        ("AcquireRun", "OK", "run"),
        ("NextLr", "OK", place.run_uid),
        ("GetRun", "NOT_FOUND", "told-nobody"),
    ]
    assert all(isinstance(line["ms"], float) and line["ms"] > 0 for line in requests)
    assert "confidence" not in log.read_text()
    assert "0.123456789" not in log.read_text()
