"""AcquireRun with `remembered`: what the database has lost of a run is put back from what a job holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import structlog

from lrkeeper.errors import RunExists
from lrkeeper.schedules import codec
from lrkeeper.schedules.cursor import EVALUATOR_VERSION
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs.acquire import Checkpoint, Known, Start, groups_difference
from lrkeeper.server.runs.head import in_force
from lrkeeper.server.runs.lineage import Lineage, end_of
from lrkeeper.server.runs.records import Branch, Edit, Incarnation, LostEdit, Origin, Run, base_row
from lrkeeper.server.runs.repair import Plan, Remembered, compare, ended, lost_edits, own_fence, plan
from lrkeeper.server.storage.contract import Transaction
from lrkeeper.server.storage.ids import new_uid
from lrkeeper.server.usecases.keeper import lineage_of
from lrkeeper.server.usecases.put_back import UNKNOWN, at_first, opened, put_back

AUTHOR = "lrkeeper"
"""Who has made a branch that a repair begins."""

_log = structlog.get_logger("lrkeeper.repair")


@dataclass(frozen=True)
class Mended:
    """A start, standing where the run has its step now; what was put back, and which edits were lost."""

    start: Start
    held: bool = False
    """Whether the start has the run, with its own fence."""
    repaired: bool = False
    lost: tuple[LostEdit, ...] = ()


@dataclass(frozen=True)
class _Timeline:
    """A run on its present branch, with that one's edits, in the course of a repair."""

    run: Run
    branch: Branch
    edits: list[Edit]


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
    run, lineage = known.run, known.lineage
    branch = lineage[0]
    alike = not groups_difference(start.groups, branch.groups)
    theirs = tx.branch(run.uid, remembered.branch)
    # Rows of the branch that a repair has left go on as that repair's, from whichever rank they come.
    goes_on = (
        alike
        and branch.author == AUTHOR
        and (remembered.branch < branch.branch if theirs is None else branch.parent == theirs.branch)
    )
    on_line = theirs is not None and theirs in lineage
    there = alike and (goes_on or theirs == branch)
    if not (there or on_line or theirs is None):
        return Mended(start)  # the run has left the branch: that is not for a repair to undo
    end = run.frontier if there else 0 if theirs is None else end_of(lineage, theirs, run.frontier)
    compare(run.name, remembered, _stored(tx, known, remembered.first_step, min(remembered.end_step, end)))
    present = tx.edits(run.uid)
    timeline = _Timeline(run, branch, [edit for edit in present if edit.branch == branch.branch])
    todo = plan(remembered, run.branch, run.frontier, there=there, newest=run.branch)
    acts_no_more: list[Edit] = []
    new: list[Edit] = []
    if there or theirs is None:
        before = timeline.edits
        if todo.action == "extend":
            timeline, new = _extended(tx, timeline, remembered, todo, fence, now)
        elif todo.action == "anew":
            timeline, new = _begun_anew(tx, start, timeline, remembered, todo, fence, now, alike=alike)
        acts_no_more = (
            ended(before, timeline.edits, remembered, run.frontier) if todo.action != "nothing" else []
        )
        if todo.fork is not None:
            timeline = _forked(tx, timeline, remembered, todo.fork, now)
    changed = _ranked(tx, start, timeline.run, known, remembered, fence, now)
    lost = _noted(tx, run, remembered, present, [*new, *acts_no_more], now)
    repaired = changed or timeline.branch != branch or timeline.run.frontier != run.frontier
    if repaired:
        _log.warning(
            "run repaired",
            run=run.name,
            frontier=timeline.run.frontier,
            frontier_before=run.frontier,
            branch=timeline.run.branch,
            branch_before=run.branch,
            fence=max(timeline.run.fence, fence or 0),
            incarnation=start.incarnation,
            rank=start.rank,
        )
    place = start.checkpoint
    moved = goes_on or theirs is None or todo.action == "anew"
    if moved and remembered.first_step <= place.step < remembered.end_step:
        stands = _standing(tx, timeline, place.step)
        start = (
            start if stands is None else replace(start, checkpoint=Checkpoint(run.uid, stands, place.step))
        )
    return Mended(start, fence is not None, repaired, lost)


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
    timeline, new = _begun_anew(
        tx, start, _Timeline(run, _NONE, []), remembered, todo, run.fence, now, alike=False
    )
    tx.insert_incarnation(_incarnation(start, timeline.run, now))
    lost = _noted(tx, run, remembered, [], new, now)
    _log.warning("run created again", run=run.name, run_uid=run.uid, frontier=timeline.run.frontier)
    place = Checkpoint(run.uid, timeline.run.branch, start.checkpoint.step)
    return Mended(replace(start, checkpoint=place), True, True, lost)


