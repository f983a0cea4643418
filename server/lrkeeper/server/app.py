"""The server put together: storage, use cases, services, the port; and how it goes down."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import signal
import socket
import sys
from collections.abc import Callable, Sequence

import grpc
import structlog
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from lrkeeper.server import dispatch
from lrkeeper.server.logs import RequestLog
from lrkeeper.server.servicers.run_service import RunServicer
from lrkeeper.server.servicers.schedule_service import ScheduleServicer
from lrkeeper.server.servicers.server_service import ServerServicer
from lrkeeper.server.storage.contract import Storage
from lrkeeper.server.storage.engine import lock, make_engine, parse_url, prepare_schema
from lrkeeper.server.storage.sql import SqlStorage
from lrkeeper.server.usecases.keeper import Keeper
from lrkeeper.server.usecases.schedules import finish_roll_outs
from lrkeeper.v1 import run_service_pb2, schedule_service_pb2, server_service_pb2

_log = structlog.get_logger("lrkeeper.server")

_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a second server on the port is an error, not a lottery
    ("grpc.max_receive_message_length", 4 << 20),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.keepalive_time_ms", 60_000),  # ends the connections of machines that have vanished
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.max_connection_age_grace_ms", 60_000),  # for calls under way when a connection is of age
)
MAX_CONNECTION_AGE = 1800.0
"""Seconds after which a client is asked to connect anew, give or take a tenth, so that clients spread over servers."""
_DRAIN_SECONDS = 10.0
_LAST_WORDS_SECONDS = 0.5  # for those who watch the health service, which end only when they are ended

_SERVICES = {
    schedule_service_pb2.DESCRIPTOR.services_by_name["ScheduleService"]: ScheduleServicer,
    run_service_pb2.DESCRIPTOR.services_by_name["RunService"]: RunServicer,
    server_service_pb2.DESCRIPTOR.services_by_name["ServerService"]: ServerServicer,
}


class CannotListen(Exception):
    """The address cannot be served; the message says why."""


class Server:
    """A running server on a storage. The caller closes the storage after `stop`.

    `more` are handlers served beside lrkeeper's own; `max_connection_age` is in seconds.
    """

    def __init__(
        self,
        storage: Storage,
        more: Sequence[grpc.GenericRpcHandler] = (),
        max_connection_age: float = MAX_CONNECTION_AGE,
    ) -> None:
        self._keeper = Keeper(storage)
        age = ("grpc.max_connection_age_ms", round(max_connection_age * 1000))
        self._grpc = grpc.aio.server(options=(*_OPTIONS, age))
        self._calls = dispatch.Calls()
        requests = RequestLog(sys.stderr)
        for service, servicer in _SERVICES.items():
            handler = dispatch.handlers(
                service, servicer(self._keeper), self._calls, requests, self._keeper.run_name
            )
            self._grpc.add_generic_rpc_handlers((handler,))
        self._grpc.add_generic_rpc_handlers(tuple(more))
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)

    async def start(self, listen: str) -> str:
        """Serve on an address (port 0: any free one) and return it. Raises CannotListen."""
        if listen.startswith("unix:") and _is_served(listen.removeprefix("unix:")):
            raise CannotListen(f"cannot listen on {listen}: another process serves there")
        try:
            port = self._grpc.add_insecure_port(listen)
        except RuntimeError as error:
            raise CannotListen(f"cannot listen on {listen}: is another process using it?") from error
        await self._grpc.start()
        unfinished = await finish_roll_outs(self._keeper)
        if unfinished:
            _log.info("schedule updates finished", count=unfinished)
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)
        return listen if listen.startswith("unix:") else f"{listen.rpartition(':')[0]}:{port}"

    async def stop(self) -> None:
        """Refuse new calls, finish those under way, and end."""
        await self._health.enter_graceful_shutdown()
        await self._calls.drain(_DRAIN_SECONDS)
        await self._keeper.close()
        await self._grpc.stop(_LAST_WORDS_SECONDS)


def is_loopback(listen: str) -> bool:
    """Return whether an address can be reached from this machine only."""
    if listen.startswith("unix:"):
        return True
    host = listen.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_served(path: str) -> bool:
    """Return whether a process accepts connections on a socket's path. gRPC would take the path from it."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
        return True


def settle_garbage() -> None:
    """Have Python's garbage collector look less often, and not at what is there for good.

    A request makes hundreds of objects that end with it, without cycles: looking through all of the
    server's objects for each few hundred of them took 8 % of its time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def serve(
    listen: str,
    database_url: str,
    announce: Callable[[str], None],
    max_connection_age: float = MAX_CONNECTION_AGE,
) -> None:
    """Serve until SIGTERM or SIGINT; `announce` is called with the address once it serves.

    Raises CannotOpen and CannotListen.
    """
    url = parse_url(database_url)
    taken = lock(url)
    try:
        engine = make_engine(url)
        prepare_schema(engine)
        storage = SqlStorage(engine)
        settle_garbage()
        try:
            asyncio.run(_serve(storage, listen, announce, max_connection_age))
        finally:
            storage.close()
    finally:
        if taken is not None:
            taken.release()


async def _serve(storage: Storage, listen: str, announce: Callable[[str], None], age: float) -> None:
    server = Server(storage, max_connection_age=age)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    address = await server.start(listen)
    _log.info("listening", address=address, database=storage.kind)
    announce(address)
    await ended.wait()
    _log.info("draining")
    await server.stop()
    _log.info("stopped")
