"""Between the client's values and the messages of the wire. What a server answers is checked here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal

from google.protobuf.timestamp_pb2 import Timestamp

from lrkeeper import views
from lrkeeper.errors import BadAnswer
from lrkeeper.schedules import Schedule, codec
from lrkeeper.schedules.cursor import Failure
from lrkeeper.schedules.given import NOTHING, Given
from lrkeeper.schedules.shape import DefinitionError
from lrkeeper.schedules.table import Table
from lrkeeper.v1 import run_pb2, run_service_pb2, schedule_pb2, schedule_service_pb2, values_pb2

_NUMBERS = {
    "float64": run_pb2.NUMBER_FLOAT64,
    "float32": run_pb2.NUMBER_FLOAT32,
}
_NUMBER_NAMES: dict[int, Literal["float64", "float32"]] = {
    run_pb2.NUMBER_FLOAT64: "float64",
    run_pb2.NUMBER_FLOAT32: "float32",
}
_KINDS = {
    "hold": run_pb2.DEVIATION_KIND_HOLD,
    "forecast": run_pb2.DEVIATION_KIND_FORECAST,
}
_ON_EXISTING = {
    "resume": run_service_pb2.ON_EXISTING_RESUME,
    "new_branch": run_service_pb2.ON_EXISTING_NEW_BRANCH,
    "takeover": run_service_pb2.ON_EXISTING_TAKEOVER,
}
_ON_RESUME = {
    "exact": run_service_pb2.ON_RESUME_EXACT,
    "server": run_service_pb2.ON_RESUME_SERVER,
    "checkpoint": run_service_pb2.ON_RESUME_CHECKPOINT,
    "error": run_service_pb2.ON_RESUME_ERROR,
}


def acquire_request(start: views.Start) -> run_service_pb2.AcquireRunRequest:
    """Return a start's message."""
    request = run_service_pb2.AcquireRunRequest(
        run=start.run,
        incarnation=start.incarnation,
        attempt=start.attempt,
        groups=[group_message(group) for group in start.groups],
        world_size=start.world_size,
        rank=start.rank,
        unit=start.unit,
        labels=start.labels,
        holder_labels=start.holder_labels,
        on_existing=_ON_EXISTING[start.on_existing],
        adds_groups=start.adds_groups,
        leaves_plan=start.leaves_plan,
        parameters=start.parameters,
        on_resume=_ON_RESUME[start.on_resume],
    )
    if isinstance(start.schedule, str):
        request.schedule_name = start.schedule
    else:
        request.schedule.CopyFrom(codec.encode(start.schedule))
    if start.checkpoint is not None:
        request.checkpoint.run_uid = start.checkpoint.run_uid
        request.checkpoint.branch = start.checkpoint.branch
        request.checkpoint.step = start.checkpoint.step
    if start.origin is not None:
        request.origin.schedule.CopyFrom(codec.encode(start.origin.schedule))
        request.origin.cursor = start.origin.cursor
        request.origin.cursor_step = start.origin.cursor_step
        request.origin.values.CopyFrom(start.origin.values.to_message())
        if start.origin.given:
            request.origin.given.CopyFrom(start.origin.given.to_message())
    if start.remembered is not None:
        request.remembered.CopyFrom(_remembered(start.remembered))
    return request


def _remembered(found: views.Remembered) -> run_service_pb2.Remembered:
    message = run_service_pb2.Remembered(
        store_epoch=found.store_epoch,
        fence=found.fence,
        branch=found.branch,
        frontier=found.frontier,
        edits=map(edit_message, found.edits),
        held=found.held,
    )
    for rows in found.rows:
        added = message.rows.add(
            values=rows.table.to_message(),
            revision=rows.revision,
            schedule=codec.encode(rows.schedule),
            cursor=rows.cursor,
            cursor_step=rows.cursor_step,
        )
        if rows.given:
            added.given.CopyFrom(rows.given.to_message())
    return message


