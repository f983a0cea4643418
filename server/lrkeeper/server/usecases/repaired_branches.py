"""The branch that a repair extends, begins at the first remembered row, or begins behind the last known one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lrkeeper.schedules import codec
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs.acquire import Start
from lrkeeper.server.runs.head import in_force
from lrkeeper.server.runs.records import Branch, Edit, Origin, Run
from lrkeeper.server.runs.repair import AUTHOR, Plan, Remembered
from lrkeeper.server.storage.contract import Transaction
from lrkeeper.server.storage.ids import new_uid
from lrkeeper.server.usecases.origins import carried_edit
from lrkeeper.server.usecases.put_back import at_first, put_back


@dataclass(frozen=True)
class Timeline:
    """A run on its present branch, with that one's edits, in the course of a repair."""

    run: Run
    branch: Branch
    edits: list[Edit]


NO_BRANCH = Branch("", 0, None, None, 0, Origin("", None, None, 0, Table(0, 0, (), 0, b""), ""), (), 0)
"""The branch of a run that has none yet."""


def extended(
    tx: Transaction, timeline: Timeline, remembered: Remembered, todo: Plan, fence: int | None, now: int
) -> tuple[Timeline, list[Edit]]:
    """Put rows behind a branch's last one; return the edits that they show, too. Raises InvalidArgument."""
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
    return Timeline(run, branch, [*timeline.edits, *back.edits]), list(back.edits)


def begun_anew(
    tx: Transaction,
    start: Start,
    timeline: Timeline,
    remembered: Remembered,
    todo: Plan,
    fence: int | None,
    now: int,
    later: Sequence[Edit] | None,
) -> tuple[Timeline, list[Edit]]:
    """Begin a branch at the first remembered row; return the edits that the rows show, too.

    `later` are edits of the run that act after the rows, and go on to act there; None where the run has other
    param groups. Raises InvalidArgument.
    """
    run, first = timeline.run, remembered.rows[0]
    fresh = timeline.branch is NO_BRANCH
    step, revision = todo.first_step, max(run.revision, remembered.revision) + (0 if fresh else 1)
    same = later is not None and timeline.branch.origin.definition == start.definition
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
    edits += _moved_to(branch, later or (), edits, revision)
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
    return Timeline(run, branch, edits), new


def forked(tx: Transaction, timeline: Timeline, remembered: Remembered, number: int, now: int) -> Timeline:
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
        fence=None,
    )
    tx.insert_branch(branch)
    acting = [edit for edit in in_force(timeline.edits) if edit.effective_step <= step][-1:]
    edits = [replace(edit, effective_step=step, cursor=run.cursor) for edit in acting]
    edits = _moved_to(branch, [*edits, *_to_act(timeline.edits, run.frontier)], [], revision)
    for edit in edits:
        tx.insert_edit(edit)
    run = replace(run, branch=number, revision=revision + len(edits))
    tx.update_run(run.uid, branch=run.branch, revision=run.revision)
    return Timeline(run, branch, edits)


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
    edit = carried_edit(branch.run_uid, branch.branch, revision, branch.origin, definition, now)
    if known is None:
        return replace(edit, reason="in force where the rows that a job remembers begin")
    return replace(edit, author=known.author, reason=known.reason, created_at=known.created_at)


def _row(tx: Transaction, branch: Branch, step: int) -> Table:
    if step == branch.origin.step:
        return branch.origin.values
    (block,) = tx.blocks(branch.run_uid, branch.branch, step, 1)
    return block.table.cut(step, step + 1)
