"""What a job remembers of a run, where the database has lost some of it: who may put it back, and where it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from lrkeeper.errors import RemembersOther
from lrkeeper.schedules import Schedule, codec
from lrkeeper.schedules.given import NOTHING, Given
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs.acquire import Known, fenced
from lrkeeper.server.runs.head import in_force
from lrkeeper.server.runs.records import Branch, Edit, LostEdit

AUTHOR = "lrkeeper"
"""Who has made a branch that a repair begins; no request did."""


@dataclass(frozen=True)
class RememberedRows:
    """Committed rows as a job holds them: of one definition, with the evaluator's state at a step before them."""

    table: Table
    revision: int
    schedule: Schedule
    cursor: str
    cursor_step: int
    given: Given = NOTHING
    """What the one row's step was given, if anything; `cursor_step` is the step before it then."""

    @cached_property
    def definition(self) -> str:
        """The definition's canonical JSON."""
        return codec.to_json(self.schedule)


@dataclass(frozen=True)
class Remembered:
    """What a job remembers: the place it had, the rows it holds (in order of steps, without gap), edits it knows."""

    store_epoch: str
    fence: int
    held: bool
    """Whether this start has held the run with the fence; otherwise another one has, and left a checkpoint."""
    branch: int
    frontier: int
    rows: tuple[RememberedRows, ...] = ()
    edits: tuple[LostEdit, ...] = ()

    @property
    def first_step(self) -> int:
        """The first step of the rows; the frontier where there are none."""
        return self.rows[0].table.first_step if self.rows else self.frontier

    @property
    def end_step(self) -> int:
        """The first step after the rows; 0 where there are none."""
        return self.rows[-1].table.end_step if self.rows else 0

    @property
    def revision(self) -> int:
        """The highest revision of the run that the job knows of."""
        return max([rows.revision for rows in self.rows] + [edit.revision for edit in self.edits], default=0)


def own_fence(remembered: Remembered, known: Known) -> int | None:
    """Return the fence with which a start goes on that was on the run; None for one that was not.

    A start keeps the fence it had: so the starts that come back have the order they had, in whichever order they
    come, and the one with the highest fence has the run in the end. All others get fences above it.

    Raises:
        RunFenced: another start has the run, with a fence at or above the remembered one.
    """
    if not remembered.held:
        return None
    if known.same is not None and known.same.fence == known.run.fence:
        return max(known.run.fence, remembered.fence)
    if remembered.fence <= known.run.fence:
        raise fenced(known.run, known.holder, known.lineage[0])
    return remembered.fence


Action = Literal["nothing", "extend", "anew"]


@dataclass(frozen=True)
class Plan:
    """How a timeline is mended."""

    action: Action
    """"extend": rows beyond the frontier are put behind it. "anew": a branch begins at the first remembered row."""
    branch: int
    """The branch that the rows are put on."""
    first_step: int
    """The first row that is put on it; where it begins anew, its origin's step."""
    frontier: int
    """The frontier afterwards."""
    fork: int | None
    """The branch on which the run goes on from there, if not the same one."""


def plan(remembered: Remembered, branch: int, frontier: int, *, there: bool, newest: int) -> Plan:
    """Return how a run's timeline is mended.

    Steps that were committed, and whose bits nobody here has, are not evaluated on a branch on which they may
    have been handed out: a gap below the remembered rows begins a branch anew at the first of them; where the job
    has seen a frontier beyond its last row, the run goes on from there on a branch of its own.

    Args:
        remembered: what the job remembers.
        branch: the run's present branch.
        frontier: its frontier.
        there: whether the timeline, as it is, is that of the remembered branch.
        newest: the highest branch number in use.
    """
    above = max(newest, remembered.branch) + 1
    first, end = remembered.first_step, remembered.end_step
    if end and (not there or first > frontier):
        unknown = remembered.frontier > end
        number = remembered.branch if remembered.branch > newest and not unknown else above
        return Plan("anew", number, first, end, None)
    after = max(frontier, end)
    lost = there and remembered.branch == branch and remembered.frontier > after
    return Plan("extend" if end > frontier else "nothing", branch, frontier, after, above if lost else None)


def is_repair_of(branch: Branch, left: int, *, there: bool) -> bool:
    """Return whether a repair has begun a branch in the place of another, whose rows go on as this one's.

    `there` says whether the database has the other one.
    """
    if branch.author != AUTHOR or branch.request_id is not None:
        return False
    return branch.parent == left if there else left < branch.branch


def compare(run: str, remembered: Remembered, stored: Sequence[Table]) -> None:
    """See that a run has the rows that a job remembers, bit for bit, where it has them at all.

    Raises:
        RemembersOther: a step has other values; the error names the first one.
    """
    for rows in remembered.rows:
        for table in stored:
            first = max(rows.table.first_step, table.first_step)
            end = min(rows.table.end_step, table.end_step)
            if first >= end:
                continue
            ours, theirs = rows.table.cut(first, end), table.cut(first, end)
            if _ordered(ours) == _ordered(theirs):
                continue
            step = next(
                (
                    s
                    for s in range(first, end)
                    if _ordered(ours.cut(s, s + 1)) != _ordered(theirs.cut(s, s + 1))
                ),
                first,
            )
            raise RemembersOther(
                f"step {step} of run {run!r}: the job was given {ours.row(step)}, and the database has "
                f"{theirs.row(step)}. These are two histories of one run: the database was put back from an older "
                "backup and the run has gone on without this job. End the job and start it again from a checkpoint",
                run=run,
                step=step,
            )


def _ordered(table: Table) -> tuple[int, list[tuple[str, bytes]]]:
    size = 8 * table.count * table.groups
    columns = [(track, table.data[i * size : (i + 1) * size]) for i, track in enumerate(table.tracks)]
    return table.groups, sorted(columns)


def ruling(branch: Branch, edits: Sequence[Edit], step: int) -> tuple[str, int]:
    """Return the definition that rules a step of a branch, and the revision that it came with."""
    found = branch.origin.definition, branch.revision
    for edit in in_force(list(edits)):
        if edit.effective_step <= step:
            found = edit.definition, edit.revision
    return found


def turns(rows: RememberedRows, edits: Sequence[Edit], first: int) -> list[int]:
    """Return the steps of the rows, from `first` on, at which a block begins: there, and where an edit acts."""
    begins = max(first, rows.table.first_step)
    acting = {edit.effective_step for edit in in_force(list(edits))}
    return sorted({begins, *(step for step in acting if begins < step < rows.table.end_step)})


def lost_edits(remembered: Remembered, present: Sequence[Edit], noted: Sequence[LostEdit]) -> list[LostEdit]:
    """Return the edits that a job knows and the database has not, or had lost when another rank told of them."""
    here = {edit.request_id for edit in present}
    before = {edit.request_id for edit in noted}
    return [e for e in remembered.edits if e.request_id not in here or e.request_id in before]


def ended(before: Sequence[Edit], after: Sequence[Edit], remembered: Remembered, frontier: int) -> list[Edit]:
    """Return edits that were still to act and do not any more, since the job has gone on without knowing of them."""
    acting = {edit.definition for edit in in_force(list(after))}
    known = {edit.request_id for edit in remembered.edits}
    return [
        edit
        for edit in in_force(list(before))
        if edit.effective_step >= frontier and edit.definition not in acting and edit.request_id not in known
    ]
