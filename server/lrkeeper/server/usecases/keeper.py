"""What every use case works with: the storage, and the heads of the runs that are in use."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from lrkeeper.errors import RunNotFound
from lrkeeper.server.runs.frontier import Heard, lowest_applied
from lrkeeper.server.runs.head import Head, head_of
from lrkeeper.server.runs.lineage import Lineage
from lrkeeper.server.runs.records import Run
from lrkeeper.server.storage.contract import Storage, Transaction

_LANES = 10_000


@dataclass(slots=True)
class Lane:
    """A run's place in memory. `head` is a state that was committed, perhaps not the newest one."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while the run moves, so that requests of one process do not conflict in the database."""
    head: Head | None = None
    ranks: dict[int, Heard] = field(default_factory=dict)
    ranks_fence: int = 0

    def hear(self, fence: int, rank: int, applied_step: int, now: int) -> int:
        """Note a rank's progress; return the least step applied by the fence's ranks."""
        if fence != self.ranks_fence:
            self.ranks, self.ranks_fence = {}, fence
        self.ranks[rank] = Heard(applied_step, now)
        if len(self.ranks) == 1:
            return applied_step
        lowest = lowest_applied(self.ranks.values(), now)
        assert lowest is not None
        return lowest


class Keeper:
    """The state of a server: all of it is in the storage, the lanes are a cache.

    `nanoseconds` is its clock.
    """

    def __init__(self, storage: Storage, nanoseconds: Callable[[], int] = time.time_ns) -> None:
        self.storage = storage
        self._nanoseconds = nanoseconds
        self._lanes: OrderedDict[str, Lane] = OrderedDict()

    def now(self) -> int:
        """Return the time in microseconds. Nothing but hints depends on it."""
        return self._nanoseconds() // 1000

    def lane(self, run_uid: str) -> Lane:
        """Return a run's lane, the most recently used last."""
        lane = self._lanes.get(run_uid)
        if lane is None:
            lane = self._lanes[run_uid] = Lane()
            if len(self._lanes) > _LANES:
                self._shed()
        else:
            self._lanes.move_to_end(run_uid)
        return lane

    def _shed(self) -> None:
        for uid, lane in list(self._lanes.items())[: _LANES // 10]:
            if not lane.lock.locked():
                del self._lanes[uid]

    async def head(self, run_uid: str, lane: Lane) -> Head:
        """Return the run's head, from memory if it is there. Raises RunNotFound."""
        if lane.head is None:
            lane.head = await self.storage.transact(lambda tx: load_head(tx, run_uid), writes=False)
        return lane.head


def load_head(tx: Transaction, run_uid: str) -> Head:
    """Read a run's head. Raises RunNotFound."""
    run = tx.run_by_uid(run_uid)
    if run is None or run.state == "deleted":
        raise RunNotFound(f"there is no run with the uid {run_uid!r}", run_uid=run_uid)
    branch = tx.branch(run.uid, run.branch)
    assert branch is not None
    holder = tx.holder(run.uid, run.fence)
    assert holder is not None
    return head_of(run, branch, tx.edits(run.uid, run.branch), holder.world_size)


def lineage_of(tx: Transaction, run: Run) -> Lineage:
    """Return the branches whose steps the run's timeline has, the present one first."""
    found = []
    number: int | None = run.branch
    while number is not None:
        branch = tx.branch(run.uid, number)
        assert branch is not None
        found.append(branch)
        number = None if branch.fork_step is None else branch.parent
    return tuple(found)
