"""What a storage does. Every implementation passes tests/contract/."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar

from lrkeeper.server.runs.records import (
    Block,
    Branch,
    Deviation,
    Edit,
    Incarnation,
    LostEdit,
    RankProgress,
    Run,
    ScheduleRevision,
)

T = TypeVar("T")


class Advance(NamedTuple):
    """A run's next rows, to be stored if the run still is as they were evaluated for.

    `cursor` is the evaluation at `new_frontier - 1`; `blocks` lie in [frontier, new_frontier) without
    gap. `fence`, `branch`, `revision` and `frontier` are the run's as it was read.
    """

    run_uid: str
    branch: int
    fence: int
    revision: int
    frontier: int
    new_frontier: int
    cursor: str
    heard_at: int
    heard_every: int
    blocks: tuple[Block, ...]


class Transaction(Protocol):
    """Reads and writes of one transaction; used in the function given to `Storage.transact` only.

    Methods return None or an empty list where there is nothing, and values, not live objects.
    A deleted run or schedule is not found by name, and is by uid.
    """

    def run_by_name(self, name: str) -> Run | None:
        """Return the run and lock its row."""

    def run_by_uid(self, uid: str) -> Run | None:
        """Return the run and lock its row."""

    def insert_run(self, run: Run) -> None:
        """Store a new run with its labels. The name must be free."""

    def update_run(self, uid: str, **changes: Any) -> None:
        """Change columns of a run."""

    def runs(
        self, *, before_uid: str | None, limit: int, labels: Mapping[str, str], state: str | None
    ) -> list[Run]:
        """Return runs that are not deleted, the newest first, after the one named."""

    def followers(self, schedule_uid: str) -> list[Run]:
        """Return the active runs that follow a schedule, by uid."""

    def branch(self, run_uid: str, branch: int) -> Branch | None:
        """Return a branch with its param groups."""

    def branch_by_request(self, run_uid: str, request_id: str) -> Branch | None:
        """Return the branch that a request id made."""

    def fork_by_request(self, run_uid: str, request_id: str) -> Branch | None:
        """Return the first branch of the run that a request id made as a fork of this one."""

    def insert_branch(self, branch: Branch) -> None:
        """Store a new branch with its param groups."""

    def incarnation(self, run_uid: str, incarnation: str) -> Incarnation | None:
        """Return a start by its id."""

    def holder(self, run_uid: str, fence: int) -> Incarnation | None:
        """Return the start that was given a fence."""

    def first_holder(self, run_uid: str, branch: int) -> Incarnation | None:
        """Return the start that made a branch."""

    def highest_attempt(self, run_uid: str) -> int | None:
        """Return the highest attempt number that a start of the run brought."""

    def insert_incarnation(self, incarnation: Incarnation) -> None:
        """Store a new start."""

    def fence_incarnation(self, run_uid: str, incarnation: str, fence: int) -> None:
        """Give a start another fence."""

    def move_incarnation(self, run_uid: str, incarnation: str, resume_step: int) -> None:
        """Set the step at which a start stands."""

    def edits(self, run_uid: str, branch: int | None = None) -> list[Edit]:
        """Return edits in order of revision, of one branch or all."""

    def edit_by_request(self, run_uid: str, request_id: str) -> Edit | None:
        """Return the edit that a request id made."""

    def insert_edit(self, edit: Edit) -> None:
        """Store a new edit."""

    def blocks(
        self, run_uid: str, branch: int, from_step: int, limit: int, *, end: int | None = None
    ) -> list[Block]:
        """Return a branch's blocks in order, from the one that holds `from_step` to the last before `end`.

        Raises DataCorrupted if a block fails its checksum.
        """

    def insert_blocks(self, blocks: tuple[Block, ...]) -> None:
        """Store new blocks."""

    def rank_progress(self, run_uid: str, fence: int, *, lock: bool = False) -> RankProgress | None:
        """Return what the ranks of a start said last; with `lock`, nobody else changes it in the meantime."""

    def put_rank_progress(self, progress: RankProgress) -> None:
        """Store what the ranks of a start said last, in the place of what was stored before."""

    def drop_rank_progress(self, run_uid: str, *, below: int) -> None:
        """Remove what the ranks of starts with smaller fences said."""

    def deviations(
        self, run_uid: str, *, branch: int | None = None, step: int | None = None, limit: int
    ) -> list[Deviation]:
        """Return deviations, the newest first: of one branch or all, of one step or all.

        Raises DataCorrupted if one fails its checksum.
        """

    def insert_deviation(self, deviation: Deviation) -> None:
        """Store a deviation. One of the same branch, fence, rank and first step stays, unless it is shorter."""

    def lost_edits(self, run_uid: str) -> list[LostEdit]:
        """Return edits that were lost, in order of revision."""

    def insert_lost_edit(self, edit: LostEdit) -> None:
        """Store an edit that was lost. One of the same request id stays as it is."""

    def schedule(self, name: str, revision: int | None = None) -> ScheduleRevision | None:
        """Return a revision of a schedule, the head if None, and lock the schedule against changes."""

    def schedule_by_request(self, uid: str, request_id: str) -> ScheduleRevision | None:
        """Return the revision that a request id made."""

    def schedule_names(self, uids: set[str]) -> Mapping[str, str]:
        """Return schedules' names by uid, also of deleted ones."""

    def schedules(self, *, after_name: str, limit: int) -> list[ScheduleRevision]:
        """Return heads by name, after the name given."""

    def unfinished_rollouts(self) -> list[ScheduleRevision]:
        """Return head revisions whose followers have not all been given their edit."""

    def insert_schedule(self, revision: ScheduleRevision) -> None:
        """Store a new schedule with its first revision. The name must be free."""

    def insert_schedule_revision(self, revision: ScheduleRevision) -> None:
        """Store a new head revision."""

    def mark_rolled_out(self, uid: str, revision: int) -> None:
        """Note that all followers have been given their edit."""

    def delete_schedule(self, uid: str, now: int) -> None:
        """Take a schedule's name away."""


class Storage(ABC):
    """A durable store. What was answered survives a crash; nothing is answered before it would.

    Requests that arrive while a commit is in flight share the next one; a request that fails or
    conflicts changes nothing and does not fail its neighbours.
    """

    epoch: str
    """Names the database; a restored one has another."""

    kind: str
    """"sqlite" or "postgresql"."""

    @abstractmethod
    async def advance(self, advance: Advance, meanwhile: Callable[[], None] | None = None) -> bool:
        """Store a run's next rows. False if the run is no longer as it was read; read it again then.

        `meanwhile` may be called while the commit is under way, or not at all. What it makes is for nobody to have
        before this returns True.

        False also where the rows were stored and the answer of the commit was lost: the run has moved on.

        At most one advance a run may be under way in a process.
        Raises StorageUnavailable or StorageFull; then the rows may be stored or not.
        """

    @abstractmethod
    async def transact(self, work: Callable[[Transaction], T], *, writes: bool = True) -> T:
        """Return what `work` returns, once what it wrote is durable. May call `work` more than once.

        What `work` raises is raised here, and nothing it wrote is kept. `writes=False` promises that it
        only reads. Raises StorageUnavailable or StorageFull; then the effect is unknown.
        """

    @abstractmethod
    def close(self) -> None:
        """Finish what is under way and let go of the database."""
