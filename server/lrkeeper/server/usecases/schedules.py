"""Named schedules: create, get, list, update with their followers, delete, preview."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lrkeeper.errors import (
    InvalidArgument,
    RequestIdReused,
    RunFinished,
    ScheduleExists,
    ScheduleFails,
    ScheduleInUse,
    ScheduleNotFound,
    ServerError,
    StaleEtag,
    StepOutOfRange,
)
from lrkeeper.schedules import Schedule, codec
from lrkeeper.schedules.cursor import Failure
from lrkeeper.schedules.numbers import Row
from lrkeeper.schedules.pace import NO_PACE, Pace
from lrkeeper.schedules.table import Table
from lrkeeper.server.presets import preset
from lrkeeper.server.runs.limits import MAX_AHEAD, MAX_PREVIEW_ROWS, MAX_STEP
from lrkeeper.server.runs.records import Run, ScheduleRevision
from lrkeeper.server.storage.contract import Transaction
from lrkeeper.server.storage.ids import new_uid
from lrkeeper.server.usecases.edit_run import Change, edit_run, follow_request_id
from lrkeeper.server.usecases.keeper import Keeper
from lrkeeper.server.usecases.seek import cannot_reach, rows, seek


@dataclass(frozen=True)
class Followed:
    """What an update did to a run that follows the schedule."""

    run: str
    effective_step: int
    refusal: str


async def create_schedule(
    keeper: Keeper, name: str, definition: str, *, author: str, reason: str
) -> ScheduleRevision:
    """Store a schedule under a new name. Raises ScheduleExists."""
    revision = ScheduleRevision(
        uid=new_uid(),
        name=name,
        revision=1,
        head_revision=1,
        definition=definition,
        request_id=new_uid(),
        author=author,
        reason=reason,
        rolled_out=True,
        created_at=keeper.now(),
    )

    def work(tx: Transaction) -> ScheduleRevision:
        if tx.schedule(name) is not None:
            raise ScheduleExists(
                f"there is a schedule {name!r} already; update it, or choose another name", schedule=name
            )
        tx.insert_schedule(revision)
        return revision

    return await keeper.storage.transact(work)


async def get_schedule(keeper: Keeper, name: str, revision: int | None) -> tuple[ScheduleRevision, int]:
    """Return a revision (None: the head) and how many runs follow. Raises ScheduleNotFound."""
    found = preset(name)
    if found is not None and revision in (None, found.revision):
        return found, 0

    def read(tx: Transaction) -> tuple[ScheduleRevision, int]:
        found = _named(tx, name, revision)
        return found, len(tx.followers(found.uid))

    return await keeper.storage.transact(read, writes=False)


async def list_schedules(keeper: Keeper, after_name: str, limit: int) -> list[tuple[ScheduleRevision, int]]:
    """Return heads by name, after the name given, with how many runs follow each."""

    def read(tx: Transaction) -> list[tuple[ScheduleRevision, int]]:
        found = tx.schedules(after_name=after_name, limit=limit)
        return [(revision, len(tx.followers(revision.uid))) for revision in found]

    return await keeper.storage.transact(read, writes=False)


async def update_schedule(
    keeper: Keeper, name: str, definition: str, *, etag: str, request_id: str, author: str, reason: str
) -> tuple[ScheduleRevision, list[Followed]]:
    """Store a new revision and give it to every follower at its frontier.

    The same request again changes nothing twice, and finishes what was left undone.
    Raises ScheduleNotFound, StaleEtag, RequestIdReused.
    """

    def work(tx: Transaction) -> ScheduleRevision:
        head = _named(tx, name, None)
        before = tx.schedule_by_request(head.uid, request_id)
        if before is not None:
            if not codec.same(before.definition, definition) or (before.author, before.reason) != (
                author,
                reason,
            ):
                raise RequestIdReused(
                    f"request_id {request_id} belongs to another update of schedule {name!r} "
                    f"(revision {before.revision}); make a new one",
                    revision=before.revision,
                )
            return before
        if etag != head.etag:
            raise StaleEtag(
                f"etag is {etag!r}; schedule {name!r} is at {head.etag!r}: read it again and decide anew",
                etag=head.etag,
            )
        revision = replace(
            head,
            revision=head.revision + 1,
            head_revision=head.revision + 1,
            definition=definition,
            request_id=request_id,
            author=author,
            reason=reason,
            rolled_out=False,
            created_at=keeper.now(),
        )
        tx.insert_schedule_revision(revision)
        return revision

    revision = await keeper.storage.transact(work)
    return revision, await roll_out(keeper, revision)


async def roll_out(keeper: Keeper, revision: ScheduleRevision) -> list[Followed]:
    """Give a head revision to every active run that follows the schedule, each in its own transaction.

    A run that has it already is only reported; one that has a later revision is left alone.
    """
    plans = await keeper.storage.transact(lambda tx: _plans(tx, revision), writes=False)
    followed = []
    refused = False
    for plan in plans:
        run = plan.run
        if plan.done is not None:
            followed.append(Followed(run.name, plan.done, ""))
            continue
        change = Change(
            run=run.name,
            run_uid=run.uid,
            request_id=follow_request_id(revision, run.uid),
            definition=revision.definition,
            schedule=revision,
            expected_revision=None,
            at_step=plan.at_step,
            not_after_step=None,
            author=revision.author,
            reason=revision.reason,
        )
        try:
            edited = await edit_run(keeper, change)
            followed.append(Followed(run.name, edited.edit.effective_step, ""))
        except (ScheduleFails, RunFinished) as error:
            followed.append(Followed(run.name, 0, str(error)))
        except ServerError as error:
            followed.append(Followed(run.name, 0, f"not yet: {error}"))
            refused = True
    if not refused:
        await keeper.storage.transact(lambda tx: tx.mark_rolled_out(revision.uid, revision.revision))
    return followed


async def finish_roll_outs(keeper: Keeper) -> int:
    """Go on with the updates that a crash cut short; return how many."""
    unfinished = await keeper.storage.transact(lambda tx: tx.unfinished_rollouts(), writes=False)
    for revision in unfinished:
        await roll_out(keeper, revision)
    return len(unfinished)


async def delete_schedule(keeper: Keeper, name: str, etag: str) -> None:
    """Take the schedule's name away. Raises ScheduleNotFound, StaleEtag, ScheduleInUse."""

    def work(tx: Transaction) -> None:
        head = _named(tx, name, None)
        if etag and etag != head.etag:
            raise StaleEtag(f"etag is {etag!r}; schedule {name!r} is at {head.etag!r}", etag=head.etag)
        followers = tx.followers(head.uid)
        if followers:
            some = ", ".join(run.name for run in followers[:5])
            raise ScheduleInUse(
                f"schedule {name!r} is followed by {len(followers)} unfinished runs ({some}…); "
                "finish them or give them another schedule first",
                followers=len(followers),
            )
        tx.delete_schedule(head.uid, keeper.now())

    await keeper.storage.transact(work)


