"""A gRPC server between a client and a real one: it counts, delays, refuses, and alters answers."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc

from lrkeeper.schedules.table import Table
from lrkeeper.v1 import run_service_pb2, values_pb2
from tests.support.server import free_port

ANSWERS: dict[str, type[Any]] = {
    "NextLr": run_service_pb2.NextLrResponse,
    "AcquireRun": run_service_pb2.AcquireRunResponse,
}


class Relay(grpc.GenericRpcHandler):
    """Passes every call on to the server at an address, unless told otherwise."""

    def __init__(self, upstream: str) -> None:
        self._channel = grpc.insecure_channel(upstream, [("grpc.max_receive_message_length", 64 << 20)])
        self.address = ""
        self.calls: Counter[str] = Counter()
        """How often each method was called."""
        self.deadlines: dict[str, float | None] = {}
        """How long the client would wait for each method's last call, in seconds."""
        self.alter: dict[str, Callable[[Any], bytes | None]] = {}
        """By method: changes the answer, a message of `ANSWERS`, or returns what to send instead."""
        self.refuse: dict[str, list[grpc.StatusCode]] = {}
        """By method: what to answer the next calls with, instead of passing them on."""
        self.lose: dict[str, int] = {}
        """By method: how many of the next answers get lost, after the real server has acted."""
        self.hold: dict[str, threading.Event] = {}
        """By method: what to wait for, once the real server has answered."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        path = details.method
        method = path.rpartition("/")[2]

        def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
            self.calls[method] += 1
            remaining = context.time_remaining()
            self.deadlines[method] = remaining if remaining is not None and remaining < 1e6 else None
            if self.refuse.get(method):
                context.abort(self.refuse[method].pop(0), "as the test wants it")
            call: Any = self._channel.unary_unary(path)
            try:
                response: bytes = call(request, timeout=10.0)
            except grpc.RpcError as failure:
                error: Any = failure
                context.set_trailing_metadata(error.trailing_metadata() or ())
                context.abort(error.code(), error.details() or "")
            if self.lose.get(method):
                self.lose[method] -= 1
                context.abort(grpc.StatusCode.UNAVAILABLE, "lost on the way")
            if method in self.hold:
                self.hold[method].wait(30.0)
            if method in self.alter:
                message = ANSWERS[method].FromString(response)
                response = self.alter[method](message) or message.SerializeToString()
            return response

        return grpc.unary_unary_rpc_method_handler(answer)

    def await_both_ends(self) -> None:
        """Return once the server is connected, and a client would be."""
        with grpc.insecure_channel(self.address) as near:
            for channel in (self._channel, near):
                grpc.channel_ready_future(channel).result(60)

    def close(self) -> None:
        self._channel.close()


@contextmanager
def relay_to(upstream: str) -> Iterator[Relay]:
    """Run a relay on a port of its own."""
    relay = Relay(upstream)
    relay.address = f"127.0.0.1:{free_port()}"
    # Without reuseport, or the port could be another process's too.
    server = grpc.server(ThreadPoolExecutor(8), handlers=[relay], options=[("grpc.so_reuseport", 0)])
    server.add_insecure_port(relay.address)
    server.start()
    relay.await_both_ends()
    try:
        yield relay
    finally:
        for event in relay.hold.values():
            event.set()
        server.stop(None).wait()
        relay.close()


def sign(values: values_pb2.Values) -> None:
    """Make the checksum right for what the values have become."""
    columns = [column * values.count if len(column) == 8 else column for column in values.columns]
    index = values.index or range(len(columns))
    table = Table(
        values.first_step,
        values.count,
        tuple(values.tracks),
        values.groups,
        b"".join(columns[place] for place in index),
    )
    values.crc32 = table.crc
