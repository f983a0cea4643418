"""A gRPC channel with its stubs: sync, so that a process may fork once it is closed."""

from __future__ import annotations

import grpc

from lrkeeper.v1.run_service_pb2_grpc import RunServiceStub
from lrkeeper.v1.schedule_service_pb2_grpc import ScheduleServiceStub
from lrkeeper.v1.server_service_pb2_grpc import ServerServiceStub

_OPTIONS = (
    ("grpc.max_receive_message_length", 64 << 20),  # a listing of large runs
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 5_000),  # how long a connection may take to be made, despite the name
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.use_local_subchannel_pool", 1),  # or a new channel would get the old one's connection
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
)


class Channel:
    """A channel to a server, and a stub for each service."""

    def __init__(self, server: str) -> None:
        self._channel = grpc.insecure_channel(server, options=_OPTIONS)
        self.runs = RunServiceStub(self._channel)
        self.schedules = ScheduleServiceStub(self._channel)
        self.about = ServerServiceStub(self._channel)
        self.cut = False
        """Whether it was closed under its calls, which may be made again on another."""

    def close(self) -> None:
        """End it: its calls fail as cancelled, and there can be no more."""
        self.cut = True
        self._channel.close()
