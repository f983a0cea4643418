"""Values to store: each function takes what a test is about, and fills in the rest."""

from __future__ import annotations

import json
import zlib
from typing import Any, TypeAlias
from uuid import uuid4

from lrkeeper.schedules.numbers import Row
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs.frontier import Heard
from lrkeeper.server.runs.records import (
    Block,
    Branch,
    Deviation,
    Edit,
    Incarnation,
    LostEdit,
    Origin,
    ParamGroup,
    RankProgress,
    Run,
    ScheduleRevision,
)
from lrkeeper.server.storage.contract import Advance, Transaction
from lrkeeper.server.storage.ids import new_uid

Record: TypeAlias = (
    Run | Branch | Incarnation | Edit | Block | ScheduleRevision | RankProgress | Deviation | LostEdit
)

NOW = 1_764_000_000_000_000
DEFINITION = '{"step_lr":{"gamma":0.5,"step_size":3}}'
WORDS = "größer als 学习率 – l'été 🎛"
GROUP = ParamGroup(None, "float64", {"lr": 0.1}, {"lr": 0.1})


def a_run(**fields: Any) -> Run:
    """Return a run at step 1."""
    uid = fields.setdefault("uid", new_uid())
    values = {
        "name": f"run-{uid}",
        "state": "active",
        "unit": "epoch",
        "branch": 1,
        "fence": 1,
        "frontier": 1,
        "revision": 1,
        "cursor": cursor(0),
        "evaluator_version": "1",
        "schedule_uid": None,
        "created_at": NOW,
        "heard_at": NOW,
        "heard_every": 0,
    }
    return Run(**{**values, **fields})


def a_branch(run: Run, **fields: Any) -> Branch:
    """Return a run's first branch."""
    groups = fields.setdefault("groups", (GROUP,))
    values = {
        "run_uid": run.uid,
        "branch": 1,
        "parent": None,
        "fork_step": None,
        "revision": 1,
        "origin": an_origin(groups),
        "created_at": NOW,
    }
    return Branch(**{**values, **fields})


def an_origin(groups: tuple[ParamGroup, ...], **fields: Any) -> Origin:
    """Return an origin at step 0 with the groups' present values."""
    row = {track: tuple(group.current[track] for group in groups) for track in groups[0].current}
    values = {
        "definition": DEFINITION,
        "schedule_uid": None,
        "schedule_revision": None,
        "step": 0,
        "values": Table.from_rows(0, [row]),
        "cursor": cursor(0),
    }
    return Origin(**{**values, **fields})


def an_incarnation(run: Run, **fields: Any) -> Incarnation:
    """Return a start of a run."""
    values = {
        "run_uid": run.uid,
        "incarnation": uuid4().hex,
        "fence": 1,
        "branch": 1,
        "resume_step": 0,
        "attempt": None,
        "world_size": 1,
        "labels": {},
        "acquired_at": NOW,
    }
    return Incarnation(**{**values, **fields})


def an_edit(run: Run, **fields: Any) -> Edit:
    """Return an edit of a run at step 1."""
    values = {
        "run_uid": run.uid,
        "revision": 2,
        "branch": 1,
        "request_id": str(uuid4()),
        "digest": "0" * 64,
        "operation": "replace",
        "definition": DEFINITION,
        "schedule_uid": None,
        "schedule_revision": None,
        "effective_step": 1,
        "clamped": False,
        "cursor": cursor(0),
        "author": "operator",
        "reason": "",
        "created_at": NOW,
    }
    return Edit(**{**values, **fields})


def a_schedule(**fields: Any) -> ScheduleRevision:
    """Return a schedule's first revision."""
    uid = fields.setdefault("uid", new_uid())
    values = {
        "name": f"schedule-{uid}",
        "revision": 1,
        "head_revision": 1,
        "definition": DEFINITION,
        "request_id": str(uuid4()),
        "author": "operator",
        "reason": "",
        "rolled_out": True,
        "created_at": NOW,
    }
    return ScheduleRevision(**{**values, **fields})


def a_block(run: Run, first_step: int, count: int = 1, **fields: Any) -> Block:
    """Return a block with values that tell run and step."""
    rows: list[Row] = [{"lr": (rate(run, step),)} for step in range(first_step, first_step + count)]
    values = {
        "run_uid": run.uid,
        "branch": run.branch,
        "table": Table.from_rows(first_step, rows),
        "revision": run.revision,
        "fence": run.fence,
        "cursor": cursor(first_step - 1),
        "evaluator_version": "1",
    }
    return Block(**{**values, **fields})


def a_progress(run: Run, **fields: Any) -> RankProgress:
    """Return what two ranks of a run's first start said."""
    values = {
        "run_uid": run.uid,
        "fence": 1,
        "ranks": {0: Heard(7, NOW, 30_000_000), 3: Heard(0, NOW - 5)},
        "updated_at": NOW,
    }
    return RankProgress(**{**values, **fields})


def a_deviation(run: Run, first_step: int = 1, count: int = 1, **fields: Any) -> Deviation:
    """Return steps that rank 0 went through with values of its own."""
    values = {
        "run_uid": run.uid,
        "branch": 1,
        "fence": 1,
        "rank": 0,
        "table": a_block(run, first_step, count).table,
        "kind": "hold",
        "created_at": NOW,
    }
    return Deviation(**{**values, **fields})


def a_lost_edit(run: Run, **fields: Any) -> LostEdit:
    """Return an edit that a job remembered."""
    values = {
        "run_uid": run.uid,
        "request_id": str(uuid4()),
        "branch": 1,
        "revision": 2,
        "effective_step": 1,
        "definition": DEFINITION,
        "author": "operator",
        "reason": "",
        "created_at": NOW,
        "found_at": NOW + 1,
    }
    return LostEdit(**{**values, **fields})


def rate(run: Run, step: int) -> float:
    """Return a run's value at a step: no other run's or step's."""
    return zlib.crc32(run.uid.encode()) + step / 1024


def cursor(step: int) -> str:
    """Return a cursor's text."""
    return json.dumps([step, None, {"lr": [0.1]}])


def advance_of(run: Run, count: int = 1, **fields: Any) -> Advance:
    """Return the advance of a run by so many steps."""
    end = run.frontier + count
    values = {
        "run_uid": run.uid,
        "branch": run.branch,
        "fence": run.fence,
        "revision": run.revision,
        "frontier": run.frontier,
        "new_frontier": end,
        "cursor": cursor(end - 1),
        "heard_at": NOW + 1_000,
        "heard_every": 1_000,
        "blocks": (a_block(run, run.frontier, count),),
    }
    return Advance(**{**values, **fields})


def insert(tx: Transaction, *records: Record) -> None:
    """Store records in the order given."""
    for record in records:
        match record:
            case Run():
                tx.insert_run(record)
            case Branch():
                tx.insert_branch(record)
            case Incarnation():
                tx.insert_incarnation(record)
            case Edit():
                tx.insert_edit(record)
            case Block():
                tx.insert_blocks((record,))
            case ScheduleRevision():
                tx.insert_schedule(record)
            case RankProgress():
                tx.put_rank_progress(record)
            case Deviation():
                tx.insert_deviation(record)
            case LostEdit():
                tx.insert_lost_edit(record)
