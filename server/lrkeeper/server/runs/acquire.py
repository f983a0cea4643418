"""Who may have a run: what a start of a job is given, or why it is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from lrkeeper.errors import (
    CheckpointAhead,
    RankDiffers,
    RunAlreadyFinished,
    RunFenced,
    RunFinished,
    RunHeld,
    StaleAttempt,
    WrongBranch,
)
from lrkeeper.server.runs.differences import check_definition
from lrkeeper.server.runs.lineage import Lineage, at_step, end_of, having, on_branch, onward
from lrkeeper.server.runs.records import Branch, Edit, Incarnation, ParamGroup, Run
from lrkeeper.server.runs.resume import (
    OnResume,
    check_policy,
    check_untouched,
    fork_point,
    last_applied,
    policy,
    taken_back,
)

LATELY_US = 60_000_000

OnExisting = Literal["resume", "new_branch", "takeover"]


@dataclass(frozen=True)
class Checkpoint:
    """Where in a run a checkpoint was taken."""

    run_uid: str
    branch: int
    step: int


@dataclass(frozen=True)
class Start:
    """What one rank of a start of a job brings."""

    run: str
    incarnation: str
    attempt: int | None
    rank: int
    world_size: int
    groups: tuple[ParamGroup, ...]
    definition: str
    schedule_uid: str | None
    schedule_revision: int | None
    checkpoint: Checkpoint | None
    begin_step: int
    """Where the job stands without a checkpoint; 0: at the run's origin, wherever that is."""
    on_existing: OnExisting
    unit: str
    labels: Mapping[str, str]
    holder_labels: Mapping[str, str]
    adds_groups: bool = False
    """Whether the start holds the run and has added param groups at the checkpoint's step."""
    leaves_plan: bool = False
    """Whether it holds the run, alone, and leaves what is committed beyond the checkpoint's step."""
    parameters: Mapping[str, float] = field(default_factory=dict)
    """The numbers that the job gives to its definition; `definition` has them in it."""
    on_resume: OnResume = "exact"
    """What a start with a checkpoint wants."""


@dataclass(frozen=True)
class Known:
    """What the database knows of an existing run, as far as a start depends on it."""

    run: Run
    lineage: Lineage
    same: Incarnation | None
    """This incarnation, if it was here before."""
    holder: Incarnation | None
    """The incarnation that has the present fence."""
    highest_attempt: int | None
    applied: int | None = None
    """The last step that a rank of the newest start is known to have; None if nothing is known."""
    later: tuple[Edit, ...] = ()
    """The edits that the timeline has after the checkpoint's step."""
    past: Lineage = ()
    """The checkpoint's branch and its past, also where the run has left it; empty if it does not have the step."""


@dataclass(frozen=True)
class Grant:
    """What a start is given: its own fence again, or a new one; where it stands; its branch."""

    again: bool
    branch: Branch | None
    """None: a new one."""
    resume_step: int
    parent: int | None = None
    """The branch that a new one goes on from."""
    fork_step: int | None = None
    """At which step; None: it begins anew."""


def decide(start: Start, known: Known, now: int) -> Grant:
    """Return what a start of a job is given on an existing run.

    Raises:
        RunFenced: another start has taken the run from this one.
        StaleAttempt: the attempt number is lower than one seen.
        RunHeld, RunAlreadyFinished: a fresh start on a run that is not free.
        RunFinished, WrongBranch, CheckpointAhead: the checkpoint cannot be gone on from.
        ResumeRefused: nor as the start wants it.
        ScheduleDiffers, GroupsDiffer: what the job brings is not the run's.
        RankDiffers: nor what the first rank of this start brought.
    """
    run = known.run
    if known.same is not None:
        if known.same.fence != run.fence:
            raise fenced(run, known.holder, known.lineage[0])
        if start.world_size != known.same.world_size:
            raise RankDiffers(
                f"rank {start.rank} says that the world size is {start.world_size}, and the first rank of "
                f"incarnation {start.incarnation} that it is {known.same.world_size}; a start in another world "
                "has an incarnation of its own",
                run=run.name,
            )
        check_policy(start, known)
        branch, step = _standing(start, known)
        check_definition(start, branch)
        if start.world_size > 1 and step != known.same.resume_step:
            raise RankDiffers(
                f"rank {start.rank} stands at step {step}, but the first rank of incarnation "
                f"{start.incarnation} at step {known.same.resume_step}; load the same checkpoint on all ranks",
                run=run.name,
            )
        return Grant(again=True, branch=branch, resume_step=step)
    if (
        start.attempt is not None
        and known.highest_attempt is not None
        and start.attempt < known.highest_attempt
    ):
        raise StaleAttempt(
            f"attempt {start.attempt} of run {run.name!r} comes after attempt {known.highest_attempt} "
            "has started; only a later one may take the run",
            run=run.name,
            attempt=known.highest_attempt,
        )
    if start.checkpoint is None:
        _check_free(start, known, now)
        if start.on_existing == "new_branch":
            return Grant(again=False, branch=None, resume_step=start.begin_step, parent=run.branch)
    elif run.state == "finished" and start.on_existing != "takeover":
        raise RunFinished(
            f"run {run.name!r} is finished; to go on with it all the same, say on_existing='takeover'",
            run=run.name,
        )
    if start.checkpoint is not None and start.on_resume == "checkpoint":
        parent, fork_step = fork_point(start, known)
        return Grant(
            again=False,
            branch=None,
            resume_step=start.checkpoint.step,
            parent=parent,
            fork_step=fork_step,
        )
    branch, step = _standing(start, known)
    check_definition(start, branch)
    if policy(start) == "error":
        check_untouched(start, known)
    return Grant(again=False, branch=branch, resume_step=step)


