"""What every use case works with: the storage, and the heads of the runs that are in use."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lrkeeper.errors import RunNotFound, StoreChanged
from lrkeeper.server.runs.frontier import Heard
from lrkeeper.server.runs.head import Head, head_of, in_force
from lrkeeper.server.runs.lineage import Lineage
from lrkeeper.server.runs.records import Branch, Edit, RankProgress, Run
from lrkeeper.server.storage.contract import Storage, Transaction
from lrkeeper.server.usecases.ranks import Ranks, RanksWriter

_LANES = 10_000


@dataclass(slots=True)
class Lane:
    """A run's place in memory. `head` is a state that was committed, perhaps not the newest one."""

    ranks: Ranks
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while the run moves, so that requests of one process do not conflict in the database."""
    head: Head | None = None
    name: str = ""
    """The run's name, once its head was read."""


class Keeper:
    """The state of a server: all of it is in the storage, the lanes are a cache.

    `nanoseconds` is its clock.
    """

    def __init__(self, storage: Storage, nanoseconds: Callable[[], int] = time.time_ns) -> None:
        self.storage = storage
        self._nanoseconds = nanoseconds
        self.listening_since = self.now()
        self._lanes: OrderedDict[str, Lane] = OrderedDict()
        self._ranks_writer = RanksWriter(storage)

    def now(self) -> int:
        """Return the time in microseconds. Nothing but hints depends on it."""
        return self._nanoseconds() // 1000

    def lane(self, run_uid: str) -> Lane:
        """Return a run's lane, the most recently used last."""
        lane = self._lanes.get(run_uid)
        if lane is None:
            lane = self._lanes[run_uid] = Lane(Ranks(self.listening_since))
            if len(self._lanes) > _LANES:
                self._shed()
        else:
            self._lanes.move_to_end(run_uid)
        return lane

    def run_name(self, run_uid: str) -> str:
        """Return a run's name if it is in memory, else an empty text."""
        lane = self._lanes.get(run_uid)
        return "" if lane is None else lane.name

    def _shed(self) -> None:
        for uid, lane in list(self._lanes.items())[: _LANES // 10]:
            if not lane.lock.locked():
                del self._lanes[uid]

    async def head(self, run_uid: str, lane: Lane) -> Head:
        """Return the run's head, from memory if it is there. Raises RunNotFound."""
        return lane.head or await self.load(run_uid, lane)

    async def load(self, run_uid: str, lane: Lane) -> Head:
        """Read the run's head, and where its ranks are. Raises RunNotFound."""
        head, progress = await self.storage.transact(lambda tx: _load(tx, run_uid), writes=False)
        if progress is not None:
            lane.ranks.take(progress.fence, progress.ranks, self.now())
        lane.head, lane.name = head, head.run.name
        return head

    def hear(self, lane: Lane, head: Head, rank: int, applied_step: int, now: int) -> None:
        """Note the progress of a rank of the start that holds a run."""
        lane.ranks.hear(head.run.fence, rank, applied_step, now)
        if head.world_size > 1:  # of a single rank, the run itself tells
            self._ranks_writer.note(head.run.uid, lane.ranks)

    async def read_ranks(self, head: Head, lane: Lane) -> None:
        """Learn what other servers have heard of the ranks of the start that holds a run."""
        run = head.run
        progress = await self.storage.transact(lambda tx: tx.rank_progress(run.uid, run.fence), writes=False)
        lane.ranks.take(run.fence, {} if progress is None else progress.ranks, self.now())

    def unsaved_ranks(self, run: Run) -> Mapping[int, Heard]:
        """Return what this server has heard of a run's ranks and not stored."""
        lane = self._lanes.get(run.uid)
        return lane.ranks.unsaved if lane is not None and lane.ranks.fence == run.fence else {}

    async def close(self) -> None:
        """Store what only memory has."""
        await self._ranks_writer.close()


def _load(tx: Transaction, run_uid: str) -> tuple[Head, RankProgress | None]:
    head = load_head(tx, run_uid)
    return head, tx.rank_progress(run_uid, head.run.fence) if head.world_size > 1 else None


def load_head(tx: Transaction, run_uid: str) -> Head:
    """Read a run's head. Raises RunNotFound."""
    run = tx.run_by_uid(run_uid)
    if run is None or run.state == "deleted":
        raise RunNotFound(f"there is no run with the uid {run_uid!r}", run_uid=run_uid)
    branch = tx.branch(run.uid, run.branch)
    assert branch is not None
    holder = tx.holder(run.uid, run.fence)  # none has a run that was taken back, or forked
    return head_of(run, branch, tx.edits(run.uid, run.branch), 0 if holder is None else holder.world_size)


def check_epoch(storage: Storage, store_epoch: str) -> None:
    """Raise StoreChanged unless a place in a run is one of this database."""
    if store_epoch != storage.epoch:
        raise StoreChanged(
            f"the run was acquired from the database {store_epoch!r}, and this server has "
            f"{storage.epoch!r}: it was restored or replaced",
            store_epoch=storage.epoch,
        )


def lineage_of(tx: Transaction, run: Run) -> Lineage:
    """Return the branches whose steps the run's timeline has, the present one first."""
    return lineage_from(tx, run.uid, run.branch)


def lineage_from(tx: Transaction, run_uid: str, branch: int) -> Lineage:
    """Return a branch and those in its past, the branch first; empty if there is no such branch."""
    found: list[Branch] = []
    number: int | None = branch
    while number is not None and (one := tx.branch(run_uid, number)) is not None:
        found.append(one)
        number = None if one.fork_step is None else one.parent
    return tuple(found)


def still_to_act(tx: Transaction, lineage: Lineage, left: Branch, step: int) -> list[Edit]:
    """Return the edits that the timeline has after a step of a branch, in the order in which they act.

    Those of a later branch stand for all from its origin on: it took over what was to act.
    """
    found: list[Edit] = []
    for branch in reversed(lineage[: lineage.index(left) + 1]):
        begins = max(step, branch.origin.step)
        found = [edit for edit in found if edit.effective_step <= begins]
        found += [e for e in in_force(tx.edits(branch.run_uid, branch.branch)) if e.effective_step > begins]
    return found