def place(start: views.Start, answer: run_service_pb2.AcquireRunResponse) -> views.Place:
    """Return what a start was given. Raises BadAnswer."""
    table = values(answer.values, at_most=1)
    if table.first_step != answer.resume_step or table.count != 1:
        raise BadAnswer(f"the server gave the values of step {table.first_step} for {answer.resume_step}")
    place = start.checkpoint if start.on_resume != "server" else None
    if place is not None and answer.resume_step != place.step:
        raise BadAnswer(f"the server resumed at step {answer.resume_step}, not at {place.step}")
    check_columns(table, start.groups)
    check_numbers(table)
    return views.Place(
        run=answer.run,
        run_uid=answer.run_uid,
        store_epoch=answer.store_epoch,
        incarnation=start.incarnation,
        rank=start.rank,
        fence=answer.fence,
        branch=answer.branch,
        resume_step=answer.resume_step,
        frontier=answer.frontier,
        revision=answer.revision,
        values=table,
        schedule=schedule(answer.schedule),
        cursor=answer.cursor,
        cursor_step=answer.cursor_step,
        edits=tuple(edit(e) for e in answer.edits),
        created=answer.created,
        given=Given.from_message(answer.given),
        repaired=answer.repaired,
        lost_edits=tuple(map(lost_edit, answer.lost_edits)),
    )


def next_lr_request(
    place: views.Place,
    from_step: int,
    count: int,
    *,
    applied_step: int,
    revision: int,
    given: Given,
    ahead: Iterable[Given],
    frontier: int,
) -> run_service_pb2.NextLrRequest:
    """Return the message that asks for steps; the arguments are those of `Client.next_lr`."""
    return run_service_pb2.NextLrRequest(
        run_uid=place.run_uid,
        store_epoch=place.store_epoch,
        fence=place.fence,
        branch=place.branch,
        incarnation=place.incarnation,
        rank=place.rank,
        from_step=from_step,
        count=count,
        applied_step=applied_step,
        revision=revision,
        given=given.to_message() if given else None,
        ahead=[each.to_message() for each in ahead],
        frontier=frontier,
    )


def window(request: run_service_pb2.NextLrRequest, answer: run_service_pb2.NextLrResponse) -> views.Window:
    """Return the rows of an answer. Raises BadAnswer if they are not those asked for."""
    if answer.HasField("values"):
        first, count = answer.values.first_step, answer.values.count
        if first != request.from_step or not 1 <= count <= request.count:
            raise BadAnswer(
                f"the server gave {count} steps from {first}; asked for were {request.count} from {request.from_step}"
            )
        if len(answer.learned) not in (0, count):
            raise BadAnswer(
                f"the server told what {len(answer.learned)} steps were given; there are {count} rows"
            )
    return _window(answer, request.count)


def _window(answer: run_service_pb2.NextLrResponse, at_most: int) -> views.Window:
    return views.Window(
        table=values(answer.values, at_most=at_most) if answer.HasField("values") else None,
        revision=answer.revision,
        frontier=answer.frontier,
        failure=failure(answer.error) if answer.HasField("error") else None,
        cursor=answer.cursor,
        cursor_step=answer.cursor_step,
        schedule=schedule(answer.schedule) if answer.HasField("schedule") else None,
        given=Given.from_message(answer.given) if answer.HasField("given") else NOTHING,
        learned=tuple(map(Given.from_message, answer.learned)),
    )


def window_to_bytes(found: views.Window) -> bytes:
    """Return a window as bytes, as NextLr would send it."""
    message = run_service_pb2.NextLrResponse(
        revision=found.revision,
        frontier=found.frontier,
        cursor=found.cursor,
        cursor_step=found.cursor_step,
    )
    if found.table is not None:
        message.values.CopyFrom(found.table.to_message())
    if found.failure is not None:
        message.error.step = found.failure.step
        message.error.type = found.failure.type
        message.error.message = found.failure.message
    if found.schedule is not None:
        message.schedule.CopyFrom(codec.encode(found.schedule))
    if found.given:
        message.given.CopyFrom(found.given.to_message())
    message.learned.extend(each.to_message() for each in found.learned)
    return message.SerializeToString()


def window_from_bytes(data: bytes) -> views.Window:
    """Read what `window_to_bytes` wrote. Raises BadAnswer, or protobuf's DecodeError."""
    message = run_service_pb2.NextLrResponse.FromString(data)
    return _window(message, min(message.values.count, 1 << 20))


