"""What is committed of the steps that a rank asks for: from memory, or from the database."""

from __future__ import annotations

from itertools import takewhile
from typing import NamedTuple

from lrkeeper.errors import BranchNotFound, DataCorrupted, GroupsDiffer, StepOutOfRange
from lrkeeper.schedules import Schedule
from lrkeeper.schedules.cursor import Failure
from lrkeeper.schedules.given import NOTHING, Given
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs.acquire import fenced
from lrkeeper.server.runs.head import Head, in_force
from lrkeeper.server.runs.lineage import end_of
from lrkeeper.server.runs.records import Block, Branch
from lrkeeper.server.storage.contract import Transaction
from lrkeeper.server.usecases.keeper import Keeper, lineage_of


class Steps(NamedTuple):
    """What a rank asks for: `count` steps from `from_step`."""

    run_uid: str
    store_epoch: str
    fence: int
    branch: int
    rank: int
    from_step: int
    count: int  # type: ignore[assignment]  # hides tuple.count
    applied_step: int
    revision: int
    given: Given = NOTHING
    ahead: tuple[Given, ...] = ()
    """What the steps after the first are told, where that is known."""
    frontier: int = 0
    """The highest one of the branch that the rank has seen."""

    @property
    def told(self) -> tuple[Given, ...]:
        """What each of the steps is given, if anything is."""
        return (self.given, *self.ahead) if self.given or self.ahead else ()


class Answer(NamedTuple):
    """The values of the steps, and what ends them. No table: the frontier is below.

    All rows are of one revision; either each learned something from outside, or none did.
    """

    table: Table | None
    block: Block | None
    """The block that the rows are evaluated from: the first one's; the last one's if that learned something, and the
    rank did not say what it is told ahead."""
    frontier: int
    failure: Failure | None
    schedule: Schedule | None
    """The definition of the block's revision, if the rank does not have it."""
    learned: tuple[Given, ...] = ()
    """What the block's step was given, or each row's where the rank tells ahead; such a block is of one row."""


async def answer(keeper: Keeper, head: Head, steps: Steps, failure: Failure | None) -> Answer:
    """Return what is committed of the steps, from memory or from the database; `failure` is what comes after it.

    Raises StepOutOfRange, BranchNotFound, GroupsDiffer, RunFenced; DataCorrupted.
    """
    if steps.branch != head.run.branch:
        blocks, end = await keeper.storage.transact(
            lambda tx: _of_other_branch(tx, head, steps), writes=False
        )
    else:
        end = _end(head, steps)
        if end <= steps.from_step:
            return Answer(None, None, head.frontier, failure, None)
        recent = _recent(head, steps, end)
        if recent is None:
            blocks, end = await keeper.storage.transact(
                lambda tx, end=end: _stored(tx, steps, head.branch, end),  # type: ignore[misc]
                writes=False,
            )
        else:
            blocks = recent
    whole = len(blocks)
    blocks = _alike(blocks)
    first, last = blocks[0], blocks[-1]
    schedule = None
    if last.revision != steps.revision:
        if steps.branch == head.run.branch and last.revision == head.revision:
            schedule = head.schedule
        else:
            schedule = await keeper.storage.transact(
                lambda tx: definition_at(tx, last.run_uid, last.branch, last.table.first_step), writes=False
            )
    table = Table.join([block.table.cut(steps.from_step, end) for block in blocks])
    ends = failure if len(blocks) == whole else None
    if first.given is None:
        return Answer(table, first, head.frontier, ends, schedule)
    told = blocks if steps.ahead else [last]
    return Answer(table, told[0], head.frontier, ends, schedule, tuple(block.learned for block in told))


def answer_from_newest(head: Head, steps: Steps, failure: Failure | None) -> Answer | None:
    """Return the answer in the common case: all of it is the head's newest block, and the rank has its definition."""
    block, end = head.recent[-1], _end(head, steps)
    if block.table.first_step <= steps.from_step < end and block.revision == steps.revision:
        learned = () if block.given is None else (block.learned,)
        return Answer(block.table.cut(steps.from_step, end), block, head.frontier, failure, None, learned)
    return None


