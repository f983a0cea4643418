"""The one door of every RPC: parse, call, map errors, write one line of log."""

from __future__ import annotations

import asyncio
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import grpc
import structlog
from google.protobuf import any_pb2
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from lrkeeper.errors import DOMAIN, Internal, InvalidArgument, ServerError
from lrkeeper.server.logs import RequestLog

_log = structlog.get_logger("lrkeeper.request")

_MAX_MESSAGE = 2000  # status and details travel in headers, of which gRPC takes 16 KiB
_MAX_SHOWN = 128

Method = Callable[[Any], Awaitable[Message]]


def handlers(service: ServiceDescriptor, servicer: object, requests: RequestLog) -> grpc.GenericRpcHandler:
    """Return gRPC's handlers of a service whose methods are the servicer's, in snake case."""
    methods = {}
    for method in service.methods:
        call = getattr(servicer, _snake(method.name))
        methods[method.name] = grpc.unary_unary_rpc_method_handler(
            _door(method, call, requests),
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
    method: MethodDescriptor, call: Method, requests: RequestLog
) -> Callable[[Any, Any], Awaitable[Message]]:
    async def enter(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Message:
        started = time.perf_counter()
        status = "OK"
        try:
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
            _log.exception("fault", id=fault, method=method.name)
            await _abort(context, Internal(f"internal error id={fault}", id=fault))
        finally:
            requests.write(method.name, status, _shown(request), time.perf_counter() - started)
        raise AssertionError("abort raises")

    return enter


async def _abort(context: grpc.aio.ServicerContext[Any, Any], error: ServerError) -> None:
    message = str(error)[:_MAX_MESSAGE]
    info = error_details_pb2.ErrorInfo(reason=type(error).__name__, domain=DOMAIN)
    for name, value in error.details.items():
        info.metadata[name] = value[:_MAX_SHOWN]
    detail = any_pb2.Any()
    detail.Pack(info)
    code: grpc.StatusCode = getattr(grpc.StatusCode, error.status)
    status = status_pb2.Status(code=code.value[0], message=message, details=[detail])
    trailer = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(code, message, trailer)


def _shown(request: Any) -> str:
    """Return what a request is about: the run's or the schedule's name or uid."""
    for field in ("run_uid", "run", "name"):
        value = getattr(request, field, None)
        if isinstance(value, str) and value:
            return value[:_MAX_SHOWN]
    return ""
