"""ReportDeviation: what a rank went on with while no server could be reached, beside the timeline."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from lrkeeper.errors import BranchNotFound, InvalidArgument, RunNotFound, StepOutOfRange, UnknownFence
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs.limits import MAX_STEP
from lrkeeper.server.runs.records import Branch, Deviation, Run
from lrkeeper.server.storage.contract import Transaction
from lrkeeper.server.usecases.keeper import Keeper, check_epoch


class Deviated(NamedTuple):
    """What a rank's optimizer had, step by step, and where that came from; at most an answer's rows."""

    run_uid: str
    store_epoch: str
    fence: int
    branch: int
    rank: int
    table: Table
    kind: Literal["hold", "forecast"]


async def report_deviation(keeper: Keeper, deviated: Deviated) -> None:
    """Store a deviation; again: nothing. The start need not hold the run any more.

    Raises:
        InvalidArgument, StepOutOfRange: the values are none that a rank of the run can have had.
        RunNotFound, BranchNotFound, UnknownFence, StoreChanged: there is nothing to deviate from.
    """
    check_epoch(keeper.storage, deviated.store_epoch)
    now = keeper.now()
    await keeper.storage.transact(lambda tx: _store(tx, deviated, now))


def _store(tx: Transaction, deviated: Deviated, now: int) -> None:
    run = tx.run_by_uid(deviated.run_uid)
    if run is None or run.state == "deleted":
        raise RunNotFound(f"there is no run with the uid {deviated.run_uid!r}", run_uid=deviated.run_uid)
    holder = tx.holder(run.uid, deviated.fence)
    if holder is None:
        raise UnknownFence(f"fence {deviated.fence} is none that run {run.name!r} has given", fence=run.fence)
    if not 0 <= deviated.rank < holder.world_size:
        raise InvalidArgument(
            f"rank is {deviated.rank}; the start with fence {deviated.fence} has the ranks 0 to "
            f"{holder.world_size - 1}",
            field="rank",
        )
    branch = tx.branch(run.uid, deviated.branch)
    if branch is None:
        raise BranchNotFound(
            f"run {run.name!r} has no branch {deviated.branch}; it is on branch {run.branch}",
            branch=run.branch,
        )
    _check_values(run, branch, deviated.table)
    tx.insert_deviation(
        Deviation(
            run.uid,
            branch.branch,
            deviated.fence,
            deviated.rank,
            deviated.table,
            deviated.kind,
            now,
        )
    )


def _check_values(run: Run, branch: Branch, table: Table) -> None:
    tracks, groups = tuple(branch.base), len(branch.groups)
    if sorted(table.tracks) != sorted(tracks) or table.groups != groups:
        raise InvalidArgument(
            f"values has the tracks {list(table.tracks)} of {table.groups} param groups; run {run.name!r} has "
            f"{list(tracks)} of {groups}",
            field="values",
        )
    # An outage may have begun below the branch: of a database that was put back the job may hold later steps only.
    if not 0 < table.first_step <= MAX_STEP - table.count:
        raise StepOutOfRange(
            f"values.first_step is {table.first_step}; it must be above 0 and at most {MAX_STEP - table.count}"
        )
    if any(math.isnan(value) for place in range(len(tracks) * groups) for value in table.column(place)):
        raise InvalidArgument("values has a nan; all must be numbers", field="values")
