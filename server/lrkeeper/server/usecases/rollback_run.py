"""RollbackRun: an operator takes a run back to a step, and fences the start that holds it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from lrkeeper.errors import (
    RequestIdReused,
    RunFinished,
    RunNotFound,
    ScheduleNotFound,
    StaleRevision,
    StepOutOfRange,
    StorageUnavailable,
)
from lrkeeper.schedules import codec
from lrkeeper.schedules.cursor import Failure
from lrkeeper.schedules.table import Table
from lrkeeper.server.presets import preset
from lrkeeper.server.runs.head import advanced, head_of, in_force
from lrkeeper.server.runs.lineage import at_step
from lrkeeper.server.runs.records import Branch, Edit, Run, ScheduleRevision, current_row
from lrkeeper.server.storage.contract import Transaction
from lrkeeper.server.storage.ids import new_uid
from lrkeeper.server.usecases.acquire_run import Acquired, acquired
from lrkeeper.server.usecases.branching import evaluated, in_force_at, numbered, origin_at
from lrkeeper.server.usecases.fill import fill_for_run
from lrkeeper.server.usecases.keeper import Keeper, lineage_from, lineage_of, still_to_act
from lrkeeper.server.usecases.seek import seek

_TRIES = 8
_PREVIEW_ROWS = 4


@dataclass(frozen=True)
class Rollback:
    """What was asked for. `definition` or `named`, a stored schedule's name, is for the new branch; or neither."""

    run: str
    to_step: int
    request_id: str
    expected_revision: int
    keep_edits: bool
    author: str
    reason: str
    definition: str = ""
    named: str = ""
    parameters: Mapping[str, float] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """A hash of all that makes another request under the same id another one."""
        facts = (
            self.to_step,
            self.keep_edits,
            self.author,
            self.reason,
            self.named or (self.definition and codec.comparable(self.definition)),
            sorted(self.parameters.items()),
        )
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@dataclass(frozen=True)
class RolledBack:
    """A run on its new branch, at its first step."""

    run: Run
    branch: Branch
    edits: list[Edit]
    dropped: list[Edit]
    names: Mapping[str, str]
    """Names of the stored schedules that dropped edits speak of, by uid."""

    def preview(self) -> tuple[Table, Failure | None]:
        """Return the rows from the branch's origin on, and why there are no more, if so."""
        head = head_of(self.run, self.branch, self.edits)
        _, blocks, failure = advanced(head, head.frontier + _PREVIEW_ROWS, head.heard_at)
        return Table.join([self.branch.origin.values, *(block.table for block in blocks)]), failure


async def rollback_run(keeper: Keeper, back: Rollback, *, validate_only: bool = False) -> RolledBack:
    """Begin a branch at a step of a run's timeline, and fence the start that holds it; again: nothing.

    Raises:
        RunNotFound, RunFinished, StaleRevision, RequestIdReused: the run, or the request.
        StepOutOfRange: the timeline does not have the step.
        ScheduleNotFound, ScheduleFails, InvalidArgument: the new definition.
    """
    for _ in range(_TRIES):
        look = await keeper.storage.transact(lambda tx: _look(tx, back), writes=False)
        if isinstance(look, RolledBack):
            return look
        plan = await _planned(look, back, keeper.now())
        if validate_only:
            return plan
        lane = keeper.lane(plan.run.uid)
        async with lane.lock:
            lane.head = None
            if await keeper.storage.transact(lambda tx, plan=plan: _made(tx, plan)):  # type: ignore[misc]
                return plan
    raise StorageUnavailable("the run is changing too often; the request may be repeated")


class _Look(NamedTuple):
    """A run, the place that it is taken back to on a branch, the edits after it, and the definition to take."""

    place: Acquired
    left: Branch
    later: list[Edit]
    names: Mapping[str, str]
    stored: ScheduleRevision | None


def _look(tx: Transaction, back: Rollback) -> _Look | RolledBack:
    """Return what a rollback begins with; or the rollback, if this very request was already carried out."""
    run = tx.run_by_name(back.run)
    if run is None:
        raise RunNotFound(f"there is no run {back.run!r}", run=back.run)
    before = tx.branch_by_request(run.uid, back.request_id)
    if before is not None:
        if before.digest != back.digest:
            raise RequestIdReused(
                f"request_id {back.request_id} belongs to another rollback of run {run.name!r}, which began branch "
                f"{before.branch}; make a new one",
                branch=before.branch,
            )
        return _done(tx, run, before)
    if run.state == "finished":
        raise RunFinished(
            f"run {run.name!r} is finished; fork it to go on from one of its steps", run=run.name
        )
    if back.expected_revision != run.revision:
        raise StaleRevision(
            f"expected_revision is {back.expected_revision}; run {run.name!r} is at revision {run.revision}: "
            "read it again and decide anew",
            revision=run.revision,
        )
    lineage = lineage_of(tx, run)
    first = lineage[-1].origin.step
    if not first <= back.to_step < run.frontier:
        raise StepOutOfRange(
            f"to_step is {back.to_step}; run {run.name!r} has the steps from {first} to {run.frontier - 1}",
            frontier=run.frontier,
        )
    stored = None
    if back.named:
        stored = preset(back.named) or tx.schedule(back.named)
        if stored is None:
            raise ScheduleNotFound(f"there is no schedule {back.named!r}", schedule=back.named)
    left = at_step(lineage, back.to_step)
    later = still_to_act(tx, lineage, left, back.to_step)
    return _Look(acquired(tx, run, left, back.to_step), left, later, _names(tx, later), stored)


