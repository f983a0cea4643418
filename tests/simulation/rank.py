"""A rank of a job: it takes its run, fetches windows, and uses their rows step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lrkeeper import messages
from lrkeeper.errors import BadAnswer
from lrkeeper.local import base_of_groups
from lrkeeper.schedules import Schedule
from lrkeeper.schedules.given import NOTHING, Given
from lrkeeper.schedules.table import Table
from lrkeeper.views import Checkpoint, Place, Remembered, RememberedRows, Start, Window
from lrkeeper.window import Stock, each_step, window_size
from tests.simulation.history import hexed
from tests.simulation.loop import process
from tests.simulation.server import Refused, Unanswered

if TYPE_CHECKING:
    from tests.simulation.job import Attempt

LOST = frozenset({"StoreChanged", "UnknownFence", "BranchNotFound", "RunNotFound"})
"""What a rank is told where the database has lost what it knows, as `lrkeeper.torch.supply.LOST` has it."""
RETRIED = frozenset({"Unreachable", "StorageUnavailable", "StorageFull"})


class Rank:
    """One process of one start of a job."""

    def __init__(self, attempt: Attempt, rank: int) -> None:
        self.attempt, self.rank = attempt, rank
        self.world, self.job = attempt.world, attempt.job
        self.name = f"{attempt.incarnation}/{rank}"
        self.place: Place | None = None
        self.step = -1
        self.paused_until = 0.0
        self._stock = Stock()
        self._size = 1
        self._marked = (0, 0.0)
        self._revision = self._frontier = 0
        self._refusal: Refused | None = None
        self._schedules: dict[int, Schedule] = {}
        self._now: RememberedRows | None = None
        self._fetching: asyncio.Task[None] | None = None
        self.task = self.world.loop.create_task(self._run(), context=process(self.name))

    def kill(self) -> None:
        """End the process; its messages are under way all the same."""
        self.task.cancel()
        if self._fetching is not None:
            self._fetching.cancel()

    async def _run(self) -> None:
        try:
            await self._take(self.attempt.start(self.rank))
            while not self.attempt.over:
                try:
                    await self._train()
                except Refused as error:
                    if error.reason not in LOST:
                        raise
                    await self._come_back()
        except Refused as error:
            self.world.history.note("ended", client=self.name, reason=error.reason)
        except Exception as error:
            self.world.loop.failures.append(error)
        finally:
            self.attempt.left(self)

    async def _come_back(self) -> None:
        """Take the run again from a database that has lost some of it, with what there is to put back."""
        assert self.place is not None
        place = Checkpoint(self.place.run_uid, self.place.branch, self.step)
        start = replace(self.attempt.start(self.rank), checkpoint=place, remembered=self.remembered())
        if self._refusal is not None and self._refusal.reason not in LOST:
            raise self._refusal
        self._refusal = None
        await self._take(start)

    def remembered(self, *, held: bool = True) -> Remembered:
        """Return what the rank holds of its run."""
        assert self.place is not None
        assert self._now is not None
        rows = [self._now]
        for window in self._stock:
            table = window.table
            assert table is not None
            if table.end_step > self.step + 1:
                table = table.cut(max(self.step + 1, table.first_step), table.end_step)
                rows.append(self._kept(window, table))
        return Remembered(
            store_epoch=self.place.store_epoch,
            fence=self.place.fence,
            branch=self.place.branch,
            frontier=self._frontier,
            rows=tuple(rows),
            edits=self.place.edits,
            held=held,
        )

    def _kept(self, window: Window, table: Table) -> RememberedRows:
        schedule = self._schedules[window.revision]
        return RememberedRows(
            table, window.revision, schedule, window.cursor, window.cursor_step, window.given
        )

    async def _take(self, start: Start) -> None:
        answer = await self._call("acquire_run", messages.acquire_request(start))
        with _bad_answers_refused():
            self.place = place = messages.place(start, answer)
        (row,) = hexed(place.values.data, 1)
        self.step = place.resume_step
        self._stock, self._revision = Stock(), place.revision
        self._schedules = {place.revision: place.schedule}
        self._now = RememberedRows(
            place.values, place.revision, place.schedule, place.cursor, place.cursor_step, place.given
        )
        self._frontier = place.frontier
        self._fetching = None
        self.attempt.holds(self)
        self._used(row)

    def _used(self, row: str) -> None:
        assert self.place is not None
        self.world.history.note(
            "used",
            client=self.name,
            run_uid=self.place.run_uid,
            branch=self.place.branch,
            step=self.step,
            row=row,
        )
        self.attempt.applied(self)

    async def _train(self) -> None:
        while not self.attempt.over:
            if self.step == self.job.adds_at and len(self.attempt.groups) < self.job.most_groups:
                await self._add_groups()
            kept = await self._row(self.step + 1)
            await self.attempt.in_step(self)
            await asyncio.sleep(self.job.seconds * self.world.random.uniform(0.8, 1.2))
            await self._awake()
            self.step += 1
            self._now = kept
            self._used(hexed(kept.table.data, 1)[0])
            if self.rank == 0 and self.step % self.job.saves_every == 0:
                self.attempt.save(self)

    async def _add_groups(self) -> None:
        if self._refusal is not None:
            raise self._refusal
        assert self.place is not None
        start = self.attempt.start(self.rank)
        groups = self.job.groups(self.job.most_groups)
        place = Checkpoint(self.place.run_uid, self.place.branch, self.step)
        await self._take(replace(start, groups=groups, adds_groups=True, checkpoint=place, remembered=None))
        self.world.faults.note("groups_added")

    async def _row(self, step: int) -> RememberedRows:
        """Return a step's row: from what is held, or once the server has answered."""
        while (window := self._stock.at(step)) is None:
            if self._fetching is not None and not self._fetching.done():
                await self._fetching
                continue
            if self._refusal is not None:
                raise self._refusal
            self.world.history.note("waits", client=self.name, step=step)
            self._measure()
            if not await self._fetch(step, self.job.window if self.job.tells else self._size):
                await asyncio.sleep(self.job.seconds)
                await self._awake()
        self._look_ahead()
        assert window.table is not None
        return self._kept(window, window.table.cut(step, step + 1))

    def _look_ahead(self) -> None:
        """Fetch more in the background if it is time."""
        self._stock.forget_before(self.step)
        if self.job.tells or (self._fetching is not None and not self._fetching.done()):
            return
        if self._refusal is not None and self._refusal.reason == "RunFenced":
            return
        if self._stock.ask(self.step, self._size) is not None:
            self._measure()
        ask = self._stock.ask(self.step, self._size)
        if ask is not None:
            self._fetching = self.world.loop.create_task(self._fetch_behind(*ask))

    def _measure(self) -> None:
        before, at = self._marked
        now = self.world.loop.time()
        if at and self.step > before:
            horizon = self.job.window * self.job.seconds
            self._size = window_size(horizon, (now - at) / (self.step - before), self._size, 4096)
        self._marked = (self.step, now)

    async def _fetch_behind(self, step: int, count: int) -> None:
        try:
            await self._fetch(step, count)
        except Refused as error:
            self._refusal = error
            self.world.history.note("fetch_refused", client=self.name, reason=error.reason)

    async def _fetch(self, step: int, count: int) -> bool:
        """Return whether there were rows."""
        place = self.place
        assert place is not None
        given, ahead = self._told(step, count)
        request = messages.next_lr_request(
            place,
            step,
            1 + len(ahead) if given else count,
            applied_step=self.step,
            revision=self._revision,
            given=given,
            ahead=ahead,
            frontier=self._frontier,
        )
        answer = await self._call("next_lr", request)
        with _bad_answers_refused():
            window = messages.window(request, answer)
            if place is self.place:
                self._revision = window.revision
                self._frontier = max(self._frontier, window.frontier)
                if window.schedule is not None:
                    self._schedules[window.revision] = window.schedule
                base = base_of_groups(tuple(self.attempt.groups))
                for each in each_step(window, self._schedules[window.revision], base):
                    self._stock.add(each)
        return window.table is not None

    def _told(self, step: int, count: int) -> tuple[Given, list[Given]]:
        """Return what the job says of a step, and of those after it."""
        if not self.job.tells:
            return NOTHING, []
        if self.job.kind != "tokens":
            if not self.world.faults.fires("value_adopted"):
                return NOTHING, []
            groups = len(self.attempt.groups)
            return Given(seen={"lr": (self.world.random.random(),) * groups}), []
        mine = self.rank if self.world.faults.fires("metric_differs") else 0
        told = [Given(progress={"tokens": float(1000 * s + mine)}) for s in range(step, step + count)]
        return told[0], told[1:]

    async def _call(self, method: str, request: Any) -> Any:
        """Return an answer, asking again where none came. Raises Refused."""
        wait = 0.1
        while True:
            try:
                answer = await self.world.network.call(self.name, method, request)
            except Refused as error:
                if error.reason not in RETRIED:
                    raise
            except Unanswered:
                pass
            else:
                await self._awake()
                return answer
            await asyncio.sleep(wait * self.world.random.uniform(0.5, 1.0))
            await self._awake()
            wait = min(5.0, 2 * wait)

    async def _awake(self) -> None:
        while self.world.loop.time() < self.paused_until:
            await asyncio.sleep(self.paused_until - self.world.loop.time())


@contextmanager
def _bad_answers_refused() -> Iterator[None]:
    try:
        yield
    except BadAnswer as error:
        raise Refused("BadAnswer", str(error), {}) from None
