"""An event loop of virtual time: no threads, no clock, and a seed chooses which process runs next.

Within a process callbacks run in the order in which they were scheduled, as asyncio has it.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any

PROCESS: ContextVar[str] = ContextVar("process", default="")
"""The process that a callback belongs to."""


def process(name: str) -> Context:
    """Return a context whose tasks are a process of their own."""
    context = copy_context()
    context.run(PROCESS.set, name)
    return context


class Loop:
    """What asyncio's tasks, futures, locks and sleeps need of a loop.

    `failures` has what callbacks raised.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._itself: Any = self  # asyncio takes what has these methods; their types are another matter
        self._ready: dict[str, deque[asyncio.Handle]] = {}
        self._timers: list[tuple[float, int, asyncio.TimerHandle]] = []
        self._count = 0
        self._now = 0.0
        self.failures: list[BaseException] = []

    def run(self, main: Coroutine[Any, Any, None], at_most: float) -> None:
        """Run until `main` is done. Raises what it raises, and TimeoutError after so many seconds of virtual time."""
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self._itself)
        try:
            task = self.create_task(main)
            while not task.done():
                self._turn()
                if self._now > at_most:
                    raise TimeoutError(f"nothing ended the simulation within {at_most} s of virtual time")
            task.result()
        finally:
            asyncio._set_running_loop(before)

    def _turn(self) -> None:
        if not self._ready:
            when, _, handle = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            if not handle.cancelled():
                handle._run()
            return
        ready = list(self._ready)
        name = ready[int(self._random.random() * len(ready))] if len(ready) > 1 else ready[0]
        queue = self._ready[name]
        chosen = queue.popleft()
        if not queue:
            del self._ready[name]
        if not chosen.cancelled():
            chosen._run()

    def time(self) -> float:
        return self._now

    def call_soon(
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        name = PROCESS.get() if context is None else context.get(PROCESS, "")
        handle = asyncio.Handle(callback, args, self._itself, context)
        self._ready.setdefault(name, deque()).append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(when, callback, args, self._itself, context)
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self._itself)

    def create_task(self, coro: Any, *, name: str | None = None, context: Context | None = None) -> Any:
        return asyncio.Task(coro, loop=self._itself, name=name or "task", context=context)

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Note what a callback raised. Nobody may wait for a future, or a task end, of a crashed process."""
        if "handle" in context:
            self.failures.append(context["exception"])

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """Leave it; it is skipped when its time comes."""