async def _planned(look: _Look, back: Rollback, now: int) -> RolledBack:
    run, left = look.place.run, look.left
    origin = origin_at(look.place, left)
    branch = Branch(
        run_uid=run.uid,
        branch=run.branch + 1,
        parent=left.branch,
        fork_step=origin.step,
        revision=run.revision + 1,
        origin=origin,
        groups=left.groups,
        created_at=now,
        author=back.author,
        reason=back.reason,
        request_id=back.request_id,
        digest=back.digest,
        fence=run.fence + 1,
    )
    edits = in_force_at(look.place, origin.cursor)
    replacement = await _replacement(look, back, branch, edits)
    # What the request itself brings rules from its step on; a kept edit ends it at a later one.
    kept = (
        [e for e in look.later if e.effective_step > origin.step + len(replacement)]
        if back.keep_edits
        else []
    )
    edits = numbered([*edits, *replacement, *await evaluated(kept, left.groups)], branch)
    last = in_force(edits)[-1:]
    return RolledBack(
        run=replace(
            run,
            branch=branch.branch,
            fence=run.fence + 1,
            frontier=origin.step + 1,
            revision=branch.revision + len(edits),
            cursor=origin.cursor,
            schedule_uid=last[0].schedule_uid if last else origin.schedule_uid,
        ),
        branch=branch,
        edits=edits,
        dropped=[edit for edit in look.later if edit not in kept],
        names=look.names,
    )


async def _replacement(look: _Look, back: Rollback, branch: Branch, edits: list[Edit]) -> list[Edit]:
    """Return the edit that gives the branch the request's definition from its first step on, if there is one."""
    stored, step = look.stored, branch.origin.step
    definition = back.definition if stored is None else stored.definition
    if not definition:
        return []
    known = edits[-1].parameters if edits else branch.origin.parameters
    definition = fill_for_run(back.run, definition, back.parameters, known)
    schedule = codec.from_json(definition)
    cursor = await seek(schedule, branch.base, current_row(branch.groups), step)
    followed = stored if stored is not None and not stored.preset else None
    return [
        Edit(
            run_uid=branch.run_uid,
            revision=0,
            branch=branch.branch,
            request_id=new_uid(),
            digest="",
            operation="replace",
            definition=definition,
            schedule_uid=followed.uid if followed else None,
            schedule_revision=followed.revision if followed else None,
            effective_step=step + 1,
            clamped=False,
            cursor=cursor.to_json(branch.base),
            author=back.author,
            reason=back.reason,
            created_at=branch.created_at,
            parameters={**known, **back.parameters},
        )
    ]


def _made(tx: Transaction, plan: RolledBack) -> bool:
    """Store the branch and raise the fence; False if the run is no longer as it was planned for."""
    run, branch = plan.run, plan.branch
    now = tx.run_by_uid(run.uid)
    if now is None or (now.fence, now.branch, now.revision, now.state) != (
        run.fence - 1,
        branch.branch - 1,
        branch.revision - 1,
        run.state,
    ):
        return False
    tx.insert_branch(branch)
    for edit in plan.edits:
        tx.insert_edit(edit)
    tx.update_run(
        run.uid,
        branch=run.branch,
        fence=run.fence,
        frontier=run.frontier,
        revision=run.revision,
        cursor=run.cursor,
        schedule_uid=run.schedule_uid,
    )
    return True


def _done(tx: Transaction, run: Run, branch: Branch) -> RolledBack:
    """Return what a rollback did, from what it has stored."""
    edits = [edit for edit in tx.edits(run.uid, branch.branch) if not edit.digest]
    lineage = lineage_from(tx, run.uid, branch.branch - 1)
    left = next(each for each in lineage if each.branch == branch.parent)
    later = still_to_act(tx, lineage, left, branch.origin.step)
    acting = [(edit.effective_step, edit.definition) for edit in edits]
    dropped = [edit for edit in later if (edit.effective_step, edit.definition) not in acting]
    then = replace(
        run,
        branch=branch.branch,
        fence=branch.fence or run.fence,
        frontier=branch.origin.step + 1,
        revision=branch.revision + len(edits),
        cursor=branch.origin.cursor,
    )
    return RolledBack(then, branch, edits, dropped, _names(tx, dropped))


def _names(tx: Transaction, edits: list[Edit]) -> Mapping[str, str]:
    return tx.schedule_names({edit.schedule_uid for edit in edits if edit.schedule_uid is not None})
