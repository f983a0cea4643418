"""EditRun: an operator changes a live run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from uuid import NAMESPACE_OID, uuid5

from lrkeeper.errors import (
    EffectiveStepPassed,
    InvalidArgument,
    RequestIdReused,
    RunFinished,
    RunNotFound,
    ScheduleNotFound,
    StaleRevision,
    StepOutOfRange,
    StorageUnavailable,
)
from lrkeeper.schedules import Schedule, codec
from lrkeeper.schedules.cursor import Cursor, Failure, extend
from lrkeeper.schedules.numbers import Row, cast_row
from lrkeeper.schedules.table import Table
from lrkeeper.server.presets import preset
from lrkeeper.server.runs.head import Head, head_of
from lrkeeper.server.runs.limits import MAX_AHEAD
from lrkeeper.server.runs.named_groups import check_named_groups
from lrkeeper.server.runs.records import Branch, Edit, Run, ScheduleRevision, current_row
from lrkeeper.server.storage.contract import Transaction
from lrkeeper.server.usecases.fill import fill_for_run
from lrkeeper.server.usecases.keeper import Keeper
from lrkeeper.server.usecases.seek import onwards, plan, seek

_PREVIEW_ROWS = 4
_CLOSE = 10_000


@dataclass(frozen=True)
class Change:
    """A replacement of a run's schedule, as it was asked for. `run` is a name, `run_uid` a uid."""

    run: str
    request_id: str
    definition: str
    expected_revision: int | None
    at_step: int | None
    not_after_step: int | None
    author: str
    reason: str
    run_uid: str | None = None
    schedule: ScheduleRevision | None = None
    """The stored revision that the definition is, where the run shall follow it."""
    named: str = ""
    """The stored schedule as the request named it; its head may change before the request is repeated."""
    parameters: Mapping[str, float] = field(default_factory=dict)
    """Numbers of the definition's parameters; the run's own where absent."""

    @property
    def digest(self) -> str:
        """A hash of all that makes another request under the same id another one."""
        followed = (self.schedule.uid, self.schedule.revision) if self.schedule and not self.named else None
        facts: tuple[Any, ...] = (
            self.named or codec.comparable(self.definition),
            self.at_step,
            self.not_after_step,
            self.author,
            self.reason,
            followed,
        )
        if self.parameters:
            facts = (*facts, sorted(self.parameters.items()))
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


@dataclass(frozen=True)
class Edited:
    """What an edit does: where it acts, and the values around that step."""

    edit: Edit
    preview: Table
    failure: Failure | None


async def replace_by_stored(keeper: Keeper, change: Change, name: str, *, validate_only: bool) -> Edited:
    """Edit a run so that it follows a stored schedule's head. Raises ScheduleNotFound, or as `edit_run`."""
    change = replace(change, named=name)

    def look(tx: Transaction) -> tuple[_Look | Edit, ScheduleRevision | None]:
        return _look(tx, change), preset(name) or tx.schedule(name)

    found, stored = await keeper.storage.transact(look, writes=False)
    if isinstance(found, Edit):
        return await _shown(keeper, found)
    if stored is None:
        raise ScheduleNotFound(f"there is no schedule {name!r}", schedule=name)
    change = replace(change, definition=stored.definition, schedule=None if stored.preset else stored)
    return await edit_run(keeper, change, validate_only=validate_only)


