"""What a start with a checkpoint wants of its run: the step it is given, the branch, or why it is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from lrkeeper.errors import RankDiffers, ResumeRefused
from lrkeeper.server.runs.lineage import having

if TYPE_CHECKING:
    from lrkeeper.server.runs.acquire import Known, Start
    from lrkeeper.server.runs.records import Branch, Edit

OnResume = Literal["exact", "server", "checkpoint", "error"]


def last_applied(known: Known) -> int:
    """Return the last step that a rank of the newest start is known to have; the last committed one if none is."""
    last = known.run.frontier - 1
    return last if known.applied is None else max(known.lineage[-1].origin.step, min(known.applied, last))


def fork_point(start: Start, known: Known) -> tuple[int, int | None]:
    """Return the branch, and its step, that a branch from the checkpoint on leaves.

    No step where the database does not have the checkpoint's: the branch begins anew there.
    """
    assert start.checkpoint is not None
    if not known.past:
        return known.run.branch, None
    return having(known.past, known.past[0], start.checkpoint.step).branch, start.checkpoint.step


def check_policy(start: Start, known: Known) -> None:
    """See that a rank wants what the first one of its start wanted.

    Raises:
        RankDiffers: it wants something else.
        ResumeRefused: one start goes on from one checkpoint's values only.
    """
    assert known.same is not None
    first, ours = known.same.on_resume or "exact", policy(start)
    if start.world_size > 1 and ours != first:
        raise RankDiffers(
            f"rank {start.rank} says on_resume={ours!r}, and the first rank of incarnation {start.incarnation} "
            f"{first!r}; say the same on all ranks",
            run=known.run.name,
        )
    if ours != "checkpoint" or start.checkpoint is None:
        return
    if first != "checkpoint" or start.checkpoint.step != known.same.resume_step:
        raise ResumeRefused(
            f"this start of run {known.run.name!r} stands on branch {known.same.branch} already, from step "
            f"{known.same.resume_step} on; to go on from another checkpoint's values, start the job again",
            run=known.run.name,
        )


def policy(start: Start) -> OnResume:
    """Return what a start wants; "exact" without a checkpoint."""
    return "exact" if start.checkpoint is None else start.on_resume


def check_untouched(start: Start, known: Known) -> None:
    """Raise ResumeRefused if the run was edited from a step after the checkpoint's on, left its branch, or went on."""
    assert start.checkpoint is not None
    run, step = known.run, start.checkpoint.step
    what = _left(known.lineage, start.checkpoint.branch) or _edited(known.later)
    if not what and known.applied is not None and last_applied(known) > step:
        what = f"a rank has gone on to step {last_applied(known)}"
    if what:
        raise ResumeRefused(
            f"the checkpoint lies at step {step} of run {run.name!r}, and since then {what}; say "
            f"on_resume='exact' to go on from there all the same, 'server' to go on from step {last_applied(known)}, "
            "or 'checkpoint' to go on from there as if nothing had happened",
            run=run.name,
        )


def _left(lineage: Sequence[Branch], number: int) -> str:
    """Say how the run has left a branch; empty if it is on it."""
    place = [branch.branch for branch in lineage].index(number)
    if place == 0:
        return ""
    after = lineage[place - 1]
    if after.request_id is not None:
        return taken_back(after)
    if len(after.groups) > len(lineage[place].groups):
        return f"param groups were added at step {after.fork_step}"
    return (
        f"it has gone on on branch {after.branch}, which left branch {after.parent} at step {after.fork_step}"
    )


def _edited(later: Sequence[Edit]) -> str:
    """Say which edit acts after the checkpoint."""
    if not later:
        return ""
    edit = later[0]
    return (
        f"it was edited with effect from step {edit.effective_step} (revision {edit.revision}, {edit.author}: "
        f"{edit.reason or 'no reason given'})"
    )


def taken_back(branch: Branch) -> str:
    """Say who has begun a branch at which step, and why."""
    return (
        f"it was taken back to step {branch.origin.step} by {branch.author or 'somebody'}: "
        f"{branch.reason or 'no reason given'}"
    )