def check_columns(table: Table, groups: tuple[views.Group, ...]) -> None:
    """Raise BadAnswer unless a table has exactly these groups' columns."""
    tracks = set(groups[0].initial)
    if set(table.tracks) != tracks or len(table.tracks) != len(tracks) or table.groups != len(groups):
        raise BadAnswer(
            f"the server gave the tracks {list(table.tracks)} of {table.groups} param groups; "
            f"the optimizer has {sorted(tracks)} of {len(groups)}"
        )


def check_numbers(table: Table) -> None:
    """Raise BadAnswer if a table holds a nan."""
    for place in range(len(table.tracks) * table.groups):
        column = table.column(place)
        if math.isnan(sum(column)) and any(map(math.isnan, column)):  # the sum has one of inf and -inf too
            raise BadAnswer("the server's values hold a nan")


def values(message: values_pb2.Values, *, at_most: int) -> Table:
    """Return a table. Raises BadAnswer."""
    try:
        return Table.from_message(message, at_most=at_most)
    except ValueError as error:
        raise BadAnswer(f"the server's answer does not hold together: {error}") from error


def schedule(message: schedule_pb2.Schedule) -> Schedule:
    """Return a definition. Raises BadAnswer if it is of a kind this version does not know."""
    try:
        return codec.decode(message, checked=False)
    except DefinitionError as error:
        raise BadAnswer(
            f"the server's schedule cannot be read by this version of lrkeeper: {error}"
        ) from error


def failure(message: schedule_pb2.EvaluationError) -> Failure:
    """Return where an evaluation ends."""
    return Failure(message.step, message.type, message.message)


def time(message: Timestamp) -> datetime:
    """Return a time."""
    return message.ToDatetime(tzinfo=UTC)


def edit(message: run_pb2.Edit) -> views.Edit:
    """Return an edit."""
    return views.Edit(
        revision=message.revision,
        branch=message.branch,
        effective_step=message.effective_step,
        schedule=schedule(message.replace.schedule),
        schedule_name=message.replace.schedule_name,
        schedule_revision=message.replace.schedule_revision,
        author=message.author,
        reason=message.reason,
        time=time(message.create_time),
        request_id=message.request_id,
    )


def edit_message(found: views.Edit) -> run_pb2.Edit:
    """Return an edit's message."""
    message = run_pb2.Edit(
        revision=found.revision,
        request_id=found.request_id,
        branch=found.branch,
        effective_step=found.effective_step,
        replace=run_pb2.Replace(
            schedule=codec.encode(found.schedule),
            schedule_name=found.schedule_name,
            schedule_revision=found.schedule_revision,
        ),
        author=found.author,
        reason=found.reason,
    )
    message.create_time.FromDatetime(found.time)
    return message


def lost_edit(message: run_pb2.LostEdit) -> views.LostEdit:
    """Return a lost edit."""
    return views.LostEdit(edit(message.edit), time(message.found_time))


def holder(message: run_pb2.Holder) -> views.Holder:
    """Return a start."""
    return views.Holder(
        message.incarnation, message.world_size, dict(message.labels), time(message.acquire_time)
    )


def run(message: run_pb2.Run) -> views.Run:
    """Return a run."""
    return views.Run(
        name=message.name,
        uid=message.uid,
        state="finished" if message.state == run_pb2.RUN_STATE_FINISHED else "active",
        unit=message.unit,
        labels=dict(message.labels),
        groups=tuple(_group(group) for group in message.groups),
        origin_step=message.origin_step,
        branch=message.branch,
        frontier=message.frontier,
        revision=message.revision,
        fence=message.fence,
        holder=holder(message.holder) if message.HasField("holder") else None,
        schedule=schedule(message.schedule),
        schedule_name=message.schedule_name,
        schedule_revision=message.schedule_revision,
        latest=values(message.latest, at_most=1),
        created=time(message.create_time),
        heard=time(message.heard_time),
        finished=time(message.finish_time) if message.HasField("finish_time") else None,
        edits=tuple(edit(e) for e in message.edits),
        lineage=tuple(map(_lineage, message.lineage))
        or (views.Lineage(message.branch, message.origin_step),),
        ranks=tuple(map(_rank, message.ranks)),
        deviations=tuple(map(deviation, message.deviations)),
        lost_edits=tuple(map(lost_edit, message.lost_edits)),
        forked_from=_forked_from(message.forked_from) if message.HasField("forked_from") else None,
    )