def _extended(
    tx: Transaction, timeline: _Timeline, remembered: Remembered, todo: Plan, fence: int | None, now: int
) -> tuple[_Timeline, list[Edit]]:
    run, branch = timeline.run, timeline.branch
    back = put_back(
        branch, timeline.edits, remembered, todo.first_step, fence or run.fence, run.revision, now
    )
    tx.insert_blocks(back.blocks)
    for edit in back.edits:
        tx.insert_edit(edit)
    revision = max([run.revision, *(edit.revision for edit in back.edits)])
    run = replace(run, frontier=todo.frontier, cursor=back.cursor, revision=revision)
    tx.update_run(run.uid, frontier=run.frontier, cursor=run.cursor, revision=run.revision)
    return _Timeline(run, branch, [*timeline.edits, *back.edits]), list(back.edits)


def _begun_anew(
    tx: Transaction,
    start: Start,
    timeline: _Timeline,
    remembered: Remembered,
    todo: Plan,
    fence: int | None,
    now: int,
    *,
    alike: bool,
) -> tuple[_Timeline, list[Edit]]:
    """Begin a branch at the first remembered row; edits that are to act after the rows go on to act there."""
    run, first = timeline.run, remembered.rows[0]
    fresh = timeline.branch is _NONE
    step, revision = todo.first_step, max(run.revision, remembered.revision) + (0 if fresh else 1)
    same = alike and timeline.branch.origin.definition == start.definition
    branch = Branch(
        run_uid=run.uid,
        branch=todo.branch,
        parent=None if fresh else run.branch,
        fork_step=None,
        revision=revision,
        origin=Origin(
            definition=start.definition,
            schedule_uid=timeline.branch.origin.schedule_uid if same else start.schedule_uid,
            schedule_revision=timeline.branch.origin.schedule_revision if same else start.schedule_revision,
            step=step,
            values=first.table.cut(step, step + 1),
            cursor="",
            parameters=start.parameters,
        ),
        groups=start.groups,
        created_at=now,
        author=AUTHOR,
        reason=f"the database was put back from an older backup: the steps up to {step - 1} that it has not are lost"
        if step > (0 if fresh else run.frontier)
        else "put back from what a job remembers, after the database was put back from an older backup",
    )
    cursor = at_first(first, branch.base).to_json(branch.base)
    branch = replace(branch, origin=replace(branch.origin, cursor=cursor))
    tx.insert_branch(branch)
    edits: list[Edit] = []
    if not codec.same(first.definition, start.definition):
        edits.append(_at_origin(branch, first.definition, remembered, first.revision, revision + 1, now))
    new = list(edits)
    if todo.frontier > step + 1:
        back = put_back(branch, edits, remembered, step + 1, fence or run.fence, revision, now)
        tx.insert_blocks(back.blocks)
        edits += back.edits
        new += back.edits
        cursor = back.cursor
    if alike:
        edits += _moved_to(branch, _to_act(timeline.edits, todo.frontier), edits, revision)
    for edit in edits:
        tx.insert_edit(edit)
    run = replace(
        run,
        branch=branch.branch,
        frontier=todo.frontier,
        cursor=cursor,
        revision=max([revision, *(edit.revision for edit in edits)]),
    )
    tx.update_run(run.uid, branch=run.branch, frontier=run.frontier, cursor=run.cursor, revision=run.revision)
    return _Timeline(run, branch, edits), new


def _forked(tx: Transaction, timeline: _Timeline, remembered: Remembered, number: int, now: int) -> _Timeline:
    """Go on from the last committed step on a branch of its own, with what rules and what is to act."""
    run, left = timeline.run, timeline.branch
    step = run.frontier - 1
    revision = max(run.revision, remembered.revision) + 1
    values = _row(tx, left, step)
    branch = replace(
        left,
        branch=number,
        parent=left.branch,
        fork_step=step,
        revision=revision,
        origin=replace(left.origin, step=step, values=values, cursor=run.cursor),
        created_at=now,
        author=AUTHOR,
        reason=f"the database was put back from an older backup: the values of the steps from {run.frontier} to "
        f"{remembered.frontier - 1}, which a job was given, are lost",
        request_id=None,
        digest=None,
    )
    tx.insert_branch(branch)
    acting = [edit for edit in in_force(timeline.edits) if edit.effective_step <= step][-1:]
    edits = [replace(edit, effective_step=step, cursor=run.cursor) for edit in acting]
    edits = _moved_to(branch, [*edits, *_to_act(timeline.edits, run.frontier)], [], revision)
    for edit in edits:
        tx.insert_edit(edit)
    run = replace(run, branch=number, revision=revision + len(edits))
    tx.update_run(run.uid, branch=run.branch, revision=run.revision)
    return _Timeline(run, branch, edits)


