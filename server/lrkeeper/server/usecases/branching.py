"""Beginning a branch at a step of another one: what goes on there, and with which edits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lrkeeper.errors import ScheduleFails
from lrkeeper.schedules.cursor import Cursor, extend
from lrkeeper.schedules.numbers import cast_row
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs.records import Branch, Edit, Origin, ParamGroup, base_row, current_row
from lrkeeper.server.storage.ids import new_uid
from lrkeeper.server.usecases.acquire_run import Acquired
from lrkeeper.server.usecases.seek import seek


def standing(place: Acquired, left: Branch) -> Cursor:
    """Return the evaluation at a place on a branch, with the values that are on record there."""
    step = place.resume_step
    cursor, _, failure = extend(
        place.schedule,
        left.base,
        Cursor.from_json(place.cursor, left.base),
        step - place.cursor_step,
        place.given,
    )
    assert failure is None, failure  # the step is committed
    return cursor._replace(step=step, row=cast_row(place.values.row(step), cursor.row))


def origin_at(place: Acquired, left: Branch) -> Origin:
    """Return the origin of a branch that goes on from a place on another one, with the same groups."""
    cursor = standing(place, left)
    return replace(
        left.origin,
        step=cursor.step,
        values=Table.from_rows(cursor.step, [cursor.row]),
        cursor=cursor.to_json(left.base),
    )


def in_force_at(place: Acquired, cursor: str) -> list[Edit]:
    """Return the edit in force at a place, if there is one, as one that acts from there on."""
    step = place.resume_step
    return [
        replace(edit, effective_step=step, cursor=cursor)
        for edit in place.edits
        if edit.revision == place.revision and edit.effective_step <= step
    ]


async def evaluated(later: Sequence[Edit], groups: tuple[ParamGroup, ...]) -> list[Edit]:
    """Return edits as they act at their steps on a branch with these groups. Raises ScheduleFails."""
    base, found = base_row(groups), []
    for edit in later:
        try:
            reached = await seek(edit.schedule, base, current_row(groups), edit.effective_step - 1)
        except ScheduleFails as error:
            raise ScheduleFails(
                f"the edit of revision {edit.revision}, which is to act from step {edit.effective_step} on, does not "
                f"go with {len(groups)} param groups: {error}",
                **error.details,
            ) from error
        found.append(replace(edit, cursor=reached.to_json(base)))
    return found


def numbered(edits: Sequence[Edit], branch: Branch) -> list[Edit]:
    """Return edits as a new branch's, after its own revision."""
    return [
        replace(
            edit,
            run_uid=branch.run_uid,
            revision=branch.revision + place,
            branch=branch.branch,
            request_id=new_uid(),
            digest="",
        )
        for place, edit in enumerate(edits, start=1)
    ]