def _end(head: Head, steps: Steps) -> int:
    """Return where an answer's rows end on the branch that the run is on."""
    return min(steps.from_step + min(steps.count, head.most), head.frontier)


def _alike(blocks: list[Block]) -> list[Block]:
    """Return the blocks up to the first of another revision, or that differs in having learned something or not."""
    first = blocks[0]
    if len(blocks) == 1:
        return blocks
    kind = (first.revision, first.given is None)
    return list(takewhile(lambda block: (block.revision, block.given is None) == kind, blocks))


def _recent(head: Head, steps: Steps, end: int) -> list[Block] | None:
    """Return the blocks that hold the steps, if they are in memory."""
    recent = head.recent
    if recent and recent[-1].table.first_step <= steps.from_step:
        return [recent[-1]]  # nearly always: the block that was just committed
    if not recent or recent[0].table.first_step > steps.from_step:
        return None
    return [b for b in recent if b.table.first_step < end and b.table.end_step > steps.from_step]


def _stored(tx: Transaction, steps: Steps, branch: Branch, end: int) -> tuple[list[Block], int]:
    """Return the blocks that hold committed steps, and the end of the steps: that of one branch's, at most.

    Raises StepOutOfRange, and DataCorrupted if there is a gap.
    """
    while steps.from_step <= branch.origin.step and branch.fork_step is not None:
        end = min(end, branch.fork_step + 1)
        earlier = tx.branch(steps.run_uid, branch.parent or 0)
        assert earlier is not None
        branch = earlier
    if steps.from_step <= branch.origin.step:
        run = tx.run_by_uid(steps.run_uid)
        name = run.name if run else steps.run_uid
        raise StepOutOfRange(
            f"from_step is {steps.from_step}; run {name!r} begins at step {branch.origin.step}, so it must be above "
            "that"
        )
    count = end - steps.from_step
    blocks = tx.blocks(steps.run_uid, branch.branch, steps.from_step, count, end=end)
    step = steps.from_step
    for block in blocks:
        if block.table.first_step > step:
            break
        step = block.table.end_step
    if step < end:
        raise DataCorrupted(
            f"step {step} of run {steps.run_uid}, branch {branch.branch}, was committed and is missing",
            run_uid=steps.run_uid,
            branch=branch.branch,
            first_step=step,
        )
    return blocks, end


def _of_other_branch(tx: Transaction, head: Head, steps: Steps) -> tuple[list[Block], int]:
    """Return the blocks of a branch that the run has left, and where what may be answered ends.

    The holder of the run has them up to the step at which the run left the branch with more param groups; beyond
    it GroupsDiffer is raised. To others, who have lost the run, RunFenced beyond what is there.
    """
    branch = tx.branch(steps.run_uid, steps.branch)
    if branch is None:
        raise BranchNotFound(
            f"run {head.run.name!r} has no branch {steps.branch}; it is on branch {head.run.branch}",
            branch=head.run.branch,
        )
    most = steps.from_step + min(steps.count, branch.rows_of_answer)
    if steps.fence == head.run.fence:
        lineage = lineage_of(tx, head.run)
        end = end_of(lineage, branch, most) if branch in lineage else most
        if steps.from_step >= end:
            raise GroupsDiffer(
                f"run {head.run.name!r} has {len(head.branch.groups)} param groups, and the job goes on with "
                f"{len(branch.groups)} after step {end - 1}, where the run's had been added: add them there too, "
                "or start anew with another run name or on_existing='new_branch'",
                run=head.run.name,
                branch=head.run.branch,
            )
        most = min(most, end)
    found = tx.blocks(steps.run_uid, steps.branch, steps.from_step, most - steps.from_step, end=most)
    if not found and steps.from_step > branch.origin.step:
        raise fenced(head.run, tx.holder(head.run.uid, head.run.fence), head.branch)
    return _stored(tx, steps, branch, min(most, found[-1].table.end_step) if found else most)


def definition_at(tx: Transaction, run_uid: str, branch: int, step: int) -> Schedule:
    """Return the definition in force at a step of a branch."""
    found = tx.branch(run_uid, branch)
    assert found is not None
    schedule = found.schedule
    for edit in in_force(tx.edits(run_uid, branch)):
        if edit.effective_step <= step:
            schedule = edit.schedule
    return schedule
