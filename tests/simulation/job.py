"""A training job: its starts, one after the other or at once, and the checkpoints they leave."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from lrkeeper.views import Checkpoint, Group, OnExisting, Remembered, Start
from tests.simulation.definitions import BASES, a_definition
from tests.simulation.rank import Rank

if TYPE_CHECKING:
    from tests.simulation.world import World


class Saved(NamedTuple):
    """A checkpoint, and how many param groups it has."""

    place: Checkpoint
    groups: int
    remembered: Remembered
    """What it would say of its run, if the database had lost some of it."""


class Job:
    """What is the same in all starts of a job."""

    def __init__(self, world: World, name: str) -> None:
        random = world.random
        self.world, self.name = world, name
        self.kind = random.choice(("closed", "closed", "exponential", "stored", "tokens"))
        self.definition = a_definition(self.kind, world.number(), random)
        self.first_groups = random.choice((1, 1, 2))
        adds = self.kind != "stored" and world.faults.may("groups_added")
        self.adds_at = random.randrange(2, 30) if adds else -1
        self.most_groups = self.first_groups + adds
        self.tells = self.kind == "tokens" or (
            self.kind == "exponential" and "value_adopted" in world.faults.rates and random.random() < 0.6
        )
        self.window = random.choice((1, 1, 2, 3)) if self.tells else random.choice((1, 2, 4, 8, 8, 16, 50))
        if self.tells and (self.kind != "tokens" or "database_restored" in world.faults.rates):
            self.window = 1
        self.seconds = random.choice((0.3, 1.0, 1.0, 3.0))
        self.skew = random.choice((1, 1, 1, 3, 40))
        self.saves_every = random.choice((1, 3, 7))
        self.world_size = random.choice((1, 1, 2, 2, 3, 4))
        self.saved: list[Saved] = []
        self.attempts: list[Attempt] = []

    def groups(self, count: int) -> tuple[Group, ...]:
        """Return the first so many param groups."""
        return tuple(Group(None, "float64", {"lr": base}, {"lr": base}) for base in BASES[:count])

    @property
    def living(self) -> list[Attempt]:
        """The starts of which some rank is alive."""
        return [attempt for attempt in self.attempts if attempt.ranks and not attempt.over]

    def launch(self) -> Attempt:
        """Start the job once more, from a checkpoint or from nothing."""
        world, random = self.world, self.world.random
        saved = self.saved[-1] if self.saved else None
        on_existing: OnExisting = "resume"
        if len(self.saved) > 1 and world.faults.fires("older_checkpoint"):
            saved = random.choice(self.saved)
        if saved is None or world.faults.fires("no_checkpoint"):
            saved = None
            on_existing = random.choice(("resume", "takeover", "takeover", "takeover", "new_branch"))
        if self.attempts and world.faults.may("world_size_change"):
            size = random.choice((1, 2, 3, 4))
            if size != self.world_size:
                self.world_size = size
                world.faults.note("world_size_change")
        return self._launch(saved, on_existing)

    def launch_anew(self, groups: int) -> Attempt:
        """Start the job without a checkpoint, with so many param groups, whoever has its run."""
        attempt = self._launch(None, "takeover")
        attempt.groups = self.groups(groups)
        return attempt

    def _launch(self, saved: Saved | None, on_existing: OnExisting) -> Attempt:
        attempt = Attempt(self, len(self.attempts), saved, on_existing)
        self.attempts.append(attempt)
        return attempt


class Attempt:
    """One start of a job: ranks with one incarnation."""

    def __init__(self, job: Job, number: int, saved: Saved | None, on_existing: OnExisting) -> None:
        self.job, self.world = job, job.world
        self.incarnation = f"{job.name}-{number}-{job.world.random.getrandbits(32):08x}"
        self.saved, self.on_existing = saved, on_existing
        self.groups = job.groups(saved.groups if saved else job.first_groups)
        self.size = job.world_size
        self.over = False
        self.steps = 0
        """How many steps its ranks have made."""
        self._held: set[int] = set()
        self._applied: dict[int, int] = {}
        self._waiting: list[asyncio.Future[None]] = []
        self.odd_rank = job.world.random.randrange(self.size)
        """The rank that loads another checkpoint, if one does."""
        self.odd = bool(saved) and self.size > 1 and self.world.faults.fires("rank_differs")
        self.ranks: dict[int, Rank] = {}
        self.ranks = {rank: Rank(self, rank) for rank in range(self.size)}

    def start(self, rank: int) -> Start:
        """Return what a rank brings."""
        saved = self.saved
        if self.odd and rank == self.odd_rank:
            saved = self.job.saved[0]
        return Start(
            run=self.job.name,
            incarnation=self.incarnation,
            groups=self.groups,
            schedule="plan" if self.job.kind == "stored" else self.job.definition,
            rank=rank,
            world_size=self.size,
            on_existing=self.on_existing,
            checkpoint=saved.place if saved else None,
            remembered=saved.remembered if saved else None,
        )

    def holds(self, rank: Rank) -> None:
        """Note that a rank has taken the run; after it has added groups, with those."""
        self._held.add(rank.rank)
        assert rank.place is not None
        self.groups = self.job.groups(max(len(self.groups), rank.place.values.groups))

    def applied(self, rank: Rank) -> None:
        """Note a rank's step."""
        self._applied[rank.rank] = rank.step
        self.steps += 1
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def in_step(self, rank: Rank) -> None:
        """Wait as a collective does: until no rank is further behind than the job's ranks may be."""
        while len(self._applied) < self.size or rank.step - min(self._applied.values()) >= self.job.skew:
            future: asyncio.Future[None] = self.world.loop.create_future()
            self._waiting.append(future)
            await future

    def save(self, rank: Rank) -> None:
        """Leave a checkpoint."""
        place = rank.place
        assert place is not None
        where = Checkpoint(place.run_uid, place.branch, rank.step)
        self.job.saved.append(Saved(where, place.values.groups, rank.remembered(held=False)))

    def left(self, rank: Rank) -> None:
        """Note that a rank has ended."""
        self.ranks.pop(rank.rank, None)

    def end(self) -> None:
        """End all ranks."""
        self.over = True
        for rank in list(self.ranks.values()):
            rank.kill()