def rolled_back(message: run_service_pb2.RollbackRunResponse) -> views.RolledBack:
    """Return what a rollback did."""
    return views.RolledBack(
        branch=message.branch,
        fence=message.fence,
        frontier=message.frontier,
        revision=message.revision,
        dropped=tuple(edit(e) for e in message.dropped),
        preview=values(message.preview, at_most=64),
        failure=failure(message.error) if message.HasField("error") else None,
    )


def deviation(message: run_pb2.Deviation) -> views.Deviation:
    """Return a deviation."""
    return views.Deviation(
        branch=message.branch,
        fence=message.fence,
        rank=message.rank,
        values=values(message.values, at_most=1 << 20),
        kind="forecast" if message.kind == run_pb2.DEVIATION_KIND_FORECAST else "hold",
        time=time(message.create_time),
    )


def deviation_request(
    place: views.Place, table: Table, kind: views.DeviationKind
) -> run_service_pb2.ReportDeviationRequest:
    """Return the message of what a rank had instead of the run's values."""
    return run_service_pb2.ReportDeviationRequest(
        run_uid=place.run_uid,
        store_epoch=place.store_epoch,
        fence=place.fence,
        branch=place.branch,
        rank=place.rank,
        values=table.to_message(),
        kind=_KINDS[kind],
    )


def block(message: run_pb2.Block) -> views.Block:
    """Return a block."""
    return views.Block(
        branch=message.branch,
        table=values(message.values, at_most=1 << 20),
        revision=message.revision,
        fence=message.fence,
        evaluator_version=message.evaluator_version,
        given=Given.from_message(message.given),
    )


def explanation(message: run_service_pb2.ExplainResponse) -> views.Explanation:
    """Return why a step has its values."""
    return views.Explanation(
        run=message.run,
        branch=message.branch,
        values=values(message.values, at_most=1),
        schedule=schedule(message.schedule),
        schedule_name=message.schedule_name,
        schedule_revision=message.schedule_revision,
        revision=message.revision,
        edits=tuple(edit(e) for e in message.edits),
        evaluator_version=message.evaluator_version,
        fence=message.fence,
        holder=holder(message.holder) if message.HasField("holder") else None,
        origin=message.origin,
        given=Given.from_message(message.given),
        deviations=tuple(map(deviation, message.deviations)),
    )


def stored_schedule(message: schedule_service_pb2.StoredSchedule) -> views.StoredSchedule:
    """Return a revision of a named schedule."""
    return views.StoredSchedule(
        name=message.name,
        revision=message.revision,
        schedule=schedule(message.schedule),
        etag=message.etag,
        author=message.author,
        reason=message.reason,
        time=time(message.create_time),
        followers=message.followers,
        preset=message.preset,
    )


def group_message(group: views.Group) -> run_pb2.ParamGroup:
    """Return a param group's message."""
    message = run_pb2.ParamGroup(number=_NUMBERS[group.number])
    if group.name is not None:
        message.name = group.name
    for track, initial in group.initial.items():
        message.tracks.add(track=track, initial=initial, current=group.current[track])
    return message


def _group(message: run_pb2.ParamGroup) -> views.Group:
    return views.Group(
        name=message.name if message.HasField("name") else None,
        number=_NUMBER_NAMES.get(message.number, "float64"),
        initial={track.track: track.initial for track in message.tracks},
        current={track.track: track.current for track in message.tracks},
    )


def _lineage(message: run_pb2.Lineage) -> views.Lineage:
    made = time(message.create_time) if message.HasField("create_time") else None
    return views.Lineage(message.branch, message.origin_step, message.author, message.reason, made)


def _rank(message: run_pb2.RankProgress) -> views.RankProgress:
    return views.RankProgress(message.rank, message.applied_step, time(message.heard_time), message.silent)


def _forked_from(message: run_pb2.ForkedFrom) -> views.ForkedFrom:
    return views.ForkedFrom(message.run_uid, message.run, message.branch, message.step)
