"""A server's methods without a client in between, and what a refused call says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2_grpc

from lrkeeper.v1.run_service_pb2_grpc import RunServiceStub
from lrkeeper.v1.schedule_service_pb2_grpc import ScheduleServiceStub

DEADLINE_SECONDS = 30.0
RUNS = "/lrkeeper.v1.RunService/"
SCHEDULES = "/lrkeeper.v1.ScheduleService/"


@dataclass(frozen=True)
class Refusal:
    """A call's status and message; reason, domain and details are empty if it carries no ErrorInfo."""

    status: str
    message: str
    reason: str = ""
    domain: str = ""
    details: Mapping[str, str] | None = None


class Wire:
    """Raw stubs of a server's services, and calls of any path with any bytes."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address)
        self.runs = RunServiceStub(self.channel)
        self.schedules = ScheduleServiceStub(self.channel)
        self.health = health_pb2_grpc.HealthStub(self.channel)

    def send(self, path: str, data: bytes = b"") -> bytes:
        """Return the answer's bytes to a request's bytes."""
        answer: bytes = self.channel.unary_unary(path)(data, timeout=DEADLINE_SECONDS)
        return answer

    def send_many(self, path: str, messages: Iterable[bytes]) -> bytes:
        """Return the answer's bytes to a call with more messages than the method takes."""
        answer: bytes = self.channel.stream_unary(path)(iter(messages), timeout=DEADLINE_SECONDS)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.channel.close()


def refusal(call: Callable[[], object]) -> Refusal:
    """Return what a call that must fail says."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    error: Any = caught.value
    status, message = error.code().name, error.details() or ""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            (detail,) = status_pb2.Status.FromString(value).details
            info = error_details_pb2.ErrorInfo()
            assert detail.Unpack(info)
            return Refusal(status, message, info.reason, info.domain, dict(info.metadata))
    return Refusal(status, message)


def field(number: int, content: bytes | str) -> bytes:
    """Return a length-delimited field as protobuf writes it: a string, bytes or a message."""
    data = content.encode() if isinstance(content, str) else content
    return varint(number << 3 | 2) + varint(len(data)) + data


def number_field(number: int, value: int) -> bytes:
    """Return a varint field; a negative value as protobuf writes it."""
    return varint(number << 3) + varint(value % (1 << 64))


def varint(value: int) -> bytes:
    """Return a number as protobuf writes it."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
