"""AcquireRun: a start of a job takes its run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import structlog

from lrkeeper.errors import (
    RunExists,
    RunNotFound,
    ScheduleNotFound,
)
from lrkeeper.schedules import Schedule, codec
from lrkeeper.schedules.cursor import EVALUATOR_VERSION
from lrkeeper.schedules.given import NOTHING, Given
from lrkeeper.schedules.table import Table
from lrkeeper.server.presets import preset
from lrkeeper.server.runs.acquire import Checkpoint, Start, decide
from lrkeeper.server.runs.frontier import Heard
from lrkeeper.server.runs.head import in_force
from lrkeeper.server.runs.lineage import having
from lrkeeper.server.runs.records import (
    Branch,
    Edit,
    Incarnation,
    LostEdit,
    Origin,
    RankProgress,
    Run,
)
from lrkeeper.server.runs.repair import Remembered
from lrkeeper.server.runs.resume import policy
from lrkeeper.server.storage.contract import Transaction
from lrkeeper.server.storage.ids import new_uid
from lrkeeper.server.usecases.fill import fill
from lrkeeper.server.usecases.forks import fork_of
from lrkeeper.server.usecases.keeper import Keeper, lineage_from, lineage_of
from lrkeeper.server.usecases.known import known_of
from lrkeeper.server.usecases.origins import Carried, carried_edit, carried_origin, fresh_origin
from lrkeeper.server.usecases.repair_run import Mended, mend

_log = structlog.get_logger("lrkeeper.runs")


@dataclass(frozen=True)
class Acquired:
    """What a start has got: the run as it is, its place on it, and the values there."""

    run: Run
    branch: int
    fence: int
    resume_step: int
    values: Table
    schedule: Schedule
    revision: int
    cursor: str
    cursor_step: int
    edits: list[Edit]
    created: bool
    given: Given
    repaired: bool = False
    lost: tuple[LostEdit, ...] = ()
    """Edits that the job remembers and the database has lost."""
    log: tuple[tuple[str, Mapping[str, Any]], ...] = ()


async def acquire_run(
    keeper: Keeper,
    start: Start,
    schedule_name: str | None,
    carried: Carried | None,
    remembered: Remembered | None = None,
) -> Acquired:
    """Give a start its run.

    `schedule_name` is the stored schedule to follow, instead of the start's definition; `carried` is where
    a run begins that is not here: at its checkpoint, or where the job stands; `remembered` is what the job
    remembers of a run of which the database may have lost some.

    Raises what `decide`, `mend` and `fork_of` do, and RunNotFound, RunExists, ScheduleNotFound, ScheduleFails.
    """
    now = keeper.now()

    def work(tx: Transaction) -> Acquired:
        brought = _with_stored(tx, start, schedule_name)
        mended = None if remembered is None else _mended(tx, brought, remembered, now)
        if mended is not None:
            brought = mended.start
        run = _find(tx, brought, carried)
        if run is not None and brought.checkpoint is not None and brought.checkpoint.run_uid != run.uid:
            # The run that was forked where the checkpoint lies, or that this very checkpoint made here before.
            first = lineage_of(tx, run)[-1]
            brought = replace(brought, checkpoint=Checkpoint(run.uid, first.branch, first.origin.step))
        if run is None:
            return _create(tx, brought, carried, now)
        heard = keeper.unsaved_ranks(run)
        if mended is None:
            return _take(tx, brought, carried, run, now, heard)
        found = _take(tx, brought, carried, run, now, heard, held=mended.held)
        return replace(found, repaired=mended.repaired, lost=mended.lost, log=mended.log)

    acquired = await keeper.storage.transact(work)
    for event, facts in acquired.log:
        _log.warning(event, **facts)
    keeper.lane(acquired.run.uid).head = None
    return acquired


def _mended(tx: Transaction, start: Start, remembered: Remembered, now: int) -> Mended:
    assert start.checkpoint is not None
    run = tx.run_by_uid(start.checkpoint.run_uid)
    if run is not None and run.state == "deleted":
        return Mended(start)
    known = None if run is None else known_of(tx, run, start.incarnation)
    return mend(tx, start, remembered, known, now)


def _with_stored(tx: Transaction, start: Start, schedule_name: str | None) -> Start:
    if schedule_name is None:
        return start
    stored = preset(schedule_name) or tx.schedule(schedule_name)
    if stored is None:
        raise ScheduleNotFound(
            f"there is no schedule {schedule_name!r}; store it with `lrkeeper schedule apply`",
            schedule=schedule_name,
        )
    start = replace(start, definition=fill(stored.definition, start.parameters))
    if stored.preset:
        return start
    return replace(start, schedule_uid=stored.uid, schedule_revision=stored.revision)


def _find(tx: Transaction, start: Start, carried: Carried | None) -> Run | None:
    """Return the run to take; None if it shall be created."""
    if start.checkpoint is None:
        return tx.run_by_name(start.run)
    if (fork := fork_of(tx, start)) is not None:
        return fork
    run = tx.run_by_uid(start.checkpoint.run_uid)
    if run is not None and run.state != "deleted":
        return run
    if carried is None:
        raise RunNotFound(
            f"run {start.run!r} (uid {start.checkpoint.run_uid}) of the checkpoint is not on this server: "
            "go to the server that has it, or say on_missing='create' to go on from the checkpoint here",
            run=start.run,
            run_uid=start.checkpoint.run_uid,
        )
    other = tx.run_by_name(start.run)
    if other is not None:
        origin = lineage_of(tx, other)[-1].origin
        if origin.step == start.checkpoint.step and origin.values.data == carried.values.data:
            return other  # made here from this checkpoint before
        raise RunExists(
            f"the server has another run {start.run!r} than the checkpoint's; give the job another run name",
            run=start.run,
        )
    return None


def _create(tx: Transaction, start: Start, carried: Carried | None, now: int) -> Acquired:
    origin = fresh_origin(start) if carried is None else carried_origin(start, carried)
    run = Run(
        uid=new_uid(),
        name=start.run,
        state="active",
        unit=start.unit,
        branch=1,
        fence=1,
        frontier=origin.step + 1,
        revision=1,
        cursor=origin.cursor,
        evaluator_version=EVALUATOR_VERSION,
        schedule_uid=start.schedule_uid,
        created_at=now,
        heard_at=now,
        heard_every=0,
        labels=start.labels,
    )
    branch = Branch(run.uid, 1, None, None, 1, origin, start.groups, now)
    tx.insert_run(run)
    tx.insert_branch(branch)
    if (edit := _carry(tx, run, origin, carried, now)) is not None:
        tx.update_run(run.uid, revision=edit.revision)
        run = replace(run, revision=edit.revision)
    _begin(tx, start, run, origin.step, now)
    return acquired(tx, run, branch, origin.step, created=True)


def _carry(tx: Transaction, run: Run, origin: Origin, carried: Carried | None, now: int) -> Edit | None:
    """Store the edit that a checkpoint's definition was, where the job brings another one.

    The job's own stays what the branch began with, so that the next resume is no surprise.
    """
    if carried is None:
        return None
    definition = codec.to_json(carried.schedule)
    if codec.same(definition, origin.definition):
        return None
    edit = carried_edit(run.uid, run.branch, run.revision + 1, origin, definition, now)
    tx.insert_edit(edit)
    return edit


def _take(
    tx: Transaction,
    start: Start,
    carried: Carried | None,
    run: Run,
    now: int,
    heard: Mapping[int, Heard],
    *,
    held: bool = False,
) -> Acquired:
    """Give a start its run; `held`: it was on it, and each of its ranks goes on where it stands."""
    known = known_of(tx, run, start.incarnation, start, heard)
    place = start.checkpoint
    if held and known.same is not None and place is not None:
        start = replace(start, on_resume="exact")
        known = replace(known, same=replace(known.same, resume_step=place.step, on_resume=None))
    grant = decide(start, known, now)
    branch = grant.branch
    if grant.again:
        assert branch is not None
        if not held:
            tx.move_incarnation(run.uid, start.incarnation, grant.resume_step)
        return acquired(tx, run, branch, grant.resume_step)
    run = replace(run, fence=run.fence + 1, state="active", finished_at=None, heard_at=now, heard_every=0)
    if branch is None:
        origin = fresh_origin(start) if carried is None else carried_origin(start, carried)
        run = replace(
            run,
            branch=run.branch + 1,
            frontier=origin.step + 1,
            revision=run.revision + 1,
            cursor=origin.cursor,
            schedule_uid=start.schedule_uid,
        )
        branch = Branch(
            run.uid, run.branch, grant.parent, grant.fork_step, run.revision, origin, start.groups, now
        )
        tx.insert_branch(branch)
        if (edit := _carry(tx, run, origin, carried, now)) is not None:
            run = replace(run, revision=edit.revision)
    tx.update_run(
        run.uid,
        fence=run.fence,
        state=run.state,
        finished_at=run.finished_at,
        heard_at=run.heard_at,
        heard_every=run.heard_every,
        branch=run.branch,
        frontier=run.frontier,
        revision=run.revision,
        cursor=run.cursor,
        schedule_uid=run.schedule_uid,
    )
    _begin(tx, start, run, grant.resume_step, now)
    return acquired(tx, run, branch, grant.resume_step)


def _begin(tx: Transaction, start: Start, run: Run, step: int, now: int) -> None:
    """Store a start, and room for what its ranks will say."""
    tx.insert_incarnation(
        Incarnation(
            run_uid=run.uid,
            incarnation=start.incarnation,
            fence=run.fence,
            branch=run.branch,
            resume_step=step,
            attempt=start.attempt,
            world_size=start.world_size,
            labels=start.holder_labels,
            acquired_at=now,
            on_resume=None if policy(start) == "exact" else policy(start),
        )
    )
    tx.drop_rank_progress(run.uid, below=run.fence)
    if start.world_size > 1:  # two servers that made the row at once would lose the word of one
        tx.put_rank_progress(RankProgress(run.uid, run.fence, {}, now))


def acquired(tx: Transaction, run: Run, branch: Branch, step: int, *, created: bool = False) -> Acquired:
    """Return what a start has got that goes on on a branch and stands at a step of it, or of one in its past."""
    past = lineage_from(tx, run.uid, branch.branch)
    source = having(past, branch, step)
    edits = tx.edits(run.uid, source.branch)
    schedule, revision = source.schedule, source.revision
    for edit in in_force(edits):
        if edit.effective_step <= step:
            schedule, revision = edit.schedule, edit.revision
    for after in reversed(past[: past.index(source)]):
        edits = [edit for edit in edits if edit.effective_step <= after.origin.step]
        edits += tx.edits(run.uid, after.branch)
    values, cursor, cursor_step = source.origin.values, source.origin.cursor, source.origin.step
    given = NOTHING
    if step > source.origin.step:
        (block,) = tx.blocks(run.uid, source.branch, step, 1)
        values = block.table.cut(step, step + 1)
        cursor, cursor_step = block.cursor, block.table.first_step - 1
        given = block.learned
    return Acquired(
        run=run,
        branch=branch.branch,
        fence=run.fence,
        resume_step=step,
        values=values,
        schedule=schedule,
        revision=revision,
        cursor=cursor,
        cursor_step=cursor_step,
        edits=edits,
        created=created,
        given=given,
    )


__all__ = ["Acquired", "Checkpoint", "Start", "acquire_run"]