def fenced(run: Run, holder: Incarnation | None, branch: Branch) -> RunFenced:
    """Return the error of a start that has lost the run; `branch` is the run's present one."""
    if holder is None and branch.fence == run.fence:
        return RunFenced(
            f"run {run.name!r}: {taken_back(branch)}; this start must end, and another one go on from a checkpoint "
            f"at or before step {branch.origin.step}",
            run=run.name,
            fence=run.fence,
            branch=branch.branch,
            step=branch.origin.step,
        )
    who = str(holder) if holder is not None else f"fence {run.fence}"
    details: dict[str, str | int] = {"run": run.name, "fence": run.fence}
    if holder is not None:
        details |= {"incarnation": holder.incarnation, **{f"holder_{k}": v for k, v in holder.labels.items()}}
    return RunFenced(f"run {run.name!r} is held by {who} now; this start must end", **details)


def heard_lately(run: Run, now: int) -> bool:
    """Return whether the run's holder seems alive: heard of within a minute, or three of its steps."""
    return now - run.heard_at < max(LATELY_US, 3 * run.heard_every)


def _check_free(start: Start, known: Known, now: int) -> None:
    run = known.run
    if start.on_existing == "takeover":
        return
    if run.state == "finished":
        if start.on_existing == "new_branch":
            return
        raise RunAlreadyFinished(
            f"run {run.name!r} exists and is finished; give the job another run name, "
            "or say on_existing='new_branch' to train it again or 'takeover' to go on with it",
            run=run.name,
        )
    if known.holder is not None and heard_lately(run, now):
        ago = max(0, now - run.heard_at) // 1_000_000
        raise RunHeld(
            f"run {run.name!r} is held by {known.holder}, heard of {ago} s ago; give this job another "
            "run name, load a checkpoint of the run, or say on_existing='takeover' to take it away",
            run=run.name,
            incarnation=known.holder.incarnation,
            **{f"holder_{key}": value for key, value in known.holder.labels.items()},
        )


def _standing(start: Start, known: Known) -> tuple[Branch, int]:
    """Return where a start stands on the timeline: the step, and the branch on which it goes on with its groups."""
    run, lineage = known.run, known.lineage
    if start.checkpoint is None and start.begin_step == 0:
        branch = lineage[-1]
        return onward(lineage, branch), branch.origin.step
    if policy(start) == "server":
        again = known.same is not None and known.same.on_resume == "server"
        step = known.same.resume_step if known.same is not None and again else last_applied(known)
        return onward(lineage, at_step(lineage, step, len(start.groups))), step
    if start.checkpoint is None:
        step = start.begin_step
        branch = at_step(lineage, step, len(start.groups))
    else:
        step = start.checkpoint.step
        found = on_branch(lineage, start.checkpoint.branch, step)
        if found is None:
            raise left_branch(start, known)
        branch = having(lineage, found, step)
    what = "job stands" if start.checkpoint is None else "checkpoint lies"
    if step >= end_of(lineage, branch, run.frontier):
        raise CheckpointAhead(
            f"the {what} at step {step}, but run {run.name!r} has only the steps below "
            f"{run.frontier}: is this the database that the job ran on?",
            run=run.name,
            frontier=run.frontier,
        )
    if step < branch.origin.step:
        raise CheckpointAhead(
            f"the {what} at step {step}, before run {run.name!r} begins at {branch.origin.step}",
            run=run.name,
        )
    return onward(lineage, branch), step


def left_branch(start: Start, known: Known) -> WrongBranch:
    """Return the error of a checkpoint whose step the timeline does not have on the checkpoint's branch."""
    assert start.checkpoint is not None
    run, branch = known.run, known.lineage[0]
    how = f"which left branch {branch.parent} at step {branch.fork_step}"
    why = f" ({taken_back(branch)})" if branch.request_id is not None else ""
    return WrongBranch(
        f"the checkpoint lies at step {start.checkpoint.step} of branch {start.checkpoint.branch}; run "
        f"{run.name!r} is on branch {run.branch}, {how if branch.fork_step is not None else 'which began anew'}{why}; "
        "on_resume='checkpoint' goes on from the checkpoint all the same, on a branch of its own",
        run=run.name,
        branch=run.branch,
    )
