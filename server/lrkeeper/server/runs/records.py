"""What a run is, as values. Times are microseconds since 1970 (UTC)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, NamedTuple

from lrkeeper.schedules import Schedule, codec
from lrkeeper.schedules.given import NOTHING, Given
from lrkeeper.schedules.numbers import NUMBERS, Base, Real, Row
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs.frontier import Heard
from lrkeeper.server.runs.limits import rows_of_answer


@dataclass(frozen=True)
class ParamGroup:
    """A param group as the job brought it: base values and those at construction, by track."""

    name: str | None
    number: str
    initial: Mapping[str, float]
    current: Mapping[str, float]


def base_row(groups: tuple[ParamGroup, ...]) -> Row:
    """Return the base values (torch's `initial_lr`) as numbers of the groups' kinds, with the groups' names."""
    values = {
        track: tuple(_number(group, track)(group.initial[track]) for group in groups)
        for track in groups[0].initial
    }
    return Base(values, [group.name for group in groups])


def current_row(groups: tuple[ParamGroup, ...]) -> Row:
    """Return the values the groups had when the scheduler was built."""
    return {
        track: tuple(_number(group, track)(group.current[track]) for group in groups)
        for track in groups[0].current
    }


def _number(group: ParamGroup, track: str) -> Callable[[float], Real]:
    """Return the kind of number of a track: a group's own is its lr's, torch keeps others as floats."""
    return NUMBERS[group.number] if track == "lr" else float


@dataclass(frozen=True)
class Origin:
    """A definition, where it came from, and where a lineage that has it begins."""

    definition: str
    schedule_uid: str | None
    schedule_revision: int | None
    step: int
    values: Table
    cursor: str
    parameters: Mapping[str, float] = field(default_factory=dict)
    """The numbers that the run gave to the definition's parameters; `definition` has them in it."""


@dataclass(frozen=True)
class Branch:
    """A lineage of a run.

    It has its parent's steps up to `fork_step` and its own from there; without a fork step it began anew.
    """

    run_uid: str
    branch: int
    parent: int | None
    fork_step: int | None
    revision: int
    origin: Origin
    groups: tuple[ParamGroup, ...]
    created_at: int
    author: str = ""
    reason: str = ""
    """Who made the branch and why, where an operator did."""
    request_id: str | None = None
    digest: str | None = None
    """The request that made the branch, and what it asked for, so that a repeat is recognised."""
    fence: int | None = None
    """The fence that was raised with the branch, which no start has."""

    @cached_property
    def base(self) -> Row:
        """The groups' base values."""
        return base_row(self.groups)

    @cached_property
    def rows_of_answer(self) -> int:
        """How many rows one request commits, or one answer holds."""
        return rows_of_answer(len(self.base) * len(self.groups))

    @cached_property
    def schedule(self) -> Schedule:
        """The definition the branch began with."""
        return codec.from_json(self.origin.definition)


@dataclass(frozen=True)
class ForkedFrom:
    """The step that a run had in common with another one last."""

    run_uid: str
    run: str
    branch: int
    step: int


@dataclass(frozen=True)
class Run:
    """The row on which everything that happens to a run serialises."""

    uid: str
    name: str
    state: Literal["active", "finished", "deleted"]
    unit: str
    branch: int
    fence: int
    frontier: int
    revision: int
    cursor: str
    evaluator_version: str
    schedule_uid: str | None
    created_at: int
    heard_at: int
    heard_every: int
    finished_at: int | None = None
    deleted_at: int | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    forked_from: ForkedFrom | None = None


@dataclass(frozen=True)
class Incarnation:
    """One start of a job that has, or had, the run."""

    run_uid: str
    incarnation: str
    fence: int
    branch: int
    resume_step: int
    attempt: int | None
    world_size: int
    labels: Mapping[str, str]
    acquired_at: int
    on_resume: str | None = None
    """What its checkpoint was for; None is "exact", also without one."""

    def __str__(self) -> str:
        where = self.labels.get("host", "an unknown host")
        process = f", pid {self.labels['pid']}" if "pid" in self.labels else ""
        return f"incarnation {self.incarnation} on {where}{process} (fence {self.fence})"


@dataclass(frozen=True)
class Edit:
    """An operator's change: from `effective_step` on, `definition` rules as if from the start.

    `cursor` is the definition's evaluation at the step before.
    """

    run_uid: str
    revision: int
    branch: int
    request_id: str
    digest: str
    operation: Literal["replace"]
    definition: str
    schedule_uid: str | None
    schedule_revision: int | None
    effective_step: int
    clamped: bool
    cursor: str
    author: str
    reason: str
    created_at: int
    parameters: Mapping[str, float] = field(default_factory=dict)
    """The numbers of the run, as an origin has them."""

    @cached_property
    def schedule(self) -> Schedule:
        """The definition as a schedule."""
        return codec.from_json(self.definition)


class Block(NamedTuple):
    """Consecutive committed rows of a branch. `cursor` is the evaluation before the first of them.

    `given` is what its one row learned from outside, as `Given.to_json` writes it.
    """

    run_uid: str
    branch: int
    table: Table
    revision: int
    fence: int
    cursor: str
    evaluator_version: str
    given: str | None = None

    @property
    def learned(self) -> Given:
        """What the one row learned."""
        return NOTHING if self.given is None else Given.from_json(self.given)


@dataclass(frozen=True)
class RankProgress:
    """What the ranks of a start said last, by rank."""

    run_uid: str
    fence: int
    ranks: Mapping[int, Heard]
    updated_at: int


@dataclass(frozen=True)
class Deviation:
    """Steps that a rank went through with other values than the run's, as no server could be reached."""

    run_uid: str
    branch: int
    fence: int
    rank: int
    table: Table
    kind: Literal["hold", "forecast"]
    created_at: int


@dataclass(frozen=True)
class LostEdit:
    """An edit that the database has no more, as a job remembered it at `found_at`."""

    run_uid: str
    request_id: str
    branch: int
    revision: int
    effective_step: int
    definition: str
    author: str
    reason: str
    created_at: int
    found_at: int

    @cached_property
    def schedule(self) -> Schedule:
        """The definition as a schedule."""
        return codec.from_json(self.definition)


@dataclass(frozen=True)
class ScheduleRevision:
    """One revision of a named schedule."""

    uid: str
    name: str
    revision: int
    head_revision: int
    definition: str
    request_id: str
    author: str
    reason: str
    rolled_out: bool
    created_at: int

    @property
    def preset(self) -> bool:
        """Whether it came with the server, and is in no database."""
        return not self.uid

    @property
    def etag(self) -> str:
        """What names this head."""
        return f"{self.uid}/{self.revision}"