async def edit_run(keeper: Keeper, change: Change, *, validate_only: bool = False) -> Edited:
    """Store an edit that acts from max(at_step, frontier) on; the same request again changes nothing.

    Raises:
        RunNotFound, RunFinished, StaleRevision, RequestIdReused: the run, or the request.
        StepOutOfRange: `at_step` is too far ahead.
        EffectiveStepPassed: the edit could act only after `not_after_step`.
        ScheduleFails: the definition cannot be evaluated up to the step before, or needs numbers that the run
            does not have.
        InvalidArgument: the numbers given are not the definition's, or it names param groups that the run has not.
    """
    look = await keeper.storage.transact(lambda tx: _look(tx, change), writes=False)
    if isinstance(look, Edit):
        return await _shown(keeper, look)
    head = look.head
    effective = _effective_step(head.run, change)
    filled = _filled(change, look.parameters)
    schedule = codec.from_json(filled.definition)
    if change.schedule is None or change.named:  # an update of a stored schedule is for runs of many kinds
        check_named_groups(schedule, head.branch.groups, head.run.name)
    base = head.branch.base
    cursor = await seek(schedule, base, current_row(head.branch.groups), effective - 1)
    if validate_only:
        edit = _edit(head.run, change, filled, cursor, base, keeper.now())
        return Edited(edit, *await _preview(head, schedule, cursor))

    def work(tx: Transaction) -> Edit:
        found = _look(tx, change)
        if isinstance(found, Edit):
            return found
        run = found.head.run
        # What was evaluated would be of other groups, other steps, or other numbers.
        if run.branch != head.run.branch or found.parameters != look.parameters:
            raise StorageUnavailable(f"run {run.name!r} has just changed; try again")
        step = _effective_step(run, change)
        if step - 1 > cursor.step + _CLOSE:
            raise StorageUnavailable("the run moves too fast to be edited just now; try again")
        reached = onwards(schedule, base, cursor, step - 1)
        edit = _edit(run, change, filled, reached, base, keeper.now())
        tx.insert_edit(edit)
        followed = change.schedule.uid if change.schedule else None
        tx.update_run(run.uid, revision=edit.revision, schedule_uid=followed)
        return edit

    lane = keeper.lane(head.run.uid)
    async with lane.lock:
        lane.head = None
        edit = await keeper.storage.transact(work)
    return await _shown(keeper, edit)


def follow_request_id(schedule: ScheduleRevision, run_uid: str) -> str:
    """Return the id of the edit that gives a follower a schedule's revision."""
    return str(uuid5(NAMESPACE_OID, f"{schedule.uid}/{schedule.revision}/{run_uid}"))


class _Look(NamedTuple):
    """A run to edit, and the numbers that it gives to parameters."""

    head: Head
    parameters: Mapping[str, float]


def _look(tx: Transaction, change: Change) -> _Look | Edit:
    """Return the run to edit; or the edit, if this very request was already carried out."""
    run = tx.run_by_name(change.run) if change.run_uid is None else tx.run_by_uid(change.run_uid)
    if run is None or run.state == "deleted":
        raise RunNotFound(f"there is no run {change.run!r}", run=change.run)
    before = tx.edit_by_request(run.uid, change.request_id)
    if before is not None:
        if before.digest != change.digest:
            raise RequestIdReused(
                f"request_id {change.request_id} belongs to another edit of run {run.name!r} "
                f"(revision {before.revision}); make a new one",
                revision=before.revision,
            )
        return before
    if run.state == "finished":
        raise RunFinished(f"run {run.name!r} is finished and takes no more edits", run=run.name)
    if change.expected_revision is not None and change.expected_revision != run.revision:
        raise StaleRevision(
            f"expected_revision is {change.expected_revision}; run {run.name!r} is at revision "
            f"{run.revision}: read it again and decide anew",
            revision=run.revision,
        )
    branch = tx.branch(run.uid, run.branch)
    assert branch is not None
    edits = tx.edits(run.uid, run.branch)
    parameters = edits[-1].parameters if edits else branch.origin.parameters
    return _Look(head_of(run, branch, edits), parameters)


def _filled(change: Change, parameters: Mapping[str, float]) -> Change:
    """Return the change with numbers in its definition, and with those that the run has from then on."""
    definition = fill_for_run(change.run, change.definition, change.parameters, parameters)
    return replace(change, definition=definition, parameters={**parameters, **change.parameters})


