"""One seed: servers, jobs and operators in one loop, and what befalls them."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from tests.simulation.database import database
from tests.simulation.faults import Faults
from tests.simulation.history import History
from tests.simulation.job import Attempt, Job
from tests.simulation.loop import Loop
from tests.simulation.network import Network
from tests.simulation.operators import Operator
from tests.simulation.server import Process

_BEGAN = 1_764_000_000_000_000_000
_MOST_SECONDS = 400_000.0
_LATE = 4000.0
"""Virtual seconds after which no message is under way any more."""


class World:
    """All there is in a seed, and what happens in it."""

    def __init__(self, seed: int, only: frozenset[str] | None = None) -> None:
        self.seed = seed
        self.random = Random(f"lrkeeper {seed}")
        self.loop = Loop(Random(self.random.getrandbits(64)))
        self.faults = Faults(Random(self.random.getrandbits(64)), only)
        self.history = History(self.loop.time)
        self.database = database()
        self.network = Network(self)
        self._clock_offset = 0
        self._number = 0
        self._backups: list[bytes] = []
        self._epoch = self._new_epoch()
        self.database.fresh(self._epoch)
        self._tasks: list[asyncio.Task[None]] = []
        two = self.faults.may("two_servers") and self.faults.note("two_servers")
        self._names = ["a", "b"] if two else ["a"]
        self._with_writer = not two and self.random.random() < 0.5
        self.servers: dict[str, Process | None] = dict.fromkeys(self._names)
        self.jobs: list[Job] = []

    def run(self) -> None:
        """Live through the seed."""
        self.loop.run(self._live(), _MOST_SECONDS)
        if self.loop.failures:
            raise self.loop.failures[0]

    # What others ask for.

    def nanoseconds(self) -> int:
        """Return what a server's clock says."""
        return _BEGAN + int(self.loop.time() * 1e9) + self._clock_offset

    def clock(self) -> int:
        """Return the same in microseconds."""
        return self.nanoseconds() // 1000

    def number(self) -> int:
        """Return the number of a new definition."""
        self._number += 1
        return self._number

    def some_server(self) -> Process | None:
        """Return a server that a message reaches."""
        up = [server for server in self.servers.values() if server is not None]
        return self.random.choice(up) if up else None

    def server_ended(self, process: Process) -> None:
        """Note that a server has crashed; it comes back after a while."""
        self.servers[process.name] = None
        self.loop.call_later(self.random.choice((0.0, 0.5, 5.0, 60.0)), self._boot, process.name)

    # What happens.

    async def _live(self) -> None:
        for name in self._names:
            self._boot(name)
        self.jobs = [Job(self, f"run-{i}") for i in range(self.random.choice((1, 1, 2)))]
        self._follow_plan()
        if any(job.kind == "stored" for job in self.jobs):
            await Operator(self, "planner").create()
        for job in self.jobs:
            job.launch()
        turns = self._turns()
        for _ in range(self.random.choice((8, 16, 30))):
            await asyncio.sleep(self.random.choice((0.2, 1.0, 4.0, 12.0)))
            self._back_up()
            if turns:
                getattr(self, f"_{self.random.choice(turns)}")(self.random.choice(self.jobs))
            for job in self.jobs:
                if not job.living:
                    job.launch()
        await self._heal()
        await self._look()

    def _follow_plan(self) -> None:
        told = any(job.kind == "tokens" for job in self.jobs)  # an edit must suit whichever job has the run
        if len(self.jobs) == 2 and not told and self.faults.may("same_name_twice"):
            self.faults.note("same_name_twice")
            self.jobs[1].name = self.jobs[0].name

    def _turns(self) -> list[str]:
        names = (
            "server_crash",
            "clock_jump",
            "rank_crash",
            "preemption",
            "rank_paused",
            "paused_past_takeover",
            "rank_silent",
            "edit",
            "edit",
            "schedule_update",
            "rollback",
            "rank_cut_off",
            "database_restored",
        )
        return [name for name in names if name in self.faults.rates]

    def _server_crash(self, _: Job) -> None:
        server = self.some_server()
        if server is not None and self.faults.note("server_crash"):
            server.crash()
            self.server_ended(server)

    def _clock_jump(self, _: Job) -> None:
        self.faults.note("clock_jump")
        seconds = self.random.choice((3600, -3600, 31_536_000, -31_536_000, 61, -61))
        self._clock_offset += seconds * 10**9
        self.history.note("clock_jump", seconds=seconds)

    def _rank_crash(self, job: Job) -> None:
        """One rank ends; its launcher then ends the others and starts anew."""
        attempt, rank = self._some_rank(job)
        if rank is not None and self.faults.note("rank_crash"):
            rank.kill()
            self.loop.call_later(self.random.choice((0.0, 2.0, 20.0)), attempt.end)
            self.loop.call_later(self.random.choice((0.0, 2.0, 20.0)), self._again, job)

    def _again(self, job: Job) -> None:
        if self.faults.on:
            job.launch()

    def _rank_silent(self, job: Job) -> None:
        """One rank ends, and nobody notices."""
        _, rank = self._some_rank(job)
        if rank is not None and self.faults.note("rank_silent"):
            rank.kill()

    def _preemption(self, job: Job) -> None:
        """A new start, while the old one lives on for a while."""
        self.faults.note("preemption")
        for attempt in job.living:
            self.loop.call_later(self.random.choice((0.5, 20.0, 200.0)), attempt.end)
        job.launch()

    def _rank_paused(self, job: Job) -> None:
        _, rank = self._some_rank(job)
        if rank is not None and self.faults.note("rank_paused"):
            rank.paused_until = self.loop.time() + self.random.choice((1.0, 15.0, 90.0))

    def _paused_past_takeover(self, job: Job) -> None:
        """A start stops, another one takes its run, and the first wakes up."""
        living = job.living
        if living and self.faults.note("paused_past_takeover"):
            for attempt in living:
                for rank in attempt.ranks.values():
                    rank.paused_until = self.loop.time() + self.random.choice((15.0, 90.0))
                self.loop.call_later(200.0, attempt.end)
            job.launch()

    def _edit(self, job: Job) -> None:
        self.faults.note("edit")
        self._spawn(Operator(self, f"operator-{self.number()}").edit(job))

    def _schedule_update(self, _: Job) -> None:
        if any(job.kind == "stored" for job in self.jobs) and self.faults.note("schedule_update"):
            self._spawn(Operator(self, f"planner-{self.number()}").update())

    def _rollback(self, job: Job) -> None:
        self._spawn(Operator(self, f"operator-{self.number()}").roll_back(job))

    def _rank_cut_off(self, job: Job) -> None:
        _, rank = self._some_rank(job)
        if rank is not None and self.faults.note("rank_cut_off"):
            self.network.cut_off.add(rank.name)
            again = self.random.choice((1.0, 15.0, 90.0))
            self.loop.call_later(again, self.network.cut_off.discard, rank.name)

    def _back_up(self) -> None:
        if not self._backups and self.random.random() < 0.3:
            self._backups.append(self.database.copy())
            self.history.note("backup")

    def _database_restored(self, _: Job) -> None:
        """All servers end, and come back on a database of an earlier time; once in a seed."""
        if len(self._backups) != 1 or not self.faults.fires("database_restored"):
            return
        for server in [each for each in self.servers.values() if each is not None]:
            server.crash()
            self.server_ended(server)
        if not self.faults.fires("restored_by_hand"):
            self._epoch = self._new_epoch()
        self.database.put(self._backups[0], self._epoch)
        self._backups.append(b"")
        self.history.note("restored", epoch=self._epoch)

    def _some_rank(self, job: Job) -> tuple[Attempt, Any]:
        found = [(attempt, rank) for attempt in job.living for rank in attempt.ranks.values()]
        return self.random.choice(found) if found else (None, None)  # type: ignore[return-value]

    async def _heal(self) -> None:
        """Let nothing go wrong any more; every job must get on then."""
        self.faults.on = False
        self.network.cut_off.clear()
        for job in self.jobs:
            for attempt in job.living:
                attempt.end()
        await asyncio.sleep(_LATE)
        for job in self.jobs:
            for attempt in job.living:
                attempt.end()
        for name in sorted({job.name for job in self.jobs}):
            await self._last_starts([job for job in self.jobs if job.name == name])
        for task in self._tasks:
            await task
        await asyncio.sleep(10.0)

    async def _last_starts(self, jobs: list[Job]) -> None:
        """Start the jobs of a run's name once more: one of them, if there are two, has another schedule."""
        steps = 0
        for job in jobs:
            attempt = await self._finish(job.launch())
            # The checkpoint may be one of a branch that was left, and a repaired run begin with groups added.
            for groups in (job.first_groups, job.most_groups):
                if attempt.steps < attempt.size:
                    attempt.end()
                    attempt = await self._finish(job.launch_anew(groups))
            steps = max(steps, attempt.steps)
            attempt.end()
        self.history.note("last_start", run=jobs[0].name, steps=steps)

    async def _finish(self, attempt: Attempt) -> Attempt:
        """Let a start make some steps, if it can."""
        began = self.loop.time()
        while attempt.ranks and attempt.steps < 8 * attempt.size and self.loop.time() < began + 400:
            await asyncio.sleep(1.0)
        return attempt

    async def _look(self) -> None:
        """Have some steps explained, and write down what the database has."""
        tables = self.database.tables()
        names = {row["uid"]: row["name"] for row in tables["runs"]}
        blocks = tables["blocks"]
        viewer = Operator(self, "viewer")
        for block in self.random.sample(blocks, min(8, len(blocks))):
            step = block["first_step"] + self.random.randrange(block["count"])
            await viewer.explain(names[block["run_uid"]], block["branch"], step)
        self.history.note("stored", tables=plain(tables))

    def _boot(self, name: str) -> None:
        if self.servers[name] is None:
            self.servers[name] = Process(self, name, with_writer=self._with_writer)

    def _spawn(self, work: Any) -> None:
        self._tasks.append(self.loop.create_task(work))

    def _new_epoch(self) -> str:
        return f"{self.random.getrandbits(128):032x}"


def plain(tables: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Return rows as JSON has them: bytes in hexadecimal."""
    return {
        name: [{k: v.hex() if isinstance(v, bytes) else v for k, v in row.items()} for row in rows]
        for name, rows in tables.items()
    }
