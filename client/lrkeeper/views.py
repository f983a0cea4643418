"""What the client's methods take and return: plain values, no protobuf."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from lrkeeper.schedules import Schedule
from lrkeeper.schedules.cursor import Failure
from lrkeeper.schedules.given import NOTHING, Given
from lrkeeper.schedules.table import Table

OnExisting = Literal["resume", "new_branch", "takeover"]
OnResume = Literal["exact", "server", "checkpoint", "error"]
DeviationKind = Literal["hold", "forecast"]


@dataclass(frozen=True)
class Group:
    """A param group: its base values (torch's `initial_lr`) and those at construction, by track."""

    name: str | None
    number: Literal["float64", "float32"]
    initial: Mapping[str, float]
    current: Mapping[str, float]


@dataclass(frozen=True)
class Checkpoint:
    """Where in a run a checkpoint was taken."""

    run_uid: str
    branch: int
    step: int


@dataclass(frozen=True)
class Origin:
    """What goes on from a step without the past.

    The definition in force, its evaluation at `cursor_step`, and the values at the step: the checkpoint's,
    or without one where the job stands.
    """

    schedule: Schedule
    cursor: str
    cursor_step: int
    values: Table
    given: Given = NOTHING
    """What the step after the cursor's was given; the values are that step's then."""


@dataclass(frozen=True)
class RememberedRows:
    """Committed rows as a job holds them, with what NextLr, or AcquireRun, told beside them."""

    table: Table
    revision: int
    schedule: Schedule
    """The definition of the revision."""
    cursor: str
    cursor_step: int
    given: Given = NOTHING


@dataclass(frozen=True)
class Remembered:
    """What a job remembers of its run, where the database seems to have lost some of it.

    Args:
        store_epoch: the database that it acquired the run from.
        fence: the fence that the job had.
        branch: the branch of the rows.
        frontier: the highest frontier of the branch that it has seen.
        rows: what it holds: in order of steps, without gap; the step at which it stands is among them.
        edits: those it knows of.
        held: whether this start has held the run with that fence; otherwise it comes with a checkpoint.
    """

    store_epoch: str
    fence: int
    branch: int
    frontier: int
    rows: tuple[RememberedRows, ...] = ()
    edits: tuple[Edit, ...] = ()
    held: bool = True


@dataclass(frozen=True)
class Start:
    """What one rank of a start of a job brings to a run."""

    run: str
    incarnation: str
    groups: tuple[Group, ...]
    schedule: Schedule | str
    attempt: int | None = None
    rank: int = 0
    world_size: int = 1
    unit: str = "step"
    labels: Mapping[str, str] = field(default_factory=dict)
    holder_labels: Mapping[str, str] = field(default_factory=dict)
    on_existing: OnExisting = "resume"
    checkpoint: Checkpoint | None = None
    origin: Origin | None = None
    adds_groups: bool = False
    """Whether the start holds the run and has added param groups at the checkpoint's step."""
    parameters: Mapping[str, float] = field(default_factory=dict)
    """The numbers of the definition's parameters."""
    on_resume: OnResume = "exact"
    """What a start with a checkpoint wants of its run; "checkpoint" needs `origin`."""
    leaves_plan: bool = False
    """Whether the start holds the run, alone, and leaves what is committed beyond the checkpoint's step."""
    remembered: Remembered | None = None
    """What the job remembers of the run; with a checkpoint."""


@dataclass(frozen=True)
class Edit:
    """An operator's change to a run: `schedule` rules from `effective_step` on."""

    revision: int
    branch: int
    effective_step: int
    schedule: Schedule
    schedule_name: str
    schedule_revision: int
    author: str
    reason: str
    time: datetime
    request_id: str


@dataclass(frozen=True)
class Place:
    """A start's hold on a run, and where it stands. `values` is the row at `resume_step`."""

    run: str
    run_uid: str
    store_epoch: str
    incarnation: str
    rank: int
    fence: int
    branch: int
    resume_step: int
    frontier: int
    revision: int
    values: Table
    schedule: Schedule
    cursor: str
    cursor_step: int
    edits: tuple[Edit, ...] = ()
    created: bool = False
    given: Given = NOTHING
    repaired: bool = False
    """Whether rows or a fence were put back that the database had lost."""
    lost_edits: tuple[LostEdit, ...] = ()
    """Edits that the job remembers and the database has lost."""


@dataclass(frozen=True)
class Window:
    """Committed rows, or none if the run has not got so far; and why there are no more, if so."""

    table: Table | None
    revision: int
    frontier: int
    failure: Failure | None
    cursor: str
    cursor_step: int
    schedule: Schedule | None
    """The definition of `revision`, if it is not the one asked with."""
    given: Given = NOTHING
    """What the last row's step was given."""
    learned: tuple[Given, ...] = ()
    """What the step of each row was given, if it was asked for with `ahead`."""


@dataclass(frozen=True)
class Holder:
    """A start of a job that has, or had, a run."""

    incarnation: str
    world_size: int
    labels: Mapping[str, str]
    time: datetime


@dataclass(frozen=True)
class Lineage:
    """A branch in a run's past, or its present one, and the step at which it begins."""

    branch: int
    origin_step: int
    author: str = ""
    reason: str = ""
    time: datetime | None = None
    """Set if an operator made the branch: who, why and when."""


@dataclass(frozen=True)
class ForkedFrom:
    """The step that a run had in common with another one last."""

    run_uid: str
    run: str
    branch: int
    step: int


@dataclass(frozen=True)
class RankProgress:
    """What a rank of the start that holds a run said last: the step whose values its optimizer has."""

    rank: int
    applied_step: int
    heard: datetime
    silent: bool
    """Not heard of for so long that it holds nothing back."""


@dataclass(frozen=True)
class Deviation:
    """Steps that a rank went through without the run's values, because no server could be reached."""

    branch: int
    fence: int
    rank: int
    values: Table
    kind: DeviationKind
    time: datetime


@dataclass(frozen=True)
class LostEdit:
    """An edit that was lost with an older state of the database, as a job remembered it."""

    edit: Edit
    found: datetime


@dataclass(frozen=True)
class Run:
    """One training job's timeline."""

    name: str
    uid: str
    state: Literal["active", "finished"]
    unit: str
    labels: Mapping[str, str]
    groups: tuple[Group, ...]
    origin_step: int
    branch: int
    frontier: int
    revision: int
    fence: int
    holder: Holder | None
    schedule: Schedule
    schedule_name: str
    schedule_revision: int
    latest: Table
    created: datetime
    heard: datetime
    finished: datetime | None
    edits: tuple[Edit, ...]
    lineage: tuple[Lineage, ...]
    """The branches whose steps the timeline has, in order of steps; the last is `branch`."""
    ranks: tuple[RankProgress, ...] = ()
    """The ranks of the start that holds the run, as far as they were heard of. Only of a run got by name."""
    deviations: tuple[Deviation, ...] = ()
    """The newest first; not all where there are many. Only of a run got by name."""
    lost_edits: tuple[LostEdit, ...] = ()
    forked_from: ForkedFrom | None = None


@dataclass(frozen=True)
class Block:
    """Consecutive committed rows."""

    branch: int
    table: Table
    revision: int
    fence: int
    evaluator_version: str
    given: Given
    """What its one row learned from outside."""


@dataclass(frozen=True)
class Edited:
    """What an edit does. `preview` begins at the step before the edit acts."""

    revision: int
    effective_step: int
    clamped: bool
    preview: Table
    failure: Failure | None


@dataclass(frozen=True)
class RolledBack:
    """A run taken back. `dropped` act no more; `preview` begins at the last step that stays."""

    branch: int
    fence: int
    """What starts of the job must be above; the one that held the run is fenced."""
    frontier: int
    revision: int
    dropped: tuple[Edit, ...]
    preview: Table
    failure: Failure | None


@dataclass(frozen=True)
class Explanation:
    """Why a step has its values."""

    run: str
    branch: int
    values: Table
    schedule: Schedule
    schedule_name: str
    schedule_revision: int
    revision: int
    edits: tuple[Edit, ...]
    evaluator_version: str
    fence: int
    holder: Holder | None
    origin: bool
    given: Given
    deviations: tuple[Deviation, ...] = ()
    """What ranks had at the step instead."""


@dataclass(frozen=True)
class StoredSchedule:
    """One revision of a named schedule."""

    name: str
    revision: int
    schedule: Schedule
    etag: str
    author: str
    reason: str
    time: datetime
    followers: int
    preset: bool = False
    """Whether it came with the server; it has no etag then."""


@dataclass(frozen=True)
class Follower:
    """What an update did to a run that follows the schedule; `refusal` says why nothing, if so."""

    run: str
    effective_step: int
    refusal: str


@dataclass(frozen=True)
class Preview:
    """A schedule's rows, and why there are no more, if so."""

    schedule: Schedule
    table: Table
    failure: Failure | None


@dataclass(frozen=True)
class Server:
    """A server about itself."""

    version: str
    evaluator_version: str
    math_fingerprint: str
    store_epoch: str
    database: str
    time: datetime
