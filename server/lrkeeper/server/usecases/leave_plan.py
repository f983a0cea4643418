"""AcquireRun of the holder, who leaves the plan: with param groups added in training, or for a changed value."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from lrkeeper.errors import RunNotFound, ScheduleFails, StorageUnavailable
from lrkeeper.schedules import Schedule, codec
from lrkeeper.schedules.cursor import Cursor, extend
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs.acquire import Start
from lrkeeper.server.runs.leaving import grown
from lrkeeper.server.runs.lineage import having
from lrkeeper.server.runs.records import Branch, Edit, Origin, Run, base_row, current_row
from lrkeeper.server.storage.contract import Transaction
from lrkeeper.server.usecases.acquire_run import Acquired, acquired
from lrkeeper.server.usecases.branching import evaluated, in_force_at, numbered, standing
from lrkeeper.server.usecases.keeper import Keeper, still_to_act
from lrkeeper.server.usecases.known import known_of
from lrkeeper.server.usecases.origins import ANYTHING

_TRIES = 8


@dataclass(frozen=True)
class _Plan:
    """The branch to make, and the edits that go on to act there, as far as they depend on the run."""

    run: Run
    branch: Branch
    edits: list[Edit]


async def leave_plan(keeper: Keeper, start: Start) -> Acquired:
    """Give the holder of a run a branch from the checkpoint's step on, perhaps with more param groups.

    The same again, also from another rank or a later start, gets the same branch. Edits that were to act
    later act there, at the same steps.

    Raises what `grown` does, and RunNotFound, ScheduleFails.
    """
    for _ in range(_TRIES):
        look = await keeper.storage.transact(lambda tx: _look(tx, start), writes=False)
        if isinstance(look, Acquired):
            return look
        plan = await _planned(look, start, keeper.now())
        found = await keeper.storage.transact(lambda tx, plan=plan: _made(tx, plan))  # type: ignore[misc]
        if found is not None:
            keeper.lane(found.run.uid).head = None
            return found
    raise StorageUnavailable("the run is changing too often; the request may be repeated")


def _look(tx: Transaction, start: Start) -> Acquired | tuple[Acquired, Branch, list[Edit]]:
    """Return the place on a branch that is there; or the place before, its branch, and edits still to act."""
    assert start.checkpoint is not None
    run, step = tx.run_by_uid(start.checkpoint.run_uid), start.checkpoint.step
    if run is None or run.state == "deleted":
        raise RunNotFound(f"there is no run {start.run!r}", run=start.run)
    known = known_of(tx, run, start.incarnation)
    branch = grown(start, known)
    if branch is not None:
        return acquired(tx, run, branch, step)
    number = start.checkpoint.branch
    left = having(known.lineage, next(b for b in known.lineage if b.branch == number), step)
    return acquired(tx, run, left, step), left, still_to_act(tx, known.lineage, left, step)


async def _planned(look: tuple[Acquired, Branch, list[Edit]], start: Start, now: int) -> _Plan:
    """Return the branch with the groups so far as they stand and those added as they came."""
    place, left, later = look
    run, step = place.run, place.resume_step
    base = base_row(start.groups)
    cursor = standing(place, left)
    more = start.groups[len(left.groups) :]
    added = current_row(more) if more else {}
    row = {track: (*cursor.row[track], *added.get(track, ())) for track in base}
    cursor = cursor._replace(row=row)
    text = cursor.to_json(base)
    edits = in_force_at(place, text)
    definition = start.definition or left.origin.definition  # none: it follows a stored schedule
    same = definition == left.origin.definition
    _try(codec.from_json(edits[0].definition if edits else definition), cursor, start)
    origin = Origin(
        definition=definition,
        schedule_uid=left.origin.schedule_uid if same else None,
        schedule_revision=left.origin.schedule_revision if same else None,
        step=step,
        values=Table.from_rows(step, [row]),
        cursor=text,
        parameters=left.origin.parameters,
    )
    branch = Branch(run.uid, run.branch + 1, left.branch, step, run.revision + 1, origin, start.groups, now)
    return _Plan(run, branch, numbered([*edits, *await evaluated(later, start.groups)], branch))


def _try(schedule: Schedule, cursor: Cursor, start: Start) -> None:
    """Raise ScheduleFails where a schedule cannot go on with more groups than it has numbers for."""
    _, rows, failure = extend(schedule, base_row(start.groups), cursor, 1, ANYTHING)
    if any(math.isnan(value) for row in rows for values in row.values() for value in values):
        raise ScheduleFails(f"{schedule} gives no numbers (nan) with the param groups added")
    if failure is not None and failure.type in ("TypeError", "ValueError", "IndexError"):
        raise ScheduleFails(
            f"{schedule} cannot go on with {len(start.groups)} param groups: {failure.message}",
            step=failure.step,
        )


def _made(tx: Transaction, plan: _Plan) -> Acquired | None:
    """Store the branch; None if the run is no longer as it was planned for."""
    run = tx.run_by_uid(plan.run.uid)
    if run is None or (run.fence, run.branch, run.revision, run.state) != (
        plan.run.fence,
        plan.run.branch,
        plan.run.revision,
        plan.run.state,
    ):
        return None
    branch = plan.branch
    run = replace(
        run,
        branch=branch.branch,
        frontier=branch.origin.step + 1,
        revision=branch.revision + len(plan.edits),
        cursor=branch.origin.cursor,
    )
    tx.insert_branch(branch)
    for edit in plan.edits:
        tx.insert_edit(edit)
    tx.update_run(run.uid, branch=run.branch, frontier=run.frontier, revision=run.revision, cursor=run.cursor)
    return acquired(tx, run, branch, branch.origin.step)
