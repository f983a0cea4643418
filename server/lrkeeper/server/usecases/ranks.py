"""Where the ranks of a start are: in memory, and a moment later in the storage, beside the hot path."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

import structlog

from lrkeeper.errors import LrkeeperError
from lrkeeper.server.runs.frontier import Heard, heard, lowest_applied, silent
from lrkeeper.server.runs.records import RankProgress
from lrkeeper.server.storage.contract import Storage, Transaction

_log = structlog.get_logger("lrkeeper.ranks")

STORED_EVERY_US = 1_000_000
_RUNS_AT_ONCE = 100


@dataclass(slots=True)
class Ranks:
    """What the ranks of one start of a run said last, as far as this server knows."""

    listening_since: int = 0
    fence: int = 0
    heard: dict[int, Heard] = field(default_factory=dict)
    unsaved: dict[int, Heard] = field(default_factory=dict)
    """What this server heard itself and has not stored: it is newer than what is stored, whatever clocks say."""
    read_at: int = 0
    _elsewhere: set[int] = field(default_factory=set)
    """The ranks that another server heard last, or this one before it was started anew."""

    def hear(self, fence: int, rank: int, applied_step: int, now: int) -> None:
        """Note a rank's progress. A rank of another fence is the first of its start."""
        if fence != self.fence:
            self._begin(fence)
        self.heard[rank] = self.unsaved[rank] = heard(self.heard.get(rank), applied_step, now)
        self._elsewhere.discard(rank)

    def take(self, fence: int, stored: Mapping[int, Heard], now: int) -> None:
        """Learn what is stored: what was heard before a restart, or through another server."""
        if fence != self.fence:
            self._begin(fence)
        self.read_at = now
        for rank, found in stored.items():
            if rank not in self.unsaved and self.heard.get(rank) != found:
                self.heard[rank] = found
                self._elsewhere.add(rank)

    def saved(self, said: Mapping[int, Heard], progress: RankProgress) -> None:
        """Note that what was said is stored, and what is beside it."""
        if self.fence == progress.fence:
            self.unsaved = {rank: word for rank, word in self.unsaved.items() if said.get(rank) is not word}
            self.take(progress.fence, progress.ranks, progress.updated_at)

    def lowest(self, now: int) -> int | None:
        """Return the least step applied by ranks heard of lately. Those never heard of hold nothing back.

        Nor do those that another server heard a moment ago: where they are now will only be stored.
        """
        holding: Iterable[Heard] = self.heard.values()
        if self._elsewhere:
            holding = [word for rank, word in self.heard.items() if not self._just_heard_elsewhere(rank, now)]
        return lowest_applied(holding, now, self.listening_since)

    def any_silent(self, now: int) -> bool:
        """Return whether a rank was heard of and is no more."""
        return any(silent(rank, now, self.listening_since) for rank in self.heard.values())

    def _just_heard_elsewhere(self, rank: int, now: int) -> bool:
        at = self.heard[rank].at
        return rank in self._elsewhere and at >= self.listening_since and now - at < 2 * STORED_EVERY_US

    def _begin(self, fence: int) -> None:
        self.fence, self.heard, self.unsaved, self.read_at = fence, {}, {}, 0
        self._elsewhere = set()


class RanksWriter:
    """Stores what ranks said, of all runs together, at most once a second.

    It is a hint, so nobody waits for it, and a failure is made up for by the next time.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._changed: dict[str, Ranks] = {}
        self._task: asyncio.Task[None] | None = None
        self._not_before = 0.0
        self._failing = False

    def note(self, run_uid: str, ranks: Ranks) -> None:
        """Have a run's ranks stored soon."""
        self._changed[run_uid] = ranks
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._write_soon())

    async def close(self) -> None:
        """Store what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        while self._changed and await self._write():
            pass

    async def _write_soon(self) -> None:
        loop = asyncio.get_running_loop()
        while self._changed:
            await asyncio.sleep(max(0.0, self._not_before - loop.time()))
            self._not_before = loop.time() + STORED_EVERY_US / 1e6
            for _ in range(0, len(self._changed), _RUNS_AT_ONCE):
                if not await self._write():
                    break

    async def _write(self) -> bool:
        """Store the ranks of some runs; False if that failed."""
        taken = {uid: self._changed.pop(uid) for uid in list(islice(self._changed, _RUNS_AT_ONCE))}
        said = {uid: (ranks.fence, dict(ranks.unsaved)) for uid, ranks in taken.items() if ranks.unsaved}
        try:
            stored = await self._storage.transact(lambda tx: _store(tx, said))
        except (LrkeeperError, asyncio.CancelledError) as error:
            for uid in said:
                self._changed.setdefault(uid, taken[uid])
            if isinstance(error, asyncio.CancelledError):
                raise
            if not self._failing:
                _log.warning("where ranks are could not be stored", error=str(error))
            self._failing = True
            return False
        self._failing = False
        for uid, progress in stored.items():
            taken[uid].saved(said[uid][1], progress)
        return True


def _store(tx: Transaction, said: Mapping[str, tuple[int, Mapping[int, Heard]]]) -> dict[str, RankProgress]:
    """Store what ranks said beside what other servers have stored of the same start's; return it all."""
    found = {}
    for uid, (fence, unsaved) in sorted(said.items()):
        stored = tx.rank_progress(uid, fence, lock=True)
        ranks = {**(stored.ranks if stored else {}), **unsaved}
        newest = max(rank.at for rank in ranks.values())
        found[uid] = RankProgress(uid, fence, ranks, newest)
        tx.put_rank_progress(found[uid])
    return found