async def preview_schedule(
    schedule: Schedule, base: Row, first_step: int, steps: int, pace: Pace = NO_PACE
) -> tuple[Table, Failure | None]:
    """Return a schedule's rows in [first_step, first_step + steps), and what ends them early.

    Raises StepOutOfRange, InvalidArgument if the schedule counts what the pace does not say, and ScheduleFails
    if it ends before the first of them.
    """
    if lacking := pace.missing(schedule):
        axis, field = lacking
        raise InvalidArgument(
            f"the schedule counts {axis}, so a preview needs pace.{field}", field=f"pace.{field}"
        )
    farthest = MAX_STEP - MAX_PREVIEW_ROWS if schedule.closed else MAX_AHEAD
    if not 0 <= first_step <= farthest:
        raise StepOutOfRange(f"first_step is {first_step}; it must be from 0 to {farthest}")
    if not 1 <= steps <= MAX_PREVIEW_ROWS:
        raise StepOutOfRange(f"steps is {steps}; it must be from 1 to {MAX_PREVIEW_ROWS}")
    cursor = await seek(schedule, base, base, max(0, first_step - 1), pace)
    first = [] if first_step else [cursor.row]
    _, found, failure = await rows(schedule, base, cursor, steps - len(first), pace)
    if not first and not found:
        assert failure is not None
        raise cannot_reach(schedule, failure)
    return Table.from_rows(first_step, [*first, *found]), failure


def _named(tx: Transaction, name: str, revision: int | None) -> ScheduleRevision:
    found = tx.schedule(name, revision)
    if found is None:
        which = f"schedule {name!r}" if revision is None else f"revision {revision} of schedule {name!r}"
        raise ScheduleNotFound(f"there is no {which}", schedule=name)
    return found


@dataclass(frozen=True)
class _Plan:
    """What a follower needs: nothing (`done` is where its edit acts), or an edit, from `at_step` on if given."""

    run: Run
    done: int | None
    at_step: int | None


def _plans(tx: Transaction, revision: ScheduleRevision) -> list[_Plan]:
    """Return the followers that have this revision by an edit, or do not have it nor a later one."""
    plans = []
    for run in tx.followers(revision.uid):
        edit = tx.edit_by_request(run.uid, follow_request_id(revision, run.uid))
        if edit is not None:
            plans.append(_Plan(run, edit.effective_step, None))
            continue
        branch = tx.branch(run.uid, run.branch)
        assert branch is not None
        edits = [e for e in tx.edits(run.uid, run.branch) if e.schedule_uid == revision.uid]
        pinned = [e.schedule_revision or 0 for e in edits]
        if branch.origin.schedule_uid == revision.uid:
            pinned.append(branch.origin.schedule_revision or 0)
        if max(pinned, default=0) >= revision.revision:
            continue
        # A run that an edit makes follow from a later step on takes the new revision from there.
        begins = edits[0].effective_step if edits and branch.origin.schedule_uid != revision.uid else None
        plans.append(_Plan(run, None, begins))
    return plans