def _to_act(edits: Sequence[Edit], frontier: int) -> list[Edit]:
    return [edit for edit in in_force(list(edits)) if edit.effective_step >= frontier]


def _moved_to(branch: Branch, edits: Sequence[Edit], before: Sequence[Edit], revision: int) -> list[Edit]:
    """Return edits on another branch of the same param groups, under revisions of their own."""
    highest = max([revision, *(edit.revision for edit in before)])
    return [
        replace(edit, revision=highest + i, branch=branch.branch, request_id=new_uid(), digest="")
        for i, edit in enumerate(edits, start=1)
    ]


def _at_origin(
    branch: Branch, definition: str, remembered: Remembered, theirs: int, revision: int, now: int
) -> Edit:
    """Return the edit that ruled at the first remembered row, where the job began with another definition."""
    told = [e for e in remembered.edits if e.revision == theirs]
    known = told[0] if told and codec.same(told[0].definition, definition) else None
    return Edit(
        run_uid=branch.run_uid,
        revision=revision,
        branch=branch.branch,
        request_id=new_uid(),
        digest="",
        operation="replace",
        definition=definition,
        schedule_uid=None,
        schedule_revision=None,
        effective_step=branch.origin.step,
        clamped=False,
        cursor=branch.origin.cursor,
        author=AUTHOR if known is None else known.author,
        reason="in force where the rows that a job remembers begin" if known is None else known.reason,
        created_at=now if known is None else known.created_at,
        parameters=branch.origin.parameters,
    )


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


def _noted(
    tx: Transaction, run: Run, remembered: Remembered, present: Sequence[Edit], more: Sequence[Edit], now: int
) -> tuple[LostEdit, ...]:
    """Record the edits that were lost, once, and return all that the job should know of."""
    noted = tx.lost_edits(run.uid) if remembered.held else []
    here = {edit.request_id for edit in present}
    lost = lost_edits(remembered, present, noted)
    told = {(edit.revision, edit.definition) for edit in remembered.edits}
    lost += [
        LostEdit(
            run_uid=run.uid,
            request_id=edit.request_id,
            branch=edit.branch,
            revision=edit.revision,
            effective_step=edit.effective_step,
            definition=edit.definition,
            author=edit.author,
            reason=edit.reason,
            created_at=edit.created_at,
            found_at=now,
        )
        for edit in more
        if edit.request_id in here
        or (edit.author == UNKNOWN and (edit.revision, edit.definition) not in told)
    ]
    before = {edit.request_id for edit in noted}
    found = [replace(edit, run_uid=run.uid, found_at=now) for edit in lost]
    for edit in found:
        if edit.request_id not in before:
            tx.insert_lost_edit(edit)
            _log.warning(
                "edit lost with an older state of the database",
                run=run.name,
                revision=edit.revision,
                effective_step=edit.effective_step,
                author=edit.author,
                reason=edit.reason,
                request_id=edit.request_id,
                schedule=edit.definition,
            )
    return tuple(found)


def _stored(tx: Transaction, known: Known, first: int, end: int) -> list[Table]:
    """Return the rows that the run's timeline has in [first, end)."""
    found: list[Table] = []
    for branch in known.lineage:
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


def _standing(tx: Transaction, timeline: _Timeline, step: int) -> int | None:
    """Return the branch of the timeline that has a step; None where there is none."""
    lineage: Lineage = lineage_of(tx, timeline.run)
    for branch in lineage:
        if branch.origin.step <= step < end_of(lineage, branch, timeline.run.frontier):
            return branch.branch
    return None


def _row(tx: Transaction, branch: Branch, step: int) -> Table:
    if step == branch.origin.step:
        return branch.origin.values
    (block,) = tx.blocks(branch.run_uid, branch.branch, step, 1)
    return block.table.cut(step, step + 1)


_NONE = Branch("", 0, None, None, 0, Origin("", None, None, 0, Table(0, 0, (), 0, b""), ""), (), 0)
"""The branch of a run that has none yet."""
