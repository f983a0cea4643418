"""Looking at runs, and ending them: get, list, blocks, explain, finish, delete."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lrkeeper.errors import BranchNotFound, RunInUse, RunNotFound, StepOutOfRange, UnknownFence
from lrkeeper.schedules import Schedule
from lrkeeper.schedules.cursor import EVALUATOR_VERSION
from lrkeeper.schedules.given import NOTHING, Given
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs.acquire import fenced, heard_lately
from lrkeeper.server.runs.frontier import Heard, silent
from lrkeeper.server.runs.head import in_force
from lrkeeper.server.runs.lineage import Lineage, at_step
from lrkeeper.server.runs.records import Block, Branch, Deviation, Edit, Incarnation, LostEdit, Run
from lrkeeper.server.storage.contract import Transaction
from lrkeeper.server.usecases.keeper import Keeper, lineage_of

_MAX_DEVIATIONS = 100
_MAX_RANKS = 10_000  # the slowest: an answer has so much room


@dataclass(frozen=True)
class RunView:
    """A run and what belongs to it."""

    run: Run
    branch: Branch
    lineage: Lineage
    holder: Incarnation | None
    schedule: Schedule
    followed: tuple[str, int] | None
    """The stored schedule the run follows, by name, and the revision it pins."""
    latest: Table
    edits: list[Edit]
    names: Mapping[str, str]
    """Names of the stored schedules that the edits speak of, by uid."""
    ranks: tuple[RankView, ...] = ()
    deviations: list[Deviation] = field(default_factory=list)
    """The newest first."""
    lost_edits: list[LostEdit] = field(default_factory=list)


@dataclass(frozen=True)
class RankView:
    """Where a rank of the start is that holds a run, as it said last."""

    rank: int
    heard: Heard
    silent: bool


@dataclass(frozen=True)
class Explanation:
    """Why a step has its values."""

    run: Run
    branch: int
    values: Table
    schedule: Schedule
    revision: int
    edits: list[Edit]
    names: Mapping[str, str]
    followed: tuple[str, int] | None
    evaluator_version: str
    fence: int
    holder: Incarnation | None
    origin: bool
    given: Given
    deviations: list[Deviation]
    """What ranks had at the step instead."""


async def get_run(keeper: Keeper, name: str) -> RunView:
    """Return a run. Raises RunNotFound."""
    return await keeper.storage.transact(lambda tx: _whole_view(keeper, tx, _named(tx, name)), writes=False)


async def list_runs(
    keeper: Keeper, before_uid: str | None, limit: int, labels: Mapping[str, str], state: str | None
) -> list[RunView]:
    """Return runs, the newest first, after the one named."""

    def read(tx: Transaction) -> list[RunView]:
        found = tx.runs(before_uid=before_uid, limit=limit, labels=labels, state=state)
        return [view_of(tx, run) for run in found]

    return await keeper.storage.transact(read, writes=False)


async def list_blocks(
    keeper: Keeper, name: str, branch: int | None, from_step: int, limit: int
) -> tuple[int, list[Block]]:
    """Return the branch and its blocks from the one that holds a step on.

    Raises RunNotFound, BranchNotFound, DataCorrupted.
    """

    def read(tx: Transaction) -> tuple[int, list[Block]]:
        run = _named(tx, name)
        found = _branch(tx, run, branch)
        return found.branch, tx.blocks(run.uid, found.branch, from_step, limit)

    return await keeper.storage.transact(read, writes=False)


async def explain(keeper: Keeper, name: str, step: int, branch: int | None) -> Explanation:
    """Tell why a step has its values. Raises RunNotFound, BranchNotFound, StepOutOfRange."""

    def read(tx: Transaction) -> Explanation:
        run = _named(tx, name)
        found = at_step(lineage_of(tx, run), step) if branch is None else _branch(tx, run, branch)
        origin, source = found.origin, found
        while step == source.origin.step and source.fork_step is not None and source.parent is not None:
            source = _branch(tx, run, source.parent)  # the step is the earlier branch's
        if step == source.origin.step:
            maker = tx.first_holder(run.uid, source.branch)
            first = tx.blocks(run.uid, source.branch, step + 1, 1) if maker is None else []
            fence = maker.fence if maker is not None else first[0].fence if first else run.fence
            values, version, given = origin.values, EVALUATOR_VERSION, NOTHING
        else:
            blocks = tx.blocks(run.uid, source.branch, step, 1) if step > source.origin.step else []
            if not blocks or blocks[0].table.first_step > step:
                raise StepOutOfRange(
                    f"step {step} of run {run.name!r}, branch {found.branch}, is not committed: "
                    f"it has the steps from {origin.step} on and below {run.frontier}",
                    frontier=run.frontier,
                )
            (block,) = blocks
            values = origin.values if step == origin.step else block.table.cut(step, step + 1)
            version, fence = block.evaluator_version, block.fence
            given = block.learned
        # An edit made later cannot act at a committed step, so those below the step are those in force.
        ruling = in_force([edit for edit in tx.edits(run.uid, found.branch) if edit.effective_step <= step])
        names = _names(tx, ruling, found)
        return Explanation(
            run=run,
            branch=found.branch,
            values=values,
            schedule=ruling[-1].schedule if ruling else found.schedule,
            revision=ruling[-1].revision if ruling else found.revision,
            edits=ruling,
            names=names,
            followed=_followed(ruling, found, names),
            evaluator_version=version,
            fence=fence,
            holder=tx.holder(run.uid, fence),
            origin=step == source.origin.step,
            given=given,
            deviations=tx.deviations(run.uid, branch=source.branch, step=step, limit=_MAX_DEVIATIONS),
        )

    return await keeper.storage.transact(read, writes=False)


async def finish_run(keeper: Keeper, name: str, fence: int | None) -> RunView:
    """Mark a run finished; again: nothing. Raises RunNotFound, RunFenced, UnknownFence."""
    now = keeper.now()

    def work(tx: Transaction) -> RunView:
        run = _named(tx, name)
        if fence is not None and not 1 <= fence <= run.fence:
            raise UnknownFence(f"fence {fence} is none that run {run.name!r} has given", fence=run.fence)
        if fence is not None and fence != run.fence:
            raise fenced(run, tx.holder(run.uid, run.fence), _branch(tx, run, None))
        if run.state != "finished":
            tx.update_run(run.uid, state="finished", finished_at=now)
            run = replace(run, state="finished", finished_at=now)
        return _whole_view(keeper, tx, run)

    view = await keeper.storage.transact(work)
    keeper.lane(view.run.uid).head = None
    return view


async def delete_run(keeper: Keeper, name: str, *, force: bool) -> None:
    """Leave a run's tombstone and free its name. Raises RunNotFound, RunInUse."""
    now = keeper.now()

    def work(tx: Transaction) -> str:
        run = _named(tx, name)
        holder = tx.holder(run.uid, run.fence)
        if holder is not None and run.state == "active" and heard_lately(run, now) and not force:
            raise RunInUse(
                f"run {name!r} is in use: {holder} was heard of "
                f"{max(0, now - run.heard_at) // 1_000_000} s ago; end the job, or use force",
                run=name,
            )
        tx.update_run(run.uid, state="deleted", deleted_at=now, schedule_uid=None)
        tx.drop_rank_progress(run.uid, below=run.fence + 1)
        return run.uid

    uid = await keeper.storage.transact(work)
    keeper.lane(uid).head = None


