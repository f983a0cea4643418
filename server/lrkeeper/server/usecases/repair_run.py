"""AcquireRun with `remembered`: what the database has lost of a run is put back from what a job holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import takewhile
from typing import Any

from lrkeeper.errors import RunExists
from lrkeeper.schedules.cursor import EVALUATOR_VERSION
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs.acquire import Checkpoint, Known, Start
from lrkeeper.server.runs.differences import groups_difference
from lrkeeper.server.runs.lineage import Lineage, end_of, having
from lrkeeper.server.runs.records import Edit, Incarnation, LostEdit, Run, base_row
from lrkeeper.server.runs.repair import Remembered, compare, ended, is_repair_of, own_fence, plan
from lrkeeper.server.storage.contract import Transaction
from lrkeeper.server.usecases.keeper import lineage_of, still_to_act
from lrkeeper.server.usecases.lost_edits import noted_lost, told
from lrkeeper.server.usecases.put_back import opened
from lrkeeper.server.usecases.repaired_branches import (
    NO_BRANCH,
    Timeline,
    begun_anew,
    extended,
    forked,
)


@dataclass(frozen=True)
class Mended:
    """A start, standing where the run has its step now; what was put back, and which edits were lost."""

    start: Start
    held: bool = False
    """Whether the start has the run, with its own fence."""
    repaired: bool = False
    lost: tuple[LostEdit, ...] = ()
    log: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    """What the server's log shall say once it is committed: events, and their facts."""


def mend(tx: Transaction, start: Start, remembered: Remembered, known: Known | None, now: int) -> Mended:
    """Put back what a job remembers and the database has lost; `known` is None where it has lost the run.

    Rows that are here must be those remembered. Nothing is put back where nothing was lost.

    Raises:
        RunFenced: another start has the run, with a higher fence than the job remembers.
        RemembersOther: the run has other values at a step.
        RunExists: the run is lost, and another one has its name.
        InvalidArgument: what is remembered does not hold together.
    """
    assert start.checkpoint is not None
    for number, rows in enumerate(remembered.rows):
        opened(rows, base_row(start.groups), number)
    if known is None:
        return _made(tx, start, remembered, now)
    fence = own_fence(remembered, known)
    if fence is None and start.on_resume == "checkpoint":
        # Its values shall win, on a branch of their own, whatever the run has had.
        return Mended(start, repaired=_ranked(tx, start, known.run, known, remembered, fence, now))
    run, lineage = known.run, known.lineage
    branch = lineage[0]
    alike = not groups_difference(start.groups, branch.groups)
    theirs = tx.branch(run.uid, remembered.branch)
    goes_on = alike and is_repair_of(branch, remembered.branch, there=theirs is not None)
    on_line = theirs is not None and theirs in lineage
    there = alike and (goes_on or theirs == branch)
    if not (there or on_line or theirs is None):
        return Mended(start)  # the run has left the branch: that is not for a repair to undo
    end = run.frontier if there else 0 if theirs is None else end_of(lineage, theirs, run.frontier)
    compare(
        run.name,
        remembered,
        _stored(tx, known, len(start.groups), remembered.first_step, min(remembered.end_step, end)),
    )
    present = tx.edits(run.uid)
    timeline = Timeline(run, branch, [edit for edit in present if edit.branch == branch.branch])
    todo = plan(remembered, run.branch, run.frontier, there=there, newest=run.branch)
    acts_no_more: list[Edit] = []
    new: list[Edit] = []
    if there or theirs is None:
        before = timeline.edits
        if todo.action == "extend":
            timeline, new = extended(tx, timeline, remembered, todo, fence, now)
        elif todo.action == "anew":
            later = _later(tx, start, lineage, todo.frontier - 1) if alike else None
            timeline, new = begun_anew(tx, start, timeline, remembered, todo, fence, now, later)
        if todo.action != "nothing":
            frontier = min(run.frontier, todo.frontier)
            acts_no_more = ended(before, timeline.edits, remembered, frontier)
        if todo.fork is not None:
            timeline = forked(tx, timeline, remembered, todo.fork, now)
    changed = _ranked(tx, start, timeline.run, known, remembered, fence, now)
    lost = noted_lost(tx, run, remembered, present, [*new, *acts_no_more], now)
    repaired = changed or timeline.branch != branch or timeline.run.frontier != run.frontier
    log = told(run, lost, now)
    if repaired:
        facts = {
            "run": run.name,
            "frontier": timeline.run.frontier,
            "frontier_before": run.frontier,
            "branch": timeline.run.branch,
            "branch_before": run.branch,
            "fence": max(timeline.run.fence, fence or 0),
            "incarnation": start.incarnation,
            "rank": start.rank,
        }
        log = (("run repaired", facts), *log)
    place = start.checkpoint
    moved = goes_on or theirs is None or (there and todo.action == "anew")
    if moved and remembered.first_step <= place.step < remembered.end_step:
        stands = _standing(tx, timeline, place.step)
        start = (
            start if stands is None else replace(start, checkpoint=Checkpoint(run.uid, stands, place.step))
        )
    return Mended(start, fence is not None, repaired, lost, log)


