"""Group commit: what arrives while a commit is in flight shares the next one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import Any, Protocol

from lrkeeper.server.storage.contract import Advance, Transaction

_QUIET = (0.005, 0.01)  # seconds without a new request that end the wait: as a commit takes, within these
_LONGEST = 0.02  # and the most it may take


@dataclass(slots=True)
class Item:
    """One request: an advance, or work in a transaction; who waits for it, and what it comes to."""

    future: asyncio.Future[Any]
    advance: Advance | None = None
    work: Callable[[Transaction], Any] | None = None
    writes: bool = True
    meanwhile: Callable[[], None] | None = None
    result: Any = None
    error: BaseException | None = None

    def resolve(self) -> None:
        """Answer who waits, if it still does."""
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Gathering(Protocol):
    """What makes batches of requests."""

    def submit(
        self,
        advance: Advance | None = None,
        work: Callable[[Transaction], Any] | None = None,
        writes: bool = True,
        meanwhile: Callable[[], None] | None = None,
    ) -> asyncio.Future[Any]:
        """Return what will be a request's result, or its error, once its batch is committed."""

    def close(self) -> None:
        """Run what was submitted, and end."""


class HandOver(Protocol):
    """What may commit a batch without a thread's waiting for it."""

    def __call__(
        self, loop: asyncio.AbstractEventLoop, batch: list[Item], done: Callable[[bool], None]
    ) -> bool:
        """Begin with a batch; False if it has to be run instead.

        Calls `done` on the loop: with True once the batch is committed and its items have their results, else False.
        """


class GroupCommit:
    """Runs batches, one after the other: in a thread, where nobody takes them over.

    Requests gather on the event loop while a batch is under way, and go as the next one. But a commit
    costs the same for one as for all: so where the last batches were crowds, the next one waits for
    their members, who are on their way back, until all are there or nobody has come for a while. A lone
    caller never waits.

    Args:
        run: called in the thread with a batch; sets each item's result or error, and raises nothing.
        hand_over: takes over batches. While it has one, the event loop does what its items want done meanwhile.
    """

    def __init__(self, run: Callable[[list[Item]], None], hand_over: HandOver | None = None) -> None:
        self._run = run
        self._hand_over = hand_over
        self._batches: SimpleQueue[tuple[asyncio.AbstractEventLoop, list[Item]] | None] = SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[Item] = []
        self._busy = False  # a batch is under way
        self._handed_over = False  # and not with the thread
        self._closing = False
        self._expected = 1  # how many callers seem to be about
        self._lingering: asyncio.TimerHandle | None = None
        self._quiet = _QUIET[0]
        self._thread = Thread(target=self._work, name="lrkeeper-database", daemon=True)
        self._thread.start()

    def submit(
        self,
        advance: Advance | None = None,
        work: Callable[[Transaction], Any] | None = None,
        writes: bool = True,
        meanwhile: Callable[[], None] | None = None,
    ) -> asyncio.Future[Any]:
        """Return what will be a request's result, or its error, once its batch is committed."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._waiting, self._lingering = loop, [], None
            if self._handed_over:  # by a loop that has been closed since
                self._busy = self._handed_over = False
        future = loop.create_future()
        self._waiting.append(Item(future, advance, work, writes, meanwhile))
        if not self._busy:
            self._gather(loop)
        return future

    def close(self) -> None:
        """Run what was submitted, and end the thread."""
        if self._thread.is_alive():
            self._batches.put(None)
            self._thread.join()

    def _gather(self, loop: asyncio.AbstractEventLoop) -> None:
        """Send the next batch if all are there; linger otherwise."""
        if len(self._waiting) >= self._expected:
            self._send(loop)
        elif self._lingering is None:
            self._linger(loop, loop.time() + _LONGEST, len(self._waiting))

    def _linger(self, loop: asyncio.AbstractEventLoop, deadline: float, seen: int) -> None:
        self._lingering = loop.call_later(self._quiet, self._look, loop, deadline, seen)

    def _look(self, loop: asyncio.AbstractEventLoop, deadline: float, seen: int) -> None:
        self._lingering = None
        count = len(self._waiting)
        if count > seen and loop.time() < deadline:
            self._linger(loop, deadline, count)
        else:
            self._send(loop)

    def _send(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
            self._lingering = None
        batch, self._waiting = self._waiting, []
        self._busy = True
        self._expected = max(len(batch), self._expected * 3 // 4)
        started = time.perf_counter()

        def done(committed: bool) -> None:
            self._handed_over = False
            if committed:
                self._done(loop, batch, time.perf_counter() - started)
            else:
                self._batches.put((loop, batch))

        if self._hand_over is not None and not self._closing:
            with suppress(Exception):  # a fault of ours: run, the batch gives it to its items
                self._handed_over = self._hand_over(loop, batch, done)
        if not self._handed_over:
            self._batches.put((loop, batch))
            return
        for item in batch:
            if item.meanwhile is not None:
                with suppress(Exception):  # it comes again where there was nothing made
                    item.meanwhile()

    def _done(self, loop: asyncio.AbstractEventLoop, batch: list[Item], seconds: float) -> None:
        self._busy = False
        self._quiet = min(max(seconds, _QUIET[0]), _QUIET[1])
        self._expected = max(self._expected, len(batch) + len(self._waiting))
        for item in batch:
            item.resolve()
        if self._closing:
            self._close(loop)
        elif self._waiting:
            self._gather(loop)

    def _close(self, loop: asyncio.AbstractEventLoop) -> None:
        """Send what waits, as the last batch."""
        self._closing = True
        if self._busy:
            return  # it comes again when the batch is done
        if self._waiting:
            self._send(loop)
        self._batches.put(None)

    def _work(self) -> None:
        self._carry_out()
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed, and with it all who waited
                self._loop.call_soon_threadsafe(self._close, self._loop)
                self._carry_out()

    def _carry_out(self) -> None:
        while found := self._batches.get():
            loop, batch = found
            started = time.perf_counter()
            self._run(batch)
            try:
                loop.call_soon_threadsafe(self._done, loop, batch, time.perf_counter() - started)
            except RuntimeError:  # the loop is closed, and with it all who waited
                self._busy = False
