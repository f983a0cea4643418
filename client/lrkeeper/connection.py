"""The wire: a deadline on every call, retries where they are safe, errors by reason."""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from lrkeeper import errors
from lrkeeper.channel import Channel
from lrkeeper.forks import forks

_log = logging.getLogger("lrkeeper")

_LOUD_AFTER = 5.0
_LOUD_EVERY = 15.0
_LONGEST_PAUSE = 1.0
_QUICK_SECONDS = 3.0  # two of these and a new channel are well below 10 s

R = TypeVar("R")


@dataclass
class _Outcome(Generic[R]):
    """What came of one try."""

    answer: R | None = None
    failure: errors.LrkeeperError | None = None


class Connection:
    """The way to one server: a channel, made when it is needed.

    It is made anew after two deadlines in a row, because a half-open one never heals, and after a fork of
    this process.
    """

    def __init__(self, server: str, timeout: float) -> None:
        self.server = server
        self._timeout = timeout
        self._pid = os.getpid()
        self._late = 0
        self._closed = False
        self._channel: Channel | None = None
        self._lock = threading.RLock()  # reentrant: a signal's handler may fork
        forks.watch(self)

    def close(self) -> None:
        """Close the channel; calls raise from now on."""
        if os.getpid() == self._pid:
            self._closed = True
            self.disconnect()

    def disconnect(self) -> bool:
        """Close the channel and return whether there was one; calls under way are made again on a new one."""
        with self._lock:
            channel, self._channel = self._channel, None
        if channel is None:
            return False
        channel.close()
        return True

    def _connected(self) -> Channel:
        with self._lock:
            if self._closed:
                raise ValueError(f"this lrkeeper client of {self.server} is closed")
            if self._channel is None:
                self._channel = Channel(self.server)
            return self._channel

    def call(
        self,
        method: Callable[[Channel], Callable[..., R]],
        request: Any,
        *,
        timeout: float | None = None,
        patience: float = 0.0,
        quick: bool = False,
    ) -> R:
        """Return the answer to a request.

        Args:
            method: picks the stub's method, e.g. `lambda c: c.runs.NextLr`.
            request: its message.
            timeout: seconds the server has for one try.
            patience: seconds to go on trying while the server cannot be reached.
            quick: the call usually takes milliseconds, and may be repeated. With patience its first try has
                3 s, and is made again when it is late, each time with more time, up to `timeout`.

        Raises:
            ServerError: what the server answered, as the class of its reason.
            ServerUnavailable, DeadlineExceeded, UnknownStatus: there was no such answer.
            UsedAfterFork: this process was forked after the connection was made.
            ValueError: the connection is closed.
        """
        started = time.monotonic()
        loud_at = _LOUD_AFTER
        tries = late = 0
        longest = timeout or self._timeout
        quick = quick and patience > 0
        while True:
            this_one = min(longest, _QUICK_SECONDS * 2 ** max(0, late - 1)) if quick else longest
            outcome = self._try(method, request, this_one)
            failure = outcome.failure
            if failure is None:
                return cast(R, outcome.answer)
            waited = time.monotonic() - started
            passing = isinstance(failure, errors.ServerUnavailable) or failure.status == "UNAVAILABLE"
            enough = patience
            if quick and isinstance(failure, errors.DeadlineExceeded):
                passing, late, enough = True, min(late + 1, 64), max(patience, longest)
            if not passing or waited >= enough:
                try:
                    raise failure
                finally:
                    del failure, outcome  # or error and frame hold each other, and the scheduler with them
            if waited > loud_at:
                loud_at = waited + _LOUD_EVERY
                _log.warning("%s; waiting for it (%.0f of %.0f s)", failure, waited, patience)
            # Jitter, so that a thousand clients do not come back as one.
            pause = random.uniform(0.2, 1.0) * min(_LONGEST_PAUSE, 0.02 * 2**tries)  # noqa: S311
            time.sleep(min(pause, enough - waited))
            tries = min(tries + 1, 64)

    def _try(
        self, method: Callable[[Channel], Callable[..., R]], request: Any, timeout: float
    ) -> _Outcome[R]:
        """Return an answer, or why there is none; again where the channel was closed under the call."""
        while True:
            self._check_process()
            with forks.call():
                outcome = self._try_once(method, request, timeout)
            if outcome is not None:
                return outcome

    def _try_once(
        self, method: Callable[[Channel], Callable[..., R]], request: Any, timeout: float
    ) -> _Outcome[R] | None:
        channel = self._connected()
        try:
            answer = method(channel)(request, timeout=timeout)
        except (grpc.RpcError, ValueError) as error:
            # gRPC says ValueError of a channel that was closed before the call began.
            if channel.cut and (isinstance(error, ValueError) or _is_cancelled(error)):
                return None
            if isinstance(error, ValueError):
                raise
            return _Outcome(failure=self._failure(error))
        self._late = 0
        return _Outcome(answer)

    def _check_process(self) -> None:
        if os.getpid() != self._pid:
            raise errors.UsedAfterFork(
                f"this lrkeeper client belongs to process {self._pid}, and this is {os.getpid()}, forked from "
                "it; make a client of its own in each process"
            )

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
                self._late = 0
                self.disconnect()
            return errors.DeadlineExceeded(
                f"the lrkeeper server at {self.server} did not answer within its deadline", server=self.server
            )
        return errors.UnknownStatus(
            f"the server at {self.server} answered {code.name}: {text}", status=code.name
        )


def _is_cancelled(error: grpc.RpcError) -> bool:
    return bool(error.code() is grpc.StatusCode.CANCELLED)


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
