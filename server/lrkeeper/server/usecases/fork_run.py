"""ForkRun: another run begins where one was at a step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from lrkeeper.errors import (
    BranchNotFound,
    RequestIdReused,
    RunExists,
    RunNotFound,
    StepOutOfRange,
    StorageUnavailable,
)
from lrkeeper.schedules.cursor import EVALUATOR_VERSION
from lrkeeper.server.runs.head import in_force
from lrkeeper.server.runs.lineage import at_step, having, same_place
from lrkeeper.server.runs.records import Branch, Edit, ForkedFrom, Run
from lrkeeper.server.storage.contract import Transaction
from lrkeeper.server.storage.ids import new_uid
from lrkeeper.server.usecases.acquire_run import Acquired, acquired
from lrkeeper.server.usecases.branching import evaluated, in_force_at, numbered, origin_at
from lrkeeper.server.usecases.keeper import Keeper, lineage_from, lineage_of, still_to_act
from lrkeeper.server.usecases.runs import RunView, view_of

_TRIES = 8


@dataclass(frozen=True)
class Fork:
    """What was asked for. `branch` None: the run's timeline."""

    run: str
    new_run: str
    at_step: int
    branch: int | None
    request_id: str
    keep_edits: bool
    author: str
    reason: str
    labels: Mapping[str, str]

    @property
    def digest(self) -> str:
        """A hash of all that makes another request under the same id another one."""
        facts = (
            self.new_run,
            self.at_step,
            self.branch,
            self.keep_edits,
            self.author,
            self.reason,
            sorted(self.labels.items()),
        )
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


class _Look(NamedTuple):
    """A run, the place on it and its branch, those edits after it that act on the fork, and where that comes from."""

    place: Acquired
    left: Branch
    later: list[Edit]
    source: ForkedFrom


async def fork_run(keeper: Keeper, fork: Fork) -> RunView:
    """Make a run that begins where another one was at a step; again: nothing. No start holds it yet.

    Raises:
        RunNotFound, BranchNotFound, StepOutOfRange: there is no such step.
        RunExists, RequestIdReused: the name is taken, or the request id.
        ScheduleFails: an edit cannot be carried over.
    """
    for _ in range(_TRIES):
        look = await keeper.storage.transact(lambda tx: _look(tx, fork), writes=False)
        if isinstance(look, RunView):
            return look
        plan = await _planned(look, fork, keeper.now())
        made = await keeper.storage.transact(lambda tx, plan=plan: _made(tx, fork, *plan))  # type: ignore[misc]
        if made is not None:
            return made
    raise StorageUnavailable("other runs are taking the name; the request may be repeated")


def _look(tx: Transaction, fork: Fork) -> _Look | RunView:
    """Return what a fork begins with; or the fork, if this very request was already carried out."""
    run = tx.run_by_name(fork.run)
    if run is None:
        raise RunNotFound(f"there is no run {fork.run!r}", run=fork.run)
    before = tx.fork_by_request(run.uid, fork.request_id)
    if before is not None:
        made = tx.run_by_uid(before.run_uid)
        assert made is not None
        if before.digest != fork.digest or made.state == "deleted":
            raise RequestIdReused(
                f"request_id {fork.request_id} belongs to another fork of run {run.name!r}, which made run "
                f"{made.name!r}{' (deleted since)' if made.state == 'deleted' else ''}; make a new one",
                run=made.name,
            )
        return view_of(tx, made)
    if tx.run_by_name(fork.new_run) is not None:
        raise RunExists(
            f"there is a run {fork.new_run!r} already; give the fork another name", run=fork.new_run
        )
    lineage = lineage_of(tx, run) if fork.branch is None else lineage_from(tx, run.uid, fork.branch)
    if not lineage:
        raise BranchNotFound(
            f"run {run.name!r} has no branch {fork.branch}; it is on branch {run.branch}", branch=run.branch
        )
    step = fork.at_step
    left = at_step(lineage, step) if fork.branch is None else having(lineage, lineage[0], step)
    if not _committed(tx, left, step):
        got = f" and has got to step {run.frontier - 1}" if lineage[0].branch == run.branch else ""
        raise StepOutOfRange(
            f"at_step is {step}, which branch {lineage[0].branch} of run {run.name!r} does not have: it begins at step "
            f"{lineage[-1].origin.step}{got}",
            frontier=run.frontier,
        )
    source = same_place(lineage, left, step)
    return _Look(
        acquired(tx, run, left, step),
        left,
        still_to_act(tx, lineage, left, step) if fork.keep_edits else [],
        ForkedFrom(run.uid, run.name, source.branch, step),
    )


def _committed(tx: Transaction, branch: Branch, step: int) -> bool:
    if step <= branch.origin.step:
        return step == branch.origin.step
    return bool(tx.blocks(branch.run_uid, branch.branch, step, 1, end=step + 1))


async def _planned(look: _Look, fork: Fork, now: int) -> tuple[Run, Branch, list[Edit]]:
    old, left = look.place.run, look.left
    origin = origin_at(look.place, left)
    branch = Branch(
        run_uid=new_uid(),
        branch=1,
        parent=None,
        fork_step=None,
        revision=1,
        origin=origin,
        groups=left.groups,
        created_at=now,
        author=fork.author,
        reason=fork.reason,
        request_id=fork.request_id,
        digest=fork.digest,
    )
    edits = in_force_at(look.place, origin.cursor)
    edits = numbered([*edits, *await evaluated(look.later, left.groups)], branch)
    last = in_force(edits)[-1:]
    run = Run(
        uid=branch.run_uid,
        name=fork.new_run,
        state="active",
        unit=old.unit,
        branch=1,
        fence=0,
        frontier=origin.step + 1,
        revision=branch.revision + len(edits),
        cursor=origin.cursor,
        evaluator_version=EVALUATOR_VERSION,
        schedule_uid=last[0].schedule_uid if last else origin.schedule_uid,
        created_at=now,
        heard_at=now,
        heard_every=0,
        labels=dict(sorted({**old.labels, **fork.labels}.items())),
        forked_from=look.source,
    )
    return run, branch, edits


def _made(tx: Transaction, fork: Fork, run: Run, branch: Branch, edits: list[Edit]) -> RunView | None:
    """Store the run; None if the name or the request id has been taken since."""
    assert run.forked_from is not None
    source = run.forked_from.run_uid
    tx.run_by_uid(source)  # one fork of a run at a time
    if tx.fork_by_request(source, fork.request_id) or tx.run_by_name(run.name):
        return None
    tx.insert_run(run)
    tx.insert_branch(branch)
    for edit in edits:
        tx.insert_edit(edit)
    return view_of(tx, run)
