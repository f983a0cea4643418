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
        self._started = 0
        self._back: list[R | Exception] = []

    @property
    def busy(self) -> bool:
        """Whether a call is under way, or its answer has not been collected."""
        under_way = self._started > self._worker.finished or self._worker.asks_again
        return under_way or bool(self._back) or not self._answers.empty()

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
        self._started += 1
        self._calls.put(call)

    @property
    def look(self) -> Callable[[], R | Exception]:
        """What returns an answer that has come. Raises Empty. One that is not gone on with is taken back."""
        return self._answers.get_nowait

    def take_back(self, answer: R | Exception) -> None:
        """Have an answer collected, before all others, that `look` has returned."""
        self._back.append(answer)

    def collect(self) -> R | Exception | None:
        """Return what came of the call, once, if it has come."""
        if self._back:
            return self._back.pop()
        try:
            return self._answers.get_nowait()
        except Empty:
            return None

    def wait(self, seconds: float) -> R | Exception | None:
        """Return what comes of the call under way; None if there is none, or it takes longer."""
        if (found := self.collect()) is not None or not self.busy or self._pid != os.getpid():
            return found
        self._calls.put(_Now.NOW)
        try:
            return self._answers.get(timeout=seconds)
        except Empty:
            return None


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
        self.finished = 0
        """How many of the calls that came have been made, and answered."""
        self.asks_again = False
        """Whether one that follows them is being made."""

    def run(self) -> None:
        """Make the calls that come, and those again that are wanted, until None comes."""
        call = self._calls.get()
        while call is not None:
            if isinstance(call, _Now):
                call = self._calls.get()
                continue
            answered = self._answer(call)
            self.finished += 1
            follows = call if answered and isinstance(call, Followed) else None
            call = None  # it would be kept alive
            call = self._following(follows)
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

    def _following(self, call: Followed | None) -> _Call[R] | _Now | None:
        """Make a call again whenever it is wanted, until another one comes; return that."""
        while call is not None and call.goes_on:
            with suppress(Empty):
                came = self._calls.get(timeout=call.interval)
                if not isinstance(came, _Now):
                    return came
            if call.wanted:
                self.asks_again = True
                answered = self._answer(call)
                self.asks_again = False
                if not answered:
                    break
        del call
        return self._calls.get()