def _made(tx: Transaction, start: Start, remembered: Remembered, now: int) -> Mended:
    """Create the run again that the database has lost, under its uid; nothing where the start never had it."""
    assert start.checkpoint is not None
    if not remembered.held or not remembered.rows:
        return Mended(start)
    if tx.run_by_name(start.run) is not None:
        raise RunExists(
            f"the database has lost run {start.run!r} (uid {start.checkpoint.run_uid}), and there is another one of "
            "this name; give the job another run name",
            run=start.run,
        )
    todo = plan(remembered, 0, 0, there=False, newest=0)
    revision = max(1, remembered.revision)
    run = Run(
        uid=start.checkpoint.run_uid,
        name=start.run,
        state="active",
        unit=start.unit,
        branch=todo.branch,
        fence=max(1, remembered.fence),
        frontier=todo.first_step + 1,
        revision=revision,
        cursor="",
        evaluator_version=EVALUATOR_VERSION,
        schedule_uid=start.schedule_uid,
        created_at=now,
        heard_at=now,
        heard_every=0,
        labels=start.labels,
    )
    tx.insert_run(run)
    timeline, new = begun_anew(
        tx, start, Timeline(run, NO_BRANCH, []), remembered, todo, run.fence, now, None
    )
    tx.insert_incarnation(_incarnation(start, timeline.run, now))
    lost = noted_lost(tx, run, remembered, [], new, now)
    facts = {"run": run.name, "run_uid": run.uid, "frontier": timeline.run.frontier, "fence": run.fence}
    place = Checkpoint(run.uid, timeline.run.branch, start.checkpoint.step)
    log = (("run made again", facts), *told(run, lost, now))
    return Mended(replace(start, checkpoint=place), True, True, lost, log)


def _later(tx: Transaction, start: Start, lineage: Lineage, step: int) -> list[Edit]:
    """Return the edits that the run's timeline has after a step, as far back as it has the start's param groups.

    What a branch has taken over is no such edit: it was evaluated at the branch's origin, not a step before, to act.
    """
    alike = tuple(takewhile(lambda branch: not groups_difference(start.groups, branch.groups), lineage))
    return still_to_act(tx, alike, having(alike, alike[0], step), step)


def _ranked(
    tx: Transaction, start: Start, run: Run, known: Known, remembered: Remembered, fence: int | None, now: int
) -> bool:
    """See that all fences and revisions to come are above those remembered; return whether they would not have been."""
    highest = max(run.fence, fence or 0, remembered.fence)
    revision = max(run.revision, remembered.revision)
    active = {"state": "active", "finished_at": None} if fence is not None and fence > run.fence else {}
    if (highest, revision) != (run.fence, run.revision):
        tx.update_run(run.uid, fence=highest, revision=revision, heard_at=now, **active)
    if fence is not None:
        if known.same is None:
            tx.insert_incarnation(_incarnation(start, replace(run, fence=fence), now))
        elif known.same.fence != fence:
            tx.fence_incarnation(run.uid, start.incarnation, fence)
    return (highest, revision) != (known.run.fence, known.run.revision)


def _incarnation(start: Start, run: Run, now: int) -> Incarnation:
    assert start.checkpoint is not None
    return Incarnation(
        run_uid=run.uid,
        incarnation=start.incarnation,
        fence=run.fence,
        branch=run.branch,
        resume_step=start.checkpoint.step,
        attempt=start.attempt,
        world_size=start.world_size,
        labels=start.holder_labels,
        acquired_at=now,
    )


def _stored(tx: Transaction, known: Known, groups: int, first: int, end: int) -> list[Table]:
    """Return the rows that the run's timeline has in [first, end) of so many param groups.

    Where groups were added, the step has a row on both branches.
    """
    found: list[Table] = []
    for branch in (branch for branch in known.lineage if len(branch.groups) == groups):
        low, high = (
            max(first, branch.origin.step),
            min(end, end_of(known.lineage, branch, known.run.frontier)),
        )
        if low >= high:
            continue
        if low == branch.origin.step:
            found.append(branch.origin.values)
            low += 1
        if low < high:
            blocks = tx.blocks(known.run.uid, branch.branch, low, high - low, end=high)
            found += [block.table.cut(low, high) for block in blocks]
    return found


def _standing(tx: Transaction, timeline: Timeline, step: int) -> int | None:
    """Return the branch of the timeline that has a step; None where there is none."""
    lineage: Lineage = lineage_of(tx, timeline.run)
    for branch in lineage:
        if branch.origin.step <= step < end_of(lineage, branch, timeline.run.frontier):
            return branch.branch
    return None
