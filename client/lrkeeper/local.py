"""LRKEEPER_MODE=off: the same evaluators in this process, without a server and without its promises."""

from __future__ import annotations

from uuid import uuid4

from lrkeeper import views
from lrkeeper.errors import BadCheckpoint, InvalidArgument, NotConfigured
from lrkeeper.schedules import Schedule
from lrkeeper.schedules.composable.parameters import filled
from lrkeeper.schedules.cursor import Cursor, begin, extend
from lrkeeper.schedules.given import NOTHING, Given, falling
from lrkeeper.schedules.numbers import NUMBERS, Base, Row, cast_row
from lrkeeper.schedules.table import Table


class LocalRuns:
    """Answers what a job asks of a server; a run lives as long as this object."""

    def __init__(self) -> None:
        self._runs: dict[str, tuple[Schedule, Row, Cursor]] = {}
        self._given: dict[str, dict[int, Given]] = {}

    def acquire_run(self, start: views.Start, *, patience: float | None = None) -> views.Place:
        """Return a run that begins now, or goes on from what the checkpoint carries."""
        if isinstance(start.schedule, str):
            raise NotConfigured(
                f"schedule {start.schedule!r} is kept on a server, and LRKEEPER_MODE=off has none: "
                "give the definition itself, such as S.StepLR(step_size=30)"
            )
        base = base_of_groups(start.groups)
        schedule = filled(start.schedule, start.parameters)
        if start.adds_groups:
            cursor = _with_more_groups(start)
        elif start.origin is None:
            if start.checkpoint is not None:
                raise BadCheckpoint("the state dict does not carry enough to go on without a server")
            cursor = begin(schedule, base, row_of_groups(start.groups, "current"))
        else:
            schedule = start.origin.schedule
            step = start.origin.values.first_step
            if start.checkpoint is not None:
                step = start.checkpoint.step
            cursor = Cursor.from_json(start.origin.cursor, base)
            cursor, _, _ = extend(schedule, base, cursor, step - cursor.step, start.origin.given)
            cursor = cursor._replace(step=step, row=cast_row(start.origin.values.row(step), cursor.row))
        uid = f"local-{uuid4()}"
        self._runs[uid] = schedule, base, cursor
        self._given[uid] = {}
        return views.Place(
            run=start.run,
            run_uid=uid,
            store_epoch="local",
            incarnation=start.incarnation,
            rank=start.rank,
            fence=1,
            branch=1,
            resume_step=cursor.step,
            frontier=cursor.step + 1,
            revision=1,
            values=Table.from_rows(cursor.step, [cursor.row]),
            schedule=schedule,
            cursor=cursor.to_json(base),
            cursor_step=cursor.step,
            created=True,
        )

    def next_lr(
        self,
        place: views.Place,
        from_step: int,
        count: int = 1,
        *,
        applied_step: int,
        revision: int,
        given: Given = NOTHING,
        frontier: int | None = None,
        patience: float | None = None,
    ) -> views.Window:
        """Return the rows of the steps; they are asked for in order."""
        schedule, base, cursor = self._runs[place.run_uid]
        known = self._given[place.run_uid]
        if from_step <= cursor.step:  # back to an earlier step of this process: from the run's start again
            if from_step in known or not given:
                given = known.get(from_step, NOTHING)
            cursor = Cursor.from_json(place.cursor, base)
        failure = None
        while failure is None and cursor.step < from_step - 1:
            cursor, _, failure = extend(schedule, base, cursor, 1, known.get(cursor.step + 1, NOTHING))
        after, rows = cursor, list[Row]()
        if failure is None:
            if fallen := falling(cursor.progress, given.progress or {}):
                axis, problem = fallen
                raise InvalidArgument(
                    f"given.progress.{problem} (run {place.run!r}, step {from_step})",
                    field=f"given.progress.{axis}",
                )
            after, rows, failure = extend(schedule, base, cursor, count, given)
        if given and rows:
            known[from_step] = given
        self._runs[place.run_uid] = schedule, base, after
        return views.Window(
            table=Table.from_rows(from_step, rows) if rows else None,
            revision=revision,
            frontier=after.step + 1,
            failure=failure,
            cursor=cursor.to_json(base),
            cursor_step=cursor.step,
            schedule=None,
            given=given,
        )


def _with_more_groups(start: views.Start) -> Cursor:
    """Return the origin's evaluation at its step, with the groups that were added there."""
    origin, checkpoint = start.origin, start.checkpoint
    assert origin is not None
    assert checkpoint is not None
    step = checkpoint.step
    before, added = start.groups[: origin.values.groups], start.groups[origin.values.groups :]
    base = base_of_groups(before)
    cursor = Cursor.from_json(origin.cursor, base)
    cursor, _, _ = extend(origin.schedule, base, cursor, step - cursor.step, origin.given)
    row = {track: (*cursor.row[track], *values) for track, values in row_of_groups(added, "current").items()}
    return cursor._replace(step=step, row=row)


def base_of_groups(groups: tuple[views.Group, ...]) -> Row:
    """Return the groups' base values, with their names."""
    return Base(row_of_groups(groups, "initial"), [group.name for group in groups])


def row_of_groups(groups: tuple[views.Group, ...], which: str) -> Row:
    """Return the groups' "initial" or "current" values, as the kinds of number that they compute in."""
    return {
        track: tuple(
            (NUMBERS[group.number] if track == "lr" else float)(getattr(group, which)[track])
            for group in groups
        )
        for track in groups[0].initial
    }
