"""NextLr: the hot path. What is committed is answered from memory, the rest is committed first."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from lrkeeper.errors import (
    InvalidArgument,
    RunFenced,
    RunFinished,
    StepOutOfRange,
    StorageUnavailable,
    StoreChanged,
    UnknownFence,
)
from lrkeeper.schedules.cursor import Failure
from lrkeeper.schedules.given import Given, falling
from lrkeeper.server.runs.acquire import fenced
from lrkeeper.server.runs.frontier import new_frontier
from lrkeeper.server.runs.head import Head, advanced
from lrkeeper.server.runs.limits import MAX_AHEAD, MAX_STEP, MAX_WORLD_SIZE
from lrkeeper.server.storage.contract import Advance
from lrkeeper.server.usecases.committed import Answer, Steps, answer, answer_from_newest
from lrkeeper.server.usecases.keeper import Keeper, Lane, check_epoch
from lrkeeper.server.usecases.ranks import STORED_EVERY_US

R = TypeVar("R")

_TRIES = 8


async def next_lr(keeper: Keeper, steps: Steps, encode: Callable[[Answer], R]) -> R:
    """Return the values of the steps, encoded, committing those that are not committed yet.

    They are encoded while the commit is under way, where there is time for it then.

    Raises:
        InvalidArgument, StepOutOfRange: the request makes no sense for the run.
        RunNotFound, RunFinished, RunFenced, UnknownFence, StoreChanged: the run cannot be moved.
        BranchNotFound, GroupsDiffer: it has not the branch, or not the branch's param groups any more.
        StorageUnavailable, StorageFull, DataCorrupted: the database.
    """
    _check(steps)
    check_epoch(keeper.storage, steps.store_epoch)
    lane = keeper.lane(steps.run_uid)
    failure, encoded = None, None
    head = lane.head
    if head is None or _behind(head, steps) or not _covered(head, steps):
        async with lane.lock:
            head, failure, encoded = await _move(keeper, lane, steps, encode)
    elif steps.fence == head.run.fence:
        _check_rank(head, steps)
        keeper.hear(lane, head, steps.rank, steps.applied_step, keeper.now())
    return encoded or encode(await answer(keeper, head, steps, failure))


def _check(steps: Steps) -> None:
    if steps.from_step < 1:
        raise InvalidArgument(f"from_step is {steps.from_step}; it must be at least 1", field="from_step")
    if steps.from_step >= MAX_STEP:
        raise StepOutOfRange(f"from_step is {steps.from_step}; it must be below {MAX_STEP}")
    if steps.count < 1:
        raise InvalidArgument(f"count is {steps.count}; it must be at least 1", field="count")
    if (steps.given or steps.ahead) and steps.count != 1 + len(steps.ahead):
        raise InvalidArgument(
            f"count is {steps.count}; with given it must be 1, and one more for each step of ahead, which has "
            f"{len(steps.ahead)}",
            field="count",
        )
    if not 0 <= steps.rank < MAX_WORLD_SIZE:
        raise InvalidArgument(f"rank is {steps.rank}; it must be 0 or more", field="rank")
    if not 0 <= steps.applied_step <= steps.from_step:
        raise InvalidArgument(
            f"applied_step is {steps.applied_step}; it must be a step from 0 to from_step ({steps.from_step})",
            field="applied_step",
        )


def _behind(head: Head, steps: Steps) -> bool:
    """Return whether the run has gone on through another server: was taken, left its branch, was edited or moved.

    A rank asks from the frontier at the latest, unless it skips steps.
    """
    run = head.run
    if steps.branch == run.branch and steps.from_step > head.frontier:
        return True
    return steps.fence > run.fence or steps.branch > run.branch or _lost(head, steps)


def _lost(head: Head, steps: Steps) -> bool:
    """Return whether the rank has seen more of the run than the head has."""
    if steps.revision > head.run.revision:
        return True
    return steps.branch == head.run.branch and steps.frontier > head.frontier


def _covered(head: Head, steps: Steps) -> bool:
    """Return whether all that is asked for is committed, so that nothing would move."""
    if steps.branch != head.run.branch or steps.from_step <= head.branch.origin.step:
        return True
    return steps.from_step + min(steps.count, head.most) <= head.frontier


async def _move(
    keeper: Keeper, lane: Lane, steps: Steps, encode: Callable[[Answer], R]
) -> tuple[Head, Failure | None, R | None]:
    """Return the run's head with the steps below its frontier, as far as one request may move it.

    And the answer, if that was encoded while those were being committed.
    """
    for _ in range(_TRIES):
        head = lane.head or await keeper.head(steps.run_uid, lane)
        if _behind(head, steps):
            head = await keeper.load(steps.run_uid, lane)
            if _lost(head, steps):
                raise _lost_error(head, steps)
            if steps.fence > head.run.fence:  # what is committed here may be other than what its giver had
                raise await _refusal(keeper, head, steps)
        now = keeper.now()
        if steps.fence == head.run.fence:
            _check_rank(head, steps)
            keeper.hear(lane, head, steps.rank, steps.applied_step, now)
        if _covered(head, steps):
            return head, None, None
        if steps.fence != head.run.fence:
            raise await _refusal(keeper, head, steps)
        _check_may_move(head, steps)
        target = await _target(keeper, head, lane, steps, now)
        told = _of_one_definition(head, steps, _told(head, steps)) if steps.given or steps.ahead else ()
        after, blocks, failure = advanced(
            head, min(target, head.frontier + len(told)) if told else target, now, told
        )
        if not blocks:
            return head, failure, None
        lane.head = None  # until it is known what the database has
        advance = Advance(
            run_uid=steps.run_uid,
            branch=head.run.branch,
            fence=head.run.fence,
            revision=head.run.revision,
            frontier=head.frontier,
            new_frontier=after.frontier,
            cursor=after.cursor_text,
            heard_at=after.heard_at,
            heard_every=after.heard_every,
            blocks=blocks,
        )
        encoded: list[R] = []  # of this try: another one may find the run elsewhere
        meanwhile = partial(_encode, after, steps, failure, encode, encoded)
        if await keeper.storage.advance(advance, meanwhile):
            lane.head = after
            return after, failure, encoded[0] if encoded else None
    raise StorageUnavailable("the run is changing too often; the request may be repeated")


def _encode(
    after: Head, steps: Steps, failure: Failure | None, encode: Callable[[Answer], R], encoded: list[R]
) -> None:
    """Encode the answer of the common case, into a list."""
    found = answer_from_newest(after, steps, failure)
    if found is not None:
        encoded.append(encode(found))


async def _target(keeper: Keeper, head: Head, lane: Lane, steps: Steps, now: int) -> int:
    """Return how far the request moves the frontier, with regard to all ranks of the start."""
    count = min(steps.count, head.most)

    def target() -> int:
        lowest = lane.ranks.lowest(now)
        if lowest is None:  # another server hears all of them just now
            lowest = steps.applied_step
        return new_frontier(head.frontier, steps.from_step, count, lowest, head.most)

    if head.world_size == 1:
        return new_frontier(head.frontier, steps.from_step, count, steps.applied_step, head.most)
    found = target()
    if now - lane.ranks.read_at >= STORED_EVERY_US and (
        found < min(steps.from_step + count, head.frontier + head.most) or lane.ranks.any_silent(now)
    ):
        # The rank that holds back, or is silent, may have talked to another server in the meantime.
        await keeper.read_ranks(head, lane)
        found = target()
    return found


async def _refusal(keeper: Keeper, head: Head, steps: Steps) -> RunFenced | UnknownFence:
    """Return why a fence that is not the run's moves nothing."""
    run = head.run
    if 1 <= steps.fence < run.fence:
        holder = await keeper.storage.transact(lambda tx: tx.holder(run.uid, run.fence), writes=False)
        return fenced(run, holder, head.branch)
    return UnknownFence(f"fence {steps.fence} is none that run {run.name!r} has given", fence=run.fence)


