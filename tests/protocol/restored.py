"""A server whose database is put back from an older backup, and what jobs remember of their runs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lrkeeper import Client
from lrkeeper.schedules.given import NOTHING, Given
from lrkeeper.server.storage import backup
from lrkeeper.server.storage.engine import parse_url
from lrkeeper.views import Edit, Place, Remembered, RememberedRows, Start, Window
from tests.protocol import jobs
from tests.protocol.stored import file_of
from tests.support.server import ServerProcess

SLOW_BITS = jobs.torch_bits(jobs.torch_step(0.999), 400)
"""What torch gives at the steps of `a_job`."""


class Backups:
    """Backups of a server's file."""

    def __init__(self, server: ServerProcess, folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._count = 0

    def take(self) -> Path:
        """Return a backup of the database as it is, taken while the server runs."""
        self._count += 1
        path = self._folder / f"backup-{self._count}.sqlite3"
        backup.take(parse_url(self._server.database_url), path)
        return path

    def put_back(self, path: Path) -> None:
        """Put a backup in the database's place as `lrkeeper db restore` does, while the server is down."""
        self._server.kill()
        backup.put_back(parse_url(self._server.database_url), path)
        self._server.start()

    def put_back_by_hand(self, path: Path) -> None:
        """Put a backup in the database's place as people do: it keeps its store epoch."""
        self._server.kill()
        file = file_of(self._server)
        for suffix in ("-wal", "-shm"):
            file.with_name(file.name + suffix).unlink(missing_ok=True)
        shutil.copyfile(path, file)
        self._server.start()


class Job:
    """A rank of a job, as far as it remembers its run."""

    def __init__(self, client: Client, place: Place, **fields: Any) -> None:
        self.client = client
        self.place = place
        self.fields = fields
        self.step = place.resume_step
        self.frontier = place.frontier
        self.revision = place.revision
        self.schedule = place.schedule
        self.rows: list[RememberedRows] = [
            RememberedRows(
                place.values, place.revision, place.schedule, place.cursor, place.cursor_step, place.given
            )
        ]
        self.edits: Sequence[Edit] = place.edits

    @classmethod
    def begun(cls, client: Client, **fields: Any) -> Job:
        """Return a job that has begun a new run."""
        return cls(client, client.acquire_run(jobs.a_start(jobs.new_name(), **fields)), **fields)

    @property
    def end(self) -> int:
        """The first step of which it has no values."""
        return self.rows[-1].table.end_step

    def fetch(self, count: int, given: Given = NOTHING) -> Window:
        """Ask for steps behind those it holds, and keep them."""
        window = self.client.next_lr(
            self.place,
            self.end,
            count,
            applied_step=self.end - 1,
            revision=self.revision,
            frontier=self.frontier,
            given=given,
        )
        self.frontier = max(self.frontier, window.frontier)
        if window.table is not None:
            self.revision, self.schedule = window.revision, window.schedule or self.schedule
            self.rows.append(
                RememberedRows(
                    window.table,
                    window.revision,
                    self.schedule,
                    window.cursor,
                    window.cursor_step,
                    window.given,
                )
            )
        return window

    def hold(self, end: int) -> Job:
        """Fetch until it has the steps below one."""
        while self.end < end:
            window = self.fetch(end - self.end)
            assert window.table is not None, window
        return self

    def bits(self, first: int, end: int) -> jobs.Bits:
        """Return the bits it was given."""
        found: jobs.Bits = []
        for rows in self.rows:
            low, high = max(first, rows.table.first_step), min(end, rows.table.end_step)
            if low < high:
                found += jobs.bits(rows.table.cut(low, high))
        return found

    def remembered(self, first: int | None = None, end: int | None = None, **fields: Any) -> Remembered:
        """Return what it remembers, of its rows those in [first, end)."""
        rows = []
        for each in self.rows:
            low = max(each.table.first_step, 0 if first is None else first)
            high = min(each.table.end_step, self.end if end is None else end)
            if low < high:
                rows.append(replace(each, table=each.table.cut(low, high)))
        return replace(
            Remembered(
                store_epoch=self.place.store_epoch,
                fence=self.place.fence,
                branch=self.place.branch,
                frontier=self.frontier,
                rows=tuple(rows),
                edits=tuple(self.edits),
            ),
            **fields,
        )

    def start(self, remembered: Remembered | None = None, **fields: Any) -> Start:
        """Return the start with which it comes back: the same one, with what it remembers."""
        values = {
            **self.fields,
            "incarnation": self.place.incarnation,
            "rank": self.place.rank,
            "checkpoint": jobs.checkpoint_of(self.place, self.step),
            "remembered": remembered or self.remembered(),
            **fields,
        }
        return jobs.a_start(self.place.run, **values)

    def come_back(self, remembered: Remembered | None = None, **fields: Any) -> Place:
        """Take the run again."""
        self.place = self.client.acquire_run(self.start(remembered, **fields))
        self.frontier = self.place.frontier
        self.edits = self.place.edits
        return self.place

    def rank(self, client: Client, rank: int) -> Job:
        """Return another rank of the same start."""
        place = client.acquire_run(
            jobs.a_start(
                self.place.run, **{**self.fields, "incarnation": self.place.incarnation, "rank": rank}
            )
        )
        return Job(client, place, **self.fields)


def a_job(client: Client, **fields: Any) -> Job:
    """Return a job that has begun a new run, of a schedule that has another value at every step."""
    return Job.begun(client, **{"schedule": jobs.SLOW, **fields})


def stored(client: Client, run: str, first: int, end: int) -> jobs.Bits:
    """Return what a run's present branch has of the steps in [first, end), as blocks."""
    found: jobs.Bits = []
    for block in client.list_blocks(run, from_step=first):
        low, high = max(first, block.table.first_step), min(end, block.table.end_step)
        if low < high:
            found += jobs.bits(block.table.cut(low, high))
    return found
