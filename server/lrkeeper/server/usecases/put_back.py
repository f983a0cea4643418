"""Rows that a job remembers as blocks, bits as they are, with the evaluation that goes on from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from lrkeeper.errors import InvalidArgument
from lrkeeper.schedules import codec
from lrkeeper.schedules.cursor import EVALUATOR_VERSION, Cursor, extend
from lrkeeper.schedules.given import NOTHING, Given
from lrkeeper.schedules.numbers import Row, cast_row
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs.limits import MAX_ROWS
from lrkeeper.server.runs.records import Block, Branch, Edit
from lrkeeper.server.runs.repair import Remembered, RememberedRows, ruling, turns
from lrkeeper.server.storage.ids import new_uid
from lrkeeper.server.usecases.origins import checked_cursor

UNKNOWN = "unknown"
"""The author of an edit of which nothing but its rows is known."""


@dataclass(frozen=True)
class PutBack:
    """What is stored: blocks, the edits that they show, and the evaluation at the last of the rows."""

    blocks: tuple[Block, ...]
    edits: tuple[Edit, ...]
    cursor: str


def put_back(
    branch: Branch,
    edits: Sequence[Edit],
    remembered: Remembered,
    first: int,
    fence: int,
    highest: int,
    now: int,
) -> PutBack:
    """Return the remembered rows from `first` on as a branch's blocks; at least one.

    A definition that came with the rows and does not rule there by the branch's edits becomes an edit, under its own
    revision if that is above all in use. `highest` is the run's revision.

    Raises:
        InvalidArgument: the rows do not hold together.
    """
    present, made, blocks = list(edits), list[Edit](), list[Block]()
    used = max([highest, branch.revision, *(edit.revision for edit in edits)])
    above = max(used, remembered.revision)
    cursor, before, text = None, None, ""
    for place, rows in enumerate(remembered.rows):
        if rows.table.end_step <= first:
            before = rows.table
            continue
        cursor = opened(rows, branch.base, place)
        step = max(first, rows.table.first_step)
        while step < rows.table.end_step:
            known = rows.table if step > rows.table.first_step else before
            if cursor.step >= step:
                raise InvalidArgument(
                    f"remembered.rows[{place}].cursor_step is {cursor.step}; it must be a step before the rows",
                    field=f"remembered.rows[{place}].cursor_step",
                )
            cursor = _moved(rows, branch.base, cursor, step - 1, NOTHING, known, place)
            text = cursor.to_json(branch.base)
            definition, revision = ruling(branch, present, step)
            if not codec.same(definition, rows.definition):
                revision = rows.revision if rows.revision > used else above + 1
                used, above = revision, max(above, revision)
                edit = _edit(branch, rows, remembered, present, step, text, revision, now)
                present.append(edit)
                made.append(edit)
            end = next((s for s in turns(rows, present, step) if s > step), rows.table.end_step)
            table = rows.table.cut(step, end)
            given = rows.given.to_json() if rows.given else None
            blocks.append(
                Block(branch.run_uid, branch.branch, table, revision, fence, text, EVALUATOR_VERSION, given)
            )
            cursor = _moved(rows, branch.base, cursor, end - 1, rows.given, rows.table, place)
            step = end
        before = rows.table
    assert cursor is not None
    return PutBack(tuple(blocks), tuple(made), cursor.to_json(branch.base))


def opened(rows: RememberedRows, base: Row, place: int) -> Cursor:
    """Return the evaluation before remembered rows, once they are checked. Raises InvalidArgument."""
    path, table = f"remembered.rows[{place}]", rows.table
    if table.tracks != tuple(base) or table.groups != len(next(iter(base.values()))):
        raise InvalidArgument(
            f"{path}.values has the tracks {list(table.tracks)} of {table.groups} param groups; the job's groups have "
            f"{list(base)} of {len(next(iter(base.values())))}",
            field=f"{path}.values",
        )
    if any(math.isnan(value) for i in range(len(table.tracks) * table.groups) for value in table.column(i)):
        raise InvalidArgument(f"{path}.values must be numbers, not nan", field=f"{path}.values")
    cursor = checked_cursor(rows.schedule, base, rows.cursor, f"{path}.cursor")
    behind = table.first_step - cursor.step
    lowest = 1 if rows.given or table.count > 1 else 0  # a job that has just begun holds the cursor's own row
    if cursor.step != rows.cursor_step or not lowest <= behind <= MAX_ROWS + 1:
        raise InvalidArgument(
            f"{path}.cursor_step is {rows.cursor_step}; it must be the cursor's step, {cursor.step}, and one before "
            f"the rows, which begin at {table.first_step}, by at most {MAX_ROWS + 1} steps",
            field=f"{path}.cursor_step",
        )
    if rows.given and (behind, table.count) != (1, 1):
        raise InvalidArgument(
            f"{path}.given is what one step was given: the rows must be that one, and cursor_step the step before",
            field=f"{path}.given",
        )
    return cursor


def at_first(rows: RememberedRows, base: Row) -> Cursor:
    """Return the evaluation at the first of remembered rows, with its bits. Raises InvalidArgument."""
    return _moved(rows, base, opened(rows, base, 0), rows.table.first_step, rows.given, rows.table, 0)


def _moved(
    rows: RememberedRows, base: Row, cursor: Cursor, step: int, given: Given, known: Table | None, place: int
) -> Cursor:
    """Return an evaluation at a step, with the bits that are known there. Raises InvalidArgument."""
    behind = step - cursor.step
    if behind > 0:
        cursor, _, failure = extend(rows.schedule, base, cursor, behind, given)
        if failure is not None:
            raise InvalidArgument(
                f"remembered.rows[{place}].schedule fails at step {failure.step}: {failure.message}",
                field=f"remembered.rows[{place}].schedule",
            )
    elif step < rows.table.first_step:
        return cursor  # as it was given: where an edit acts, its own past is not the run's
    if known is not None and known.first_step <= step < known.end_step:
        cursor = cursor._replace(step=step, row=cast_row(known.row(step), cursor.row))
    return cursor


def _edit(
    branch: Branch,
    rows: RememberedRows,
    remembered: Remembered,
    present: Sequence[Edit],
    step: int,
    cursor: str,
    revision: int,
    now: int,
) -> Edit:
    """Return the edit that rows show, with who made it and why where the job, or the database, knows that."""
    here = {edit.request_id for edit in present}
    told = [e for e in remembered.edits if e.revision == rows.revision]
    known = told[0] if told and codec.same(told[0].definition, rows.definition) else None
    return Edit(
        run_uid=branch.run_uid,
        revision=revision,
        branch=branch.branch,
        request_id=known.request_id if known is not None and known.request_id not in here else new_uid(),
        digest="",
        operation="replace",
        definition=rows.definition,
        schedule_uid=None,
        schedule_revision=None,
        effective_step=step,
        clamped=False,
        cursor=cursor,
        author=UNKNOWN if known is None else known.author,
        reason="known only from the rows that a job remembers" if known is None else known.reason,
        created_at=now if known is None else known.created_at,
        parameters=branch.origin.parameters,
    )
