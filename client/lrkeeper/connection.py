"""The wire: a sync channel, a deadline on every call, retries where they are safe, errors by reason.

Sync on purpose: DataLoader workers fork, which a sync channel survives and an aio channel in the parent
does not.
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable
from typing import Any, TypeVar

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from lrkeeper import errors
from lrkeeper.v1.run_service_pb2_grpc import RunServiceStub
from lrkeeper.v1.schedule_service_pb2_grpc import ScheduleServiceStub
from lrkeeper.v1.server_service_pb2_grpc import ServerServiceStub

_log = logging.getLogger("lrkeeper")

_OPTIONS = (
    ("grpc.max_receive_message_length", 64 << 20),  # a listing of large runs
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 5_000),  # how long a connection may take to be made, despite the name
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.use_local_subchannel_pool", 1),  # or a new channel would get the old one's connection
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
)
_LOUD_AFTER = 5.0
_LONGEST_PAUSE = 1.0

R = TypeVar("R")


class Connection:
    """A channel to one server. Made new after two deadlines in a row: a half-open one never heals."""

    def __init__(self, server: str, timeout: float) -> None:
        self.server = server
        self._timeout = timeout
        self._pid = os.getpid()
        self._late = 0
        self._open()

    def _open(self) -> None:
        self._channel = grpc.insecure_channel(self.server, options=_OPTIONS)
        self.runs = RunServiceStub(self._channel)
        self.schedules = ScheduleServiceStub(self._channel)
        self.about = ServerServiceStub(self._channel)

    def close(self) -> None:
        """Close the channel; calls raise from now on."""
        if os.getpid() == self._pid:
            self._channel.close()

    def call(
        self,
        method: Callable[[Connection], Callable[..., R]],
        request: Any,
        *,
        timeout: float | None = None,
        patience: float = 0.0,
    ) -> R:
        """Return the answer to a request.

        Args:
            method: picks the stub's method, e.g. `lambda c: c.runs.NextLr`.
            request: its message.
            timeout: seconds the server has for one try.
            patience: seconds to go on trying while the server cannot be reached.

        Raises:
            ServerError: what the server answered, as the class of its reason.
            ServerUnavailable, DeadlineExceeded, UnknownStatus: there was no such answer.
            UsedAfterFork: this process was forked after the connection was made.
        """
        if os.getpid() != self._pid:
            raise errors.UsedAfterFork(
                f"this lrkeeper client belongs to process {self._pid}, and this is {os.getpid()}, forked from "
                "it; make a client of its own in each process"
            )
        started = time.monotonic()
        tries = 0
        while True:
            try:
                answer = method(self)(request, timeout=timeout or self._timeout)
            except grpc.RpcError as error:
                failure = self._failure(error)
            else:
                self._late = 0
                return answer
            waited = time.monotonic() - started
            passing = isinstance(failure, errors.ServerUnavailable) or failure.status == "UNAVAILABLE"
            if not passing or waited >= patience:
                try:
                    raise failure
                finally:
                    del failure  # or error and frame hold each other, and the scheduler with them
            if tries and waited > _LOUD_AFTER and tries % 16 == 0:
                _log.warning("%s; waiting for it (%.0f of %.0f s)", failure, waited, patience)
            # Jitter, so that a thousand clients do not come back as one.
            pause = random.uniform(0.2, 1.0) * min(_LONGEST_PAUSE, 0.02 * 2**tries)  # noqa: S311
            time.sleep(min(pause, patience - waited))
            tries = min(tries + 1, 64)

    def _failure(self, error: grpc.RpcError) -> errors.LrkeeperError:
        """Return the error of a failed call."""
        code, text = error.code(), error.details() or ""
        reason = _reason(error, text)
        if reason is not None:
            return reason
        # CANCELLED is what gRPC says of calls that a server's end cuts short.
        if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
            return errors.ServerUnavailable(
                f"the lrkeeper server at {self.server} cannot be reached", server=self.server
            )
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            self._late += 1
            if self._late >= 2:
                self._channel.close()
                self._open()
                self._late = 0
            return errors.DeadlineExceeded(
                f"the lrkeeper server at {self.server} did not answer within its deadline", server=self.server
            )
        return errors.UnknownStatus(
            f"the server at {self.server} answered {code.name}: {text}", status=code.name
        )


def _reason(error: grpc.RpcError, text: str) -> errors.ServerError | None:
    """Return the error that the answer's ErrorInfo names."""
    metadata: Any = error.trailing_metadata()
    for key, value in metadata or ():
        if key != "grpc-status-details-bin":
            continue
        try:
            status = status_pb2.Status.FromString(value)
        except DecodeError:
            return None
        for detail in status.details:
            info = error_details_pb2.ErrorInfo()
            if detail.Unpack(info) and info.domain == errors.DOMAIN and info.reason in errors.REASONS:
                found = errors.REASONS[info.reason](text)
                found.details = dict(info.metadata)
                return found
    return None
