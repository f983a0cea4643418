"""Between the records of a run and the rows of tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Row

from lrkeeper.errors import DataCorrupted
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs.records import (
    Block,
    Branch,
    Deviation,
    Edit,
    ForkedFrom,
    Origin,
    ParamGroup,
    Run,
    ScheduleRevision,
)

FORKED_FROM = {"uid": "run_uid", "name": "run", "branch": "branch", "step": "step"}
"""A run's columns of where it was forked from, behind `forked_from_`, and the record's fields."""


def block_values(block: Block) -> dict[str, Any]:
    """Return a block's columns, in the table's order."""
    return {
        "run_uid": block.run_uid,
        "branch": block.branch,
        **table_values(block.table),
        "revision": block.revision,
        "fence": block.fence,
        "cursor": block.cursor,
        "evaluator_version": block.evaluator_version,
        "given": block.given,
    }


def table_values(table: Table) -> dict[str, Any]:
    """Return the columns of a table of values."""
    return {
        "first_step": table.first_step,
        "count": table.count,
        "tracks": ",".join(table.tracks),
        "groups": table.groups,
        "data": table.data,
        "crc": table.crc,
    }


def _table(row: Row[Any]) -> Table:
    """Return a row's values. Raises DataCorrupted if they fail their checksum."""
    table = Table(
        row.first_step, row._mapping["count"], tuple(row.tracks.split(",")), row.groups, bytes(row.data)
    )
    size = 8 * table.count * len(table.tracks) * table.groups
    if len(table.data) != size or table.crc != row.crc:
        raise DataCorrupted(
            f"the stored values of run {row.run_uid}, branch {row.branch}, "
            f"steps {table.first_step} to {table.end_step - 1} fail their checksum",
            run_uid=row.run_uid,
            branch=row.branch,
            first_step=table.first_step,
        )
    return table


def deviation_of(row: Row[Any]) -> Deviation:
    """Return a row's deviation. Raises DataCorrupted."""
    table = _table(row)
    return Deviation(row.run_uid, row.branch, row.fence, row.rank, table, row.kind, row.created_at)


def block_of(row: Row[Any]) -> Block:
    """Return a row's block. Raises DataCorrupted."""
    return Block(
        row.run_uid,
        row.branch,
        _table(row),
        row.revision,
        row.fence,
        row.cursor,
        row.evaluator_version,
        row.given,
    )


def run_of(row: Row[Any], labels: Mapping[str, str]) -> Run:
    """Return a row's run."""
    values = dict(row._mapping)
    forked = {field: values.pop(f"forked_from_{name}") for name, field in FORKED_FROM.items()}
    return Run(
        **values, labels=labels, forked_from=None if forked["run_uid"] is None else ForkedFrom(**forked)
    )


def branch_of(row: Row[Any], columns: Iterable[Row[Any]]) -> Branch:
    """Return a row's run."""
    places: dict[int, list[Row[Any]]] = {}
    for column in columns:
        places.setdefault(column.place, []).append(column)
    groups = tuple(
        ParamGroup(
            found[0].name,
            found[0].number,
            {column.track: column.initial for column in found},
            {column.track: column.current for column in found},
        )
        for found in places.values()
    )
    values = Table(row.origin_step, 1, tuple(groups[0].initial), len(groups), bytes(row.origin_values))
    return Branch(
        run_uid=row.run_uid,
        branch=row.branch,
        parent=row.parent,
        fork_step=row.fork_step,
        revision=row.revision,
        origin=Origin(
            row.definition,
            row.schedule_uid,
            row.schedule_revision,
            row.origin_step,
            values,
            row.origin_cursor,
            _numbers(row.parameters),
        ),
        groups=groups,
        created_at=row.created_at,
        author=row.author or "",
        reason=row.reason or "",
        request_id=row.request_id,
        digest=row.digest,
        fence=row.fence,
    )


def edit_of(row: Row[Any]) -> Edit:
    """Return a row's block. Raises DataCorrupted."""
    return Edit(**{**row._mapping, "parameters": _numbers(row.parameters)})


def numbers_text(numbers: Mapping[str, float]) -> str | None:
    """Return numbers by name as text; None where there are none."""
    return json.dumps(dict(sorted(numbers.items()))) if numbers else None


def _numbers(text: str | None) -> dict[str, float]:
    """Return a row's deviation. Raises DataCorrupted."""
    found: dict[str, float] = {} if text is None else json.loads(text)
    return found


def revision_values(revision: ScheduleRevision) -> dict[str, Any]:
    """Return the columns of a table of values."""
    return {
        "schedule_uid": revision.uid,
        "revision": revision.revision,
        "definition": revision.definition,
        "request_id": revision.request_id,
        "author": revision.author,
        "reason": revision.reason,
        "rolled_out": revision.rolled_out,
        "created_at": revision.created_at,
    }