def _effective_step(run: Run, change: Change) -> int:
    at_step = run.frontier if change.at_step is None else change.at_step
    if at_step < 0:
        raise InvalidArgument(f"at_step is {at_step}; it must be 0 or more", field="at_step")
    if at_step > run.frontier + MAX_AHEAD:
        raise StepOutOfRange(
            f"at_step is {at_step}; run {run.name!r} has got to {run.frontier}, and an edit may lie at most "
            f"{MAX_AHEAD} steps ahead",
            frontier=run.frontier,
        )
    step = max(at_step, run.frontier)
    if change.not_after_step is not None and step > change.not_after_step:
        raise EffectiveStepPassed(
            f"the edit could act from step {step} on, which is after not_after_step {change.not_after_step}; "
            "nothing was changed",
            effective_step=step,
        )
    return step


def _edit(run: Run, change: Change, filled: Change, cursor: Cursor, base: Row, now: int) -> Edit:
    """Return the edit of a change; `filled` is the change with the run's numbers."""
    step = cursor.step + 1
    return Edit(
        run_uid=run.uid,
        revision=run.revision + 1,
        branch=run.branch,
        request_id=change.request_id,
        digest=change.digest,
        operation="replace",
        definition=filled.definition,
        schedule_uid=change.schedule.uid if change.schedule else None,
        schedule_revision=change.schedule.revision if change.schedule else None,
        effective_step=step,
        clamped=change.at_step is not None and change.at_step < step,
        cursor=cursor.to_json(base),
        author=change.author,
        reason=change.reason,
        created_at=now,
        parameters=filled.parameters,
    )


async def _shown(keeper: Keeper, edit: Edit) -> Edited:
    """Return an edit with its preview: the plan of the branch without it, then with it."""

    def read(tx: Transaction) -> tuple[Branch, Head | None]:
        run, branch = tx.run_by_uid(edit.run_uid), tx.branch(edit.run_uid, edit.branch)
        assert run is not None
        assert branch is not None
        origin = branch.origin
        if run.branch == edit.branch and run.frontier <= edit.effective_step:
            before = [e for e in tx.edits(run.uid, edit.branch) if e.revision < edit.revision]
            return branch, head_of(run, branch, before)
        # The run has gone past: the row before is on record.
        start = replace(run, frontier=origin.step + 1, cursor=origin.cursor)
        head = head_of(start, branch, [])
        if edit.effective_step - 1 <= origin.step:
            return branch, head
        blocks = tx.blocks(run.uid, edit.branch, edit.effective_step - 1, 1, end=edit.effective_step)
        if not blocks:
            return branch, None  # the run left the branch before it got there
        (block,) = blocks
        row = cast_row(block.table.row(edit.effective_step - 1), branch.base)
        return branch, head._replace(
            frontier=edit.effective_step, cursor=Cursor(edit.effective_step - 1, None, row)
        )

    branch, head = await keeper.storage.transact(read, writes=False)
    cursor = Cursor.from_json(edit.cursor, branch.base)
    if head is None:
        _, rows, failure = extend(edit.schedule, branch.base, cursor, _PREVIEW_ROWS)
        return Edited(edit, Table.from_rows(cursor.step + 1, rows or [cursor.row]), failure)
    return Edited(edit, *await _preview(head, edit.schedule, cursor))


async def _preview(head: Head, schedule: Schedule, cursor: Cursor) -> tuple[Table, Failure | None]:
    """Return the row before the edit acts, by the plan without it, and the rows from there with it.

    Where both hang on what the job has yet to report, the last row that is known.
    """
    before, failure = await plan(head, cursor.step + 1)
    _, rows, new_failure = extend(schedule, head.branch.base, cursor, _PREVIEW_ROWS)
    if failure is None:
        return Table.from_rows(cursor.step, [before.cursor.row, *rows]), new_failure
    if rows:
        return Table.from_rows(cursor.step + 1, rows), new_failure
    return Table.from_rows(before.cursor.step, [before.cursor.row]), new_failure
