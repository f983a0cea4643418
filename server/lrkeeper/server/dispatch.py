"""The one door of every RPC: parse, call, map errors, write one line of log."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import lru_cache
from typing import Any, cast

import grpc
import structlog
from google.protobuf import any_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from lrkeeper.errors import DOMAIN, Internal, InvalidArgument, ServerError, ServerStopping
from lrkeeper.server.logs import RequestLog, as_json

_log = structlog.get_logger("lrkeeper.request")

_MAX_MESSAGE = 2000  # status and details travel in headers, of which gRPC takes 16 KiB
_MAX_SHOWN = 128
_MAX_DETAILS = 16
_RUNS_SHOWN = 10_000  # as many as are kept in memory

Method = Callable[[Any], Awaitable[Message]]


class Calls:
    """The calls under way in a server. gRPC's own drain leaves calls that come during it hanging to its end."""

    def __init__(self) -> None:
        self._under_way = 0
        self._stopping = False
        self._none_left = asyncio.Event()

    def begin(self) -> None:
        """Count a call."""
        self._under_way += 1

    def end(self) -> None:
        """Count a call as answered."""
        self._under_way -= 1
        if self._stopping and not self._under_way:
            self._none_left.set()

    def check_open(self) -> None:
        """Raise ServerStopping once the server drains."""
        if self._stopping:
            raise ServerStopping("the server is going down; the request may be repeated")

    async def drain(self, seconds: float) -> None:
        """Refuse new calls, and return when none is under way or the time is over."""
        self._stopping = True
        if self._under_way:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._none_left.wait(), seconds)


def handlers(
    service: ServiceDescriptor,
    servicer: object,
    calls: Calls,
    requests: RequestLog,
    run_name: Callable[[str], str],
) -> grpc.GenericRpcHandler:
    """Return gRPC's handlers of a service whose methods are the servicer's, in snake case.

    `run_name` gives the name of a run's uid, or an empty text.
    """
    methods = {}
    for method in service.methods:
        call = getattr(servicer, _snake(method.name))
        methods[method.name] = grpc.unary_unary_rpc_method_handler(
            _door(method, call, calls, requests, _about(method, run_name)),
            request_deserializer=_parser(method),
            response_serializer=cast(Any, GetMessageClass(method.output_type)).SerializeToString,
        )
    return grpc.method_handlers_generic_handler(service.full_name, methods)


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def _parser(method: MethodDescriptor) -> Callable[[bytes], Message | None]:
    """Return a parser that gives None for bytes that are no such message; gRPC would say UNKNOWN."""
    parse = cast(Any, GetMessageClass(method.input_type)).FromString

    def parse_or_none(data: bytes) -> Message | None:
        try:
            return cast(Message, parse(data))
        except DecodeError:
            return None

    return parse_or_none


def _door(
    method: MethodDescriptor, call: Method, calls: Calls, requests: RequestLog, about: Callable[[Any], str]
) -> Callable[[Any, Any], Awaitable[Message]]:
    name = method.name

    async def enter(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
        started = time.perf_counter()
        status = "OK"
        calls.begin()
        try:
            calls.check_open()
            if request is None:
                raise InvalidArgument(f"the request is no {method.input_type.name} message", field="")
            return await call(request)
        except ServerError as error:
            status = error.status
            await _abort(context, error)
        except asyncio.CancelledError:
            status = "CANCELLED"
            raise
        except Exception:
            status = "INTERNAL"
            fault = secrets.token_hex(8)
            _log.exception("fault", id=fault, method=name)
            await _abort(context, Internal(f"internal error id={fault}", id=fault))
        finally:
            calls.end()
            requests.write(
                name, status, "" if request is None else about(request), time.perf_counter() - started
            )
        raise AssertionError("abort raises")

    return enter


async def _abort(context: grpc.aio.ServicerContext[Any, Any], error: ServerError) -> None:
    message = _cut(str(error), _MAX_MESSAGE)
    info = error_details_pb2.ErrorInfo(reason=type(error).__name__, domain=DOMAIN)
    for name, value in list(error.details.items())[:_MAX_DETAILS]:
        info.metadata[name] = _cut(value, _MAX_SHOWN)
    detail = any_pb2.Any()
    detail.Pack(info)
    code: grpc.StatusCode = getattr(grpc.StatusCode, error.status)
    status = status_pb2.Status(code=code.value[0], message=message, details=[detail])
    trailer = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(code, message, trailer)


def _about(method: MethodDescriptor, run_name: Callable[[str], str]) -> Callable[[Any], str]:
    """Return what tells, as members of a JSON object, which run or schedule a method's requests are about."""
    fields = method.input_type.fields_by_name
    if "run_uid" in fields:
        return lambda request: _run_shown(run_name(request.run_uid), request.run_uid[:_MAX_SHOWN])
    if "run" in fields:
        return lambda request: _shown("run", request.run)
    if "name" in fields:
        return lambda request: _shown("schedule", request.name)
    return lambda _: ""


@lru_cache(_RUNS_SHOWN)  # this is on the hot path
def _run_shown(name: str, uid: str) -> str:
    return _shown("run", name) + _shown("run_uid", uid)


def _shown(key: str, value: str) -> str:
    return f'"{key}": {as_json(value[:_MAX_SHOWN])}, ' if value else ""


def _cut(text: str, size: int) -> str:
    """Return what of a text has at most so many bytes."""
    return text.encode(errors="replace")[:size].decode(errors="ignore")
