"""Calls in the background: a thread for each run that is stepped through, which asks while the job trains."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

R = TypeVar("R")


class Fetching(Generic[R]):
    """At most one call under way. All methods belong to the training thread; none of them waits but `wait`.

    The thread holds nothing of the scheduler's, and ends with this object. A forked process has no such thread:
    there `start` does nothing, and the step asks for itself.
    """

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], R] | None] = SimpleQueue()
        self._answers: SimpleQueue[R | Exception] = SimpleQueue()
        self._pid = 0
        self.busy = False

    def start(self, call: Callable[[], R]) -> None:
        """Make a call in the background, unless one is under way."""
        if self.busy or self._pid not in (0, os.getpid()):
            return
        if not self._pid:
            self._pid = os.getpid()
            thread = threading.Thread(
                target=_work, args=(self._calls, self._answers), name="lrkeeper-fetch", daemon=True
            )
            thread.start()
            weakref.finalize(self, self._calls.put, None)
        self.busy = True
        self._calls.put(call)

    def collect(self) -> R | Exception | None:
        """Return what came of the call, once, if it has come."""
        return self._get(block=False)

    def wait(self, seconds: float) -> R | Exception | None:
        """Return what comes of the call under way; None if there is none, or it takes longer."""
        if not self.busy or self._pid != os.getpid():
            return None
        return self._get(block=True, timeout=seconds)

    def _get(self, **how: Any) -> R | Exception | None:
        if not self.busy:
            return None
        try:
            found: R | Exception = self._answers.get(**how)
        except Empty:
            return None
        self.busy = False
        return found


def _work(calls: SimpleQueue[Callable[[], R] | None], answers: SimpleQueue[R | Exception]) -> None:
    while (call := calls.get()) is not None:
        try:
            found: R | Exception = call()
        except Exception as error:
            error.__traceback__ = None  # its frames would keep the scheduler alive
            found = error
        del call
        answers.put(found)
        del found