async def schedule_names(keeper: Keeper, uids: set[str]) -> Mapping[str, str]:
    """Return the names of stored schedules by uid, also of deleted ones."""
    if not uids:
        return {}
    return await keeper.storage.transact(lambda tx: tx.schedule_names(uids), writes=False)


def _named(tx: Transaction, name: str) -> Run:
    run = tx.run_by_name(name)
    if run is None:
        raise RunNotFound(f"there is no run {name!r}", run=name)
    return run


def _branch(tx: Transaction, run: Run, branch: int | None) -> Branch:
    found = tx.branch(run.uid, run.branch if branch is None else branch)
    if found is None:
        raise BranchNotFound(
            f"run {run.name!r} has no branch {branch}; it is on branch {run.branch}", branch=run.branch
        )
    return found


def view_of(tx: Transaction, run: Run) -> RunView:
    """Return a run and what belongs to it."""
    lineage = lineage_of(tx, run)
    branch = lineage[0]
    edits = tx.edits(run.uid)
    ruling = in_force([edit for edit in edits if edit.branch == run.branch])
    acting = [edit for edit in ruling if edit.effective_step <= run.frontier]
    latest = branch.origin.values
    if run.frontier > branch.origin.step + 1:
        (block,) = tx.blocks(run.uid, run.branch, run.frontier - 1, 1)
        latest = block.table.cut(run.frontier - 1, run.frontier)
    names = _names(tx, edits, branch)
    return RunView(
        run=run,
        branch=branch,
        lineage=lineage,
        holder=tx.holder(run.uid, run.fence),
        schedule=acting[-1].schedule if acting else branch.schedule,
        followed=_followed(ruling, branch, names) if run.schedule_uid else None,
        latest=latest,
        edits=edits,
        names=names,
    )


def _whole_view(keeper: Keeper, tx: Transaction, run: Run) -> RunView:
    """Return a run with what its ranks said and did."""
    now, since = keeper.now(), keeper.listening_since
    stored = tx.rank_progress(run.uid, run.fence)
    ranks = {**(stored.ranks if stored else {}), **keeper.unsaved_ranks(run)}
    if len(ranks) > _MAX_RANKS:
        slowest = sorted(ranks, key=lambda rank: ranks[rank].applied_step)[:_MAX_RANKS]
        ranks = {rank: ranks[rank] for rank in slowest}
    return replace(
        view_of(tx, run),
        ranks=tuple(RankView(rank, ranks[rank], silent(ranks[rank], now, since)) for rank in sorted(ranks)),
        deviations=tx.deviations(run.uid, limit=_MAX_DEVIATIONS),
        lost_edits=tx.lost_edits(run.uid),
    )


def _names(tx: Transaction, edits: list[Edit], branch: Branch) -> Mapping[str, str]:
    uids = {branch.origin.schedule_uid, *(edit.schedule_uid for edit in edits)}
    return tx.schedule_names({uid for uid in uids if uid is not None})


def _followed(ruling: list[Edit], branch: Branch, names: Mapping[str, str]) -> tuple[str, int] | None:
    """Return the stored revision that the last ruling definition is."""
    last: Edit | None = ruling[-1] if ruling else None
    uid = last.schedule_uid if last else branch.origin.schedule_uid
    revision = last.schedule_revision if last else branch.origin.schedule_revision
    if uid is None or revision is None:
        return None
    return names[uid], revision
