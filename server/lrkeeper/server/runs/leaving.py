"""The holder of a run leaves its plan: with param groups that it has added, or because other code has changed a value.

The run goes on from there on a branch of its own.
"""

from __future__ import annotations

from itertools import pairwise

from lrkeeper.errors import CheckpointAhead, GroupsDiffer, InvalidArgument, RankDiffers, RunFinished
from lrkeeper.server.runs.acquire import (
    Known,
    Start,
    fenced,
    left_branch,
)
from lrkeeper.server.runs.differences import groups_difference
from lrkeeper.server.runs.lineage import end_of, having, on_branch, onward
from lrkeeper.server.runs.records import Branch


def grown(start: Start, known: Known) -> Branch | None:
    """Return the branch that goes on with the start's groups from the checkpoint's step; None: it is to be made.

    It is there where another rank came first, or an earlier start that added the same groups at that step; or where
    the request is a repeat.

    Raises:
        InvalidArgument: a start of several ranks leaves the plan, which others may have gone on with.
        RunFenced: the start does not hold the run.
        RankDiffers: another rank, or start, of a job of several ranks has added other groups there.
        WrongBranch, CheckpointAhead: the checkpoint's step is not on the run's timeline.
        GroupsDiffer: the groups are not those the run has there, and more.
        RunFinished: nothing is added to a finished run.
    """
    run, place = known.run, start.checkpoint
    assert place is not None
    if known.same is None or known.same.fence != run.fence:
        raise fenced(run, known.holder, known.lineage[0])
    if start.leaves_plan and known.same.world_size > 1:
        raise InvalidArgument(
            f"leaves_plan is set, and the start of run {run.name!r} has {known.same.world_size} ranks: others may have "
            "the values already that it would leave",
            field="leaves_plan",
        )
    branch = on_branch(known.lineage, place.branch, place.step)
    if branch is not None:
        branch = having(known.lineage, branch, place.step)
    for later, earlier in pairwise(known.lineage):
        if (earlier, later.fork_step) == (branch, place.step) and _alike(start, earlier, later):
            difference = groups_difference(start.groups, later.groups)
            if not difference:
                return onward(known.lineage, later)
            if known.same.world_size > 1:
                raise RankDiffers(
                    f"rank {start.rank} has added other param groups at step {place.step} than run {run.name!r} had "
                    f"added there before: {difference}",
                    run=run.name,
                )
    if branch is None:
        raise left_branch(start, known)
    end = end_of(known.lineage, branch, run.frontier)
    if not branch.origin.step <= place.step < end:
        raise CheckpointAhead(
            f"the start leaves the plan at step {place.step}, but branch {branch.branch} of run {run.name!r} has the "
            f"steps from {branch.origin.step} on and below {end}",
            run=run.name,
            frontier=run.frontier,
        )
    difference = groups_difference(start.groups[: len(branch.groups)], branch.groups)
    if not difference and len(start.groups) == len(branch.groups) and not start.leaves_plan:
        difference = "none was added"
    if not difference and len(start.groups) > len(branch.groups) and start.leaves_plan:
        difference = f"leaves_plan is set, and there are {len(start.groups)}"
    if difference:
        raise GroupsDiffer(
            f"the groups are not those of run {run.name!r} at step {place.step} and more: {difference}",
            run=run.name,
        )
    if run.state == "finished":
        raise RunFinished(f"run {run.name!r} is finished and takes no more steps", run=run.name)
    return None


def _alike(start: Start, earlier: Branch, later: Branch) -> bool:
    """Return whether a branch may be the one that the start asks for: with more groups than before, or with as many."""
    if start.leaves_plan:
        return later.request_id is None and len(later.groups) == len(earlier.groups)
    return len(later.groups) > len(earlier.groups)
