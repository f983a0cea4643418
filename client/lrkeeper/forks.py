"""No channel lives across a fork, and no thread is in a call while the process forks.

gRPC's threads do not exist in a forked child, and it complains on stderr about a fork beside calls. So
before a fork calls end (a slow one is cancelled and made again), and all channels are closed; afterwards
the parent opens new ones as it needs them.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol
from weakref import WeakSet

_WAIT_SECONDS = 0.2  # for calls under way, before they are cancelled
_CANCEL_SECONDS = 1.0  # for cancelled ones to return
_END_SECONDS = 2.0  # for gRPC's threads to end, which takes a millisecond where there is little to do
_END_SECONDS_BESIDE_OTHERS = 0.05  # once they have not ended: other code has channels
_GRPC_THREADS = ("grpc_", "event_engine", "lifeguard")


class Connected(Protocol):
    """What has a channel."""

    def disconnect(self) -> bool:
        """Close the channel and return whether there was one; its calls are made again on a new one."""


class Forks:
    """The calls of this process, and the forks they make way for."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, in a child: its parent's threads and connections are not there."""
        self._changed = threading.Condition()  # reentrant: a signal's handler may fork amid a call
        self._calls: Counter[int] = Counter()
        self._forking: int | None = None
        self._end_seconds = _END_SECONDS
        self._one_fork = threading.RLock()
        self._connections: WeakSet[Connected] = WeakSet()

    def watch(self, connection: Connected) -> None:
        """Have a connection closed before every fork from now on."""
        with self._changed:
            self._connections.add(connection)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Wait until no other thread forks; forks of other threads wait until the block ends."""
        me = threading.get_ident()
        with self._changed:
            while self._forking not in (None, me):
                self._changed.wait()
            self._calls[me] += 1
        try:
            yield
        finally:
            with self._changed:
                self._calls[me] -= 1
                if self._calls[me] < 1:
                    del self._calls[me]
                self._changed.notify_all()

    def before(self) -> None:
        """Let calls of other threads end, and hold back new ones."""
        self._one_fork.acquire()
        with self._changed:
            self._forking = threading.get_ident()
            self._changed.wait_for(self._is_quiet, _WAIT_SECONDS)
            closed = [connection.disconnect() for connection in list(self._connections)]
            self._changed.wait_for(self._is_quiet, _CANCEL_SECONDS)
        if any(closed) and not _grpc_ends_within(self._end_seconds):
            self._end_seconds = _END_SECONDS_BESIDE_OTHERS

    def after(self) -> None:
        """Let calls go on, in the parent."""
        with self._changed:
            self._forking = None
            self._changed.notify_all()
        self._one_fork.release()

    def _is_quiet(self) -> bool:
        me = threading.get_ident()
        return all(thread == me for thread in self._calls)


def _grpc_ends_within(seconds: float) -> bool:
    """Return once gRPC's threads have ended, as they do after the last channel, or the time is over.

    gRPC's own fork handler waits for these threads, and for ever where they are about to begin or to end.
    """
    end = time.monotonic() + seconds
    while _grpc_threads():
        if time.monotonic() > end:
            return False
        time.sleep(0.0005)
    return True


def _grpc_threads() -> bool:
    for name in Path("/proc/self/task").glob("*/comm"):
        with suppress(OSError):  # it has just ended
            if name.read_text().startswith(_GRPC_THREADS):
                return True
    return False


forks = Forks()
os.register_at_fork(before=forks.before, after_in_parent=forks.after, after_in_child=forks.forget)
