"""Calls in the background: a thread for each run that is stepped through, which asks while the job trains."""

from __future__ import annotations

import os
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from queue import Empty, SimpleQueue
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar

R = TypeVar("R")


class Later(NamedTuple):
    """What a call returns that wants to be made again, after so many seconds."""

    seconds: float


class Followed(ABC):
    """A call that is made again after it has answered, whenever it is wanted.

    That is looked for now and then, because to wake a thread takes longer than a step may.
    """

    @abstractmethod
    def __call__(self) -> Any:
        """Make the call."""

    @property
    @abstractmethod
    def goes_on(self) -> bool:
        """Whether it may be wanted again."""

    @property
    @abstractmethod
    def wanted(self) -> bool:
        """Whether it is wanted now."""

    @property
    @abstractmethod
    def interval(self) -> float:
        """Seconds until the next look."""


class _Now(Enum):
    NOW = "what waits is to wait no longer"


_Call: TypeAlias = Callable[[], R | Later | None]
_Calls: TypeAlias = "SimpleQueue[_Call[R] | _Now | None]"


class Fetching(Generic[R]):
    """At most one call under way. All methods belong to the training thread; none of them waits but `wait`.

    The thread holds nothing of the scheduler's, and ends with this object. A forked process has no such thread:
    there `start` does nothing, and the step asks for itself.

    Args:
        alarm: a method that is called in the background once a call has failed.
    """

    def __init__(self, alarm: weakref.WeakMethod[Callable[[], None]] | None = None) -> None:
        self._calls: _Calls[R] = SimpleQueue()
        self._answers: SimpleQueue[R | Exception] = SimpleQueue()
        self._worker = _Worker(self._calls, self._answers, alarm)
        self._pid = 0
        self._asked = False

    @property
    def busy(self) -> bool:
        """Whether a call is under way, or its answer has not been collected."""
        if self._asked and self._worker.rests and self._answers.empty():
            self._asked = False  # it did not have to be
        return self._asked

    def start(self, call: _Call[R]) -> None:
        """Make a call in the background, unless one is under way.

        It returns the answer; None if there is nothing to collect; or when it wants to be made again.
        """
        if self.busy or self._pid not in (0, os.getpid()):
            return
        if not self._pid:
            self._pid = os.getpid()
            threading.Thread(target=self._worker.run, name="lrkeeper-fetch", daemon=True).start()
            weakref.finalize(self, self._calls.put, None)
        self._asked, self._worker.rests = True, False
        self._calls.put(call)

    @property
    def look(self) -> Callable[[], R | Exception]:
        """What returns an answer that has come, without collecting it: `take_back` does. Raises Empty."""
        return self._answers.get_nowait

    def take_back(self, answer: R | Exception) -> None:
        """Have an answer collected that `look` has returned."""
        self._answers.put(answer)

    def collect(self) -> R | Exception | None:
        """Return what came of the call, once, if it has come."""
        try:
            found = self._answers.get_nowait()
        except Empty:
            return None
        self._asked = False
        return found

    def wait(self, seconds: float) -> R | Exception | None:
        """Return what comes of the call under way; None if there is none, or it takes longer."""
        if not self.busy or self._pid != os.getpid():
            return None
        self._calls.put(_Now.NOW)
        try:
            found = self._answers.get(timeout=seconds)
        except Empty:
            return None
        self._asked = False
        return found


class _Worker(Generic[R]):
    """The thread's side."""

    def __init__(
        self,
        calls: _Calls[R],
        answers: SimpleQueue[R | Exception],
        alarm: weakref.WeakMethod[Callable[[], None]] | None,
    ) -> None:
        self._calls = calls
        self._answers = answers
        self._alarm = alarm
        self.rests = False
        """Whether it waits for the call that follows one to be wanted."""

    def run(self) -> None:
        """Make the calls that come, and those again that are wanted, until None comes."""
        call = self._calls.get()
        while call is not None:
            follows = not isinstance(call, _Now) and self._answer(call) and call
            call = None  # it would be kept alive
            call = self._following(follows) if isinstance(follows, Followed) else self._calls.get()
            del follows

    def _answer(self, call: _Call[R]) -> bool:
        """Make a call, and answer; return whether there was one."""
        found: R | Exception | Later | None
        try:
            while isinstance(found := call(), Later):
                try:
                    if self._calls.get(timeout=found.seconds) is None:
                        self._calls.put(None)
                        return False
                except Empty:
                    continue
        except Exception as error:
            error.__traceback__ = None  # its frames would keep the scheduler alive
            self._answers.put(error)
            if self._alarm is not None and (method := self._alarm()) is not None:
                method()
                del method
            return False
        if found is not None:
            self._answers.put(found)
        return True

    def _following(self, call: Followed) -> _Call[R] | _Now | None:
        """Wait until a call is wanted again, or another one comes; return that."""
        try:
            while call.goes_on:
                self.rests = True
                with suppress(Empty):
                    came = self._calls.get(timeout=call.interval)
                    if not isinstance(came, _Now):
                        return came
                if call.wanted:
                    return call
        finally:
            self.rests = False
        return self._calls.get()
