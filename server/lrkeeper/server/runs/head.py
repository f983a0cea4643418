"""A run as it stands at its frontier: all that the next rows need, and the rows themselves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from math import isnan
from typing import NamedTuple

from lrkeeper.schedules import Schedule
from lrkeeper.schedules.cursor import EVALUATOR_VERSION, Cursor, Failure, extend
from lrkeeper.schedules.given import NOTHING, Given
from lrkeeper.schedules.numbers import Row
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs.records import Block, Branch, Edit, Run

_RECENT = 8


class Head(NamedTuple):
    """A committed state of a run. A new one is made from it, and takes its place once stored."""

    run: Run
    branch: Branch
    frontier: int
    heard_at: int
    heard_every: int
    schedule: Schedule
    revision: int
    """The revision that `schedule` came with; the run's own counts pending edits too."""
    cursor: Cursor
    cursor_text: str
    pending: tuple[Edit, ...]
    """Edits at or above the frontier, in order of their steps."""
    world_size: int
    """How many ranks the start has that holds the run."""
    recent: tuple[Block, ...] = ()

    @property
    def most(self) -> int:
        """How many rows one request commits, or one answer holds."""
        return self.branch.rows_of_answer


def in_force(edits: list[Edit]) -> list[Edit]:
    """Return the edits that rule some step, in order of their steps.

    At every step the latest edit at or below it rules, so an edit ends all earlier ones that would
    have acted at its step or later.
    """
    ruling: list[Edit] = []
    for edit in edits:
        while ruling and ruling[-1].effective_step >= edit.effective_step:
            ruling.pop()
        ruling.append(edit)
    return ruling


def head_of(run: Run, branch: Branch, edits: list[Edit], world_size: int = 1) -> Head:
    """Return the head of a run as it is stored; `edits` are its branch's, `world_size` its holder's."""
    schedule, revision = branch.schedule, branch.revision
    ruling = in_force(edits)
    for edit in ruling:
        if edit.effective_step < run.frontier:
            schedule, revision = edit.schedule, edit.revision
    return Head(
        run=run,
        branch=branch,
        frontier=run.frontier,
        heard_at=run.heard_at,
        heard_every=run.heard_every,
        schedule=schedule,
        revision=revision,
        cursor=Cursor.from_json(run.cursor, branch.base),
        cursor_text=run.cursor,
        pending=tuple(edit for edit in ruling if edit.effective_step >= run.frontier),
        world_size=world_size,
    )


def _numbers(
    schedule: Schedule, base: Row, cursor: Cursor, count: int, given: Given
) -> tuple[Cursor, list[Row], Failure | None]:
    """Extend as far as there are numbers: a nan would be committed for good, and no optimizer is given one."""
    after, rows, failure = extend(schedule, base, cursor, count, given)
    for place, row in enumerate(rows):
        if any(map(isnan, chain.from_iterable(row.values()))):
            after, rows, _ = extend(schedule, base, cursor, place, given)
            name = type(schedule).__name__
            return (
                after,
                rows,
                Failure(after.step + 1, "ValueError", f"{name}: the values are no numbers (nan)"),
            )
    return after, rows, failure


def advanced(
    head: Head, target: int, now: int, told: Sequence[Given] = ()
) -> tuple[Head, tuple[Block, ...], Failure | None]:
    """Return the head with its frontier at `target`, the blocks in between, and why it is lower if so.

    `now` (microseconds) is noted as when the run was heard of; `told` is what the steps from the frontier on
    learned from outside, each a block of its own then. A block has one revision: it ends where an edit begins
    to act.
    """
    frontier, schedule, revision = head.frontier, head.schedule, head.revision
    cursor, text, pending = head.cursor, head.cursor_text, head.pending
    run, base = head.run, head.branch.base
    blocks: list[Block] = []
    failure = None
    while frontier < target and failure is None:
        if pending and pending[0].effective_step == frontier:
            edit, pending = pending[0], pending[1:]
            schedule, revision, text = edit.schedule, edit.revision, edit.cursor
            progress, cursor = cursor.progress, Cursor.from_json(text, base)
            if progress:
                cursor = cursor._replace(progress=progress)
                text = cursor.to_json(base)
        end = min(target, pending[0].effective_step) if pending else target
        given = NOTHING
        if told:
            given, end = told[frontier - head.frontier], frontier + 1
        cursor, rows, failure = _numbers(schedule, base, cursor, end - frontier, given)
        if rows:
            table = Table.from_rows(frontier, rows)
            learned = given.to_json() if given else None
            blocks.append(
                Block(run.uid, run.branch, table, revision, run.fence, text, EVALUATOR_VERSION, learned)
            )
            frontier = table.end_step
            text = cursor.to_json(base)
    every = max(0, now - head.heard_at)
    recent = (*head.recent, *blocks)[-_RECENT:]
    after = Head(
        run,
        head.branch,
        frontier,
        now,
        every,
        schedule,
        revision,
        cursor,
        text,
        pending,
        head.world_size,
        recent,
    )
    return after, tuple(blocks), failure