def _lost_error(head: Head, steps: Steps) -> StoreChanged:
    seen, has = f"step {steps.frontier}", f"step {head.frontier}"
    if steps.revision > head.run.revision:
        seen, has = f"revision {steps.revision}", f"revision {head.run.revision}"
    return StoreChanged(
        f"rank {steps.rank} has seen run {head.run.name!r} at {seen}, and the database has it at {has}: it was put "
        "back from an older backup",
        frontier=head.frontier,
        revision=head.run.revision,
    )


def _check_rank(head: Head, steps: Steps) -> None:
    if not head.world_size:
        raise UnknownFence(
            f"no start holds run {head.run.name!r}: fence {steps.fence} was given to none; acquire the run first",
            fence=head.run.fence,
        )
    if steps.rank >= head.world_size:
        raise InvalidArgument(
            f"rank is {steps.rank}; the start that holds run {head.run.name!r} has the ranks 0 to "
            f"{head.world_size - 1}",
            field="rank",
        )


def _check_may_move(head: Head, steps: Steps) -> None:
    run = head.run
    if run.state == "finished":
        raise RunFinished(f"run {run.name!r} is finished and takes no more steps", run=run.name)
    if steps.from_step > head.frontier + MAX_AHEAD:
        raise StepOutOfRange(
            f"from_step is {steps.from_step}; run {run.name!r} has got to {head.frontier}, "
            f"and at most {MAX_AHEAD} steps may be skipped",
            frontier=head.frontier,
        )


def _of_one_definition(head: Head, steps: Steps, told: tuple[Given, ...]) -> tuple[Given, ...]:
    """Return what is told up to an edit that the rank does not know: it tells the steps of another definition."""
    pending = head.pending
    if head.revision != steps.revision or (pending and pending[0].effective_step == head.frontier):
        return told[:1]
    return told[: pending[0].effective_step - head.frontier] if pending else told


def _told(head: Head, steps: Steps) -> tuple[Given, ...]:
    """Return what the steps from the frontier on are given, once it is checked."""
    told = steps.told[head.frontier - steps.from_step :] if steps.from_step <= head.frontier else ()
    if not told:
        raise StepOutOfRange(
            f"from_step is {steps.from_step}, and run {head.run.name!r} has got to {head.frontier}: a step that is "
            "given a metric, an epoch, factors, progress or changed values can only be the next one",
            frontier=head.frontier,
        )
    before = dict(head.cursor.progress)
    for step, given in enumerate(told, start=head.frontier):
        place = "given" if step == steps.from_step else f"ahead[{step - steps.from_step - 1}]"
        if fallen := falling(before, given.progress or {}):
            axis, problem = fallen
            raise InvalidArgument(
                f"{place}.progress.{problem} (run {head.run.name!r}, step {step})",
                field=f"{place}.progress.{axis}",
            )
        before |= given.progress or {}
    seen = told[0].seen
    if seen is not None:
        base = head.branch.base
        sizes = {track: len(values) for track, values in seen.items()}
        wanted = {track: len(values) for track, values in base.items()}
        if sizes != wanted:
            raise InvalidArgument(
                f"given.seen has the values {sizes} by track; run {head.run.name!r} has {wanted}",
                field="given.seen",
            )
    return told
