"""From messages to the use cases' values. What is missing or wrong is named by its path."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from lrkeeper.errors import InvalidArgument
from lrkeeper.schedules import Schedule, codec
from lrkeeper.schedules.given import NOTHING, Given, progress_problem
from lrkeeper.schedules.numbers import Base, Row, names_of
from lrkeeper.schedules.pace import Pace
from lrkeeper.schedules.shape import DefinitionError
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs import names, records
from lrkeeper.server.runs.acquire import Checkpoint, OnExisting, Start
from lrkeeper.server.runs.limits import (
    MAX_FACTORS,
    MAX_GROUPS,
    MAX_LABELS,
    MAX_STEP,
    MAX_TEXT,
    MAX_WORLD_SIZE,
    rows_of_report,
)
from lrkeeper.server.runs.records import ParamGroup
from lrkeeper.server.runs.resume import OnResume
from lrkeeper.server.usecases.committed import Steps
from lrkeeper.server.usecases.fill import fill, fill_schedule
from lrkeeper.server.usecases.fork_run import Fork
from lrkeeper.server.usecases.origins import Carried
from lrkeeper.server.usecases.report_deviation import Deviated
from lrkeeper.server.usecases.rollback_run import Rollback
from lrkeeper.v1 import run_pb2, run_service_pb2, schedule_pb2, schedule_service_pb2

_NUMBERS: dict[int, str] = {
    run_pb2.NUMBER_UNSPECIFIED: "float64",
    run_pb2.NUMBER_FLOAT64: "float64",
    run_pb2.NUMBER_FLOAT32: "float32",
}
_ON_EXISTING: dict[int, OnExisting] = {
    run_service_pb2.ON_EXISTING_UNSPECIFIED: "resume",
    run_service_pb2.ON_EXISTING_RESUME: "resume",
    run_service_pb2.ON_EXISTING_NEW_BRANCH: "new_branch",
    run_service_pb2.ON_EXISTING_TAKEOVER: "takeover",
}
_ON_RESUME: dict[int, OnResume] = {
    run_service_pb2.ON_RESUME_UNSPECIFIED: "exact",
    run_service_pb2.ON_RESUME_EXACT: "exact",
    run_service_pb2.ON_RESUME_SERVER: "server",
    run_service_pb2.ON_RESUME_CHECKPOINT: "checkpoint",
    run_service_pb2.ON_RESUME_ERROR: "error",
}
_KINDS: dict[int, Literal["hold", "forecast"]] = {
    run_pb2.DEVIATION_KIND_HOLD: "hold",
    run_pb2.DEVIATION_KIND_FORECAST: "forecast",
}
_STATES: dict[int, Literal["active", "finished"] | None] = {
    run_pb2.RUN_STATE_UNSPECIFIED: None,
    run_pb2.RUN_STATE_ACTIVE: "active",
    run_pb2.RUN_STATE_FINISHED: "finished",
}


def start(request: run_service_pb2.AcquireRunRequest) -> tuple[Start, str | None, Carried | None]:
    """Return a start, the stored schedule it names, and what its checkpoint carries."""
    run = names.check_name("run", request.run)
    incarnation = names.check_name("incarnation", request.incarnation)
    groups = _groups(request.groups)
    checkpoint = _checkpoint(request) if request.HasField("checkpoint") else None
    world_size = request.world_size if request.HasField("world_size") else 1
    if not 1 <= world_size <= MAX_WORLD_SIZE:
        raise InvalidArgument(
            f"world_size is {world_size}; it must be from 1 to {MAX_WORLD_SIZE}", field="world_size"
        )
    if not 0 <= request.rank < world_size:
        raise InvalidArgument(
            f"rank is {request.rank}; it must be from 0 to {world_size - 1} in a world of {world_size}",
            field="rank",
        )
    if request.on_existing not in _ON_EXISTING:
        raise InvalidArgument(
            f"on_existing is {request.on_existing}; this server knows {', '.join(map(str, _ON_EXISTING))}",
            field="on_existing",
        )
    if request.on_resume not in _ON_RESUME:
        raise InvalidArgument(
            f"on_resume is {request.on_resume}; this server knows {', '.join(map(str, _ON_RESUME))}",
            field="on_resume",
        )
    definition, schedule_name = "", None
    which = request.WhichOneof("definition")
    if which == "schedule":
        # No torch program brings tracks: a person wrote them, and is told at once what is wrong.
        checked = request.schedule.HasField("tracks")
        definition = fill(
            definition_of(request.schedule, "schedule", checked=checked), dict(request.parameters)
        )
    elif which == "schedule_name":
        schedule_name = names.check_schedule("schedule_name", request.schedule_name)
    else:
        raise InvalidArgument("schedule is missing; give a schedule or a schedule_name", field="schedule")
    carried = None
    if request.HasField("origin"):
        carried = Carried(
            schedule=schedule(request.origin.schedule, "origin.schedule", checked=False),
            cursor=request.origin.cursor,
            cursor_step=request.origin.cursor_step,
            values=_values(request),
            given=given(request.origin.given, "origin.given"),
        )
        if checkpoint is not None and carried.values.first_step != checkpoint.step:
            raise InvalidArgument(
                "origin.values must be those of the checkpoint's step", field="origin.values"
            )
        step("origin.values.first_step", carried.values.first_step)
    found = Start(
        run=run,
        incarnation=incarnation,
        attempt=request.attempt if request.HasField("attempt") else None,
        rank=request.rank,
        world_size=world_size,
        groups=groups,
        definition=definition,
        schedule_uid=None,
        schedule_revision=None,
        checkpoint=checkpoint,
        begin_step=0 if carried is None else carried.values.first_step,
        on_existing=_ON_EXISTING[request.on_existing],
        unit=names.check_text("unit", request.unit or "step", 32),
        labels=names.check_labels("labels", dict(request.labels), MAX_LABELS),
        holder_labels=names.check_labels("holder_labels", dict(request.holder_labels), MAX_LABELS),
        adds_groups=request.adds_groups,
        leaves_plan=request.leaves_plan,
        parameters=dict(sorted(request.parameters.items())),
        on_resume=_ON_RESUME[request.on_resume],
    )
    if found.on_resume == "checkpoint" and checkpoint is not None and carried is None:
        raise InvalidArgument(
            "origin is missing; with on_resume CHECKPOINT it is what the checkpoint carries", field="origin"
        )
    if found.leaves_plan and checkpoint is None:
        raise InvalidArgument(
            "checkpoint is missing; with leaves_plan it is where the plan is left", field="checkpoint"
        )
    if found.adds_groups and checkpoint is None:
        raise InvalidArgument(
            "checkpoint is missing; with adds_groups it is where the groups were added", field="checkpoint"
        )
    return found, schedule_name, carried


def steps(request: run_service_pb2.NextLrRequest) -> Steps:
    """Return what a rank asks for."""
    return Steps(
        run_uid=_run_uid(request.run_uid),
        store_epoch=request.store_epoch,
        fence=request.fence,
        branch=request.branch,
        rank=request.rank,
        from_step=request.from_step,
        count=request.count,
        applied_step=request.applied_step,
        revision=request.revision,
        given=given(request.given, "given") if request.HasField("given") else NOTHING,
        ahead=tuple(_known_ahead(message, f"ahead[{place}]") for place, message in enumerate(request.ahead)),
        frontier=request.frontier,
    )


def deviated(request: run_service_pb2.ReportDeviationRequest) -> Deviated:
    """Return what a rank went on with by itself."""
    run_uid = _run_uid(request.run_uid)
    if request.kind not in _KINDS:
        raise InvalidArgument(
            f"kind is {request.kind}; this server knows {', '.join(map(str, _KINDS))}", field="kind"
        )
    message = request.values
    most = rows_of_report(max(1, len(message.tracks) * message.groups))
    if not 1 <= message.count <= most:  # before columns are made that long
        raise InvalidArgument(
            f"values.count is {message.count}; it must be from 1 to {most} for {len(message.tracks)} tracks of "
            f"{message.groups} param groups",
            field="values.count",
        )
    try:
        table = Table.from_message(message, at_most=most)
    except ValueError as error:
        raise InvalidArgument(str(error), field="values") from error
    return Deviated(
        run_uid=run_uid,
        store_epoch=request.store_epoch,
        fence=request.fence,
        branch=request.branch,
        rank=request.rank,
        table=table,
        kind=_KINDS[request.kind],
    )


def _run_uid(uid: str) -> str:
    if not uid:
        raise InvalidArgument("run_uid is missing; AcquireRun gives it", field="run_uid")
    return names.check_text("run_uid", uid, 64)


def given(message: run_pb2.Given, path: str) -> Given:
    """Return what a step was given."""
    if len(message.factors) > MAX_FACTORS:
        raise InvalidArgument(
            f"{path}.factors has {len(message.factors)} entries; at most {MAX_FACTORS} are taken",
            field=f"{path}.factors",
        )
    if message.HasField("epoch") and not math.isfinite(message.epoch):
        raise InvalidArgument(
            f"{path}.epoch is {message.epoch}; it must be a finite number", field=f"{path}.epoch"
        )
    if any(map(math.isnan, message.factors)):
        raise InvalidArgument(f"{path}.factors has a nan; all must be numbers", field=f"{path}.factors")
    for i, seen in enumerate(message.seen):
        if any(map(math.isnan, seen.values)):
            raise InvalidArgument(
                f"{path}.seen[{i}].values has a nan; all must be numbers", field=f"{path}.seen[{i}].values"
            )
        names.check_name(f"{path}.seen[{i}].track", seen.track)
    for field, total in message.progress.ListFields():
        if problem := progress_problem(field.name, total):
            raise InvalidArgument(f"{path}.progress.{problem}", field=f"{path}.progress.{field.name}")
    return Given.from_message(message)


def _known_ahead(message: run_pb2.Given, path: str) -> Given:
    """Return what a later step is told."""
    for field, _ in message.ListFields():
        if field.name not in ("factors", "float32_factors", "progress"):
            raise InvalidArgument(
                f"{path}.{field.name} is set; what can be told ahead of a step is its factors and progress",
                field=f"{path}.{field.name}",
            )
    return given(message, path)


def schedule(message: schedule_pb2.Schedule, path: str, *, checked: bool = True) -> Schedule:
    """Return a definition; raises InvalidArgument with the path of what is wrong in it."""
    try:
        return codec.decode(message, path=path, checked=checked)
    except DefinitionError as error:
        raise InvalidArgument(str(error), field=error.field) from error


def definition_of(message: schedule_pb2.Schedule, path: str, *, checked: bool = True) -> str:
    """Return a definition's canonical JSON; raises InvalidArgument."""
    return codec.to_json(schedule(message, path, checked=checked))


def filled(found: Schedule, parameters: Mapping[str, float]) -> Schedule:
    """Return a definition with numbers in place of its parameters; raises InvalidArgument."""
    return fill_schedule(found, dict(parameters))


def replacement(message: run_pb2.Replace) -> tuple[str, str | None]:
    """Return a definition, or the name of the stored schedule that is named instead; raises InvalidArgument."""
    if message.HasField("schedule"):
        return definition_of(message.schedule, "replace.schedule"), None
    if message.schedule_name:
        return "", names.check_schedule("replace.schedule_name", message.schedule_name)
    raise InvalidArgument(
        "replace.schedule is missing; give a schedule or a schedule_name", field="replace.schedule"
    )


def rollback(request: run_service_pb2.RollbackRunRequest) -> Rollback:
    """Return what shall be taken back."""
    if not request.HasField("to_step"):
        raise InvalidArgument("to_step is missing; give the last step that stays", field="to_step")
    if not request.HasField("expected_revision"):
        raise InvalidArgument(
            "expected_revision is missing; give the run's revision as last read", field="expected_revision"
        )
    definition, named = replacement(request.replace) if request.HasField("replace") else ("", None)
    if request.parameters and not request.HasField("replace"):
        raise InvalidArgument(
            "parameters are given, and no replace; they are the numbers of its schedule", field="parameters"
        )
    return Rollback(
        run=names.check_name("run", request.run),
        to_step=step("to_step", request.to_step),
        request_id=names.check_request_id(request.request_id),
        expected_revision=request.expected_revision,
        keep_edits=request.keep_edits,
        author=text("author", request.author),
        reason=text("reason", request.reason),
        definition=definition,
        named=named or "",
        parameters=dict(request.parameters),
    )


def fork(request: run_service_pb2.ForkRunRequest) -> Fork:
    """Return which run shall begin where."""
    if not request.HasField("at_step"):
        raise InvalidArgument("at_step is missing; give the step at which the run begins", field="at_step")
    return Fork(
        run=names.check_name("run", request.run),
        new_run=names.check_name("new_run", request.new_run),
        at_step=step("at_step", request.at_step),
        branch=request.branch if request.HasField("branch") else None,
        request_id=names.check_request_id(request.request_id),
        keep_edits=request.keep_edits,
        author=text("author", request.author),
        reason=text("reason", request.reason),
        labels=names.check_labels("labels", dict(request.labels), MAX_LABELS),
    )


def state(value: int) -> Literal["active", "finished"] | None:
    """Return the state a listing asks for."""
    if value not in _STATES:
        raise InvalidArgument(f"state is {value}; it must be ACTIVE or FINISHED", field="state")
    return _STATES[value]


def step(field: str, value: int) -> int:
    """Return a step of a run."""
    if not 0 <= value < MAX_STEP:
        raise InvalidArgument(f"{field} is {value}; it must be from 0 to {MAX_STEP - 1}", field=field)
    return value


def text(field: str, value: str) -> str:
    """Return a person's words."""
    return names.check_text(field, value, MAX_TEXT)


def page_size(value: int, default: int) -> int:
    """Return how many entries a page has: 1000 at most."""
    if value < 0:
        raise InvalidArgument(f"page_size is {value}; it must be 0 or more", field="page_size")
    return min(value or default, 1000)


def base_row(request: schedule_service_pb2.PreviewScheduleRequest, schedule: Schedule) -> Row:
    """Return the base values of a schedule's preview; 1 for a track that is not given."""
    named = records.base_row(_groups(request.groups)) if request.groups else None
    row = named or {"lr": _base_lrs(request.base_lrs)}
    count = len(row["lr"])
    values = {**dict.fromkeys(schedule.moves, (1.0,) * count), **row}
    return Base({track: values[track] for track in sorted(values)}, names_of(row))


def _base_lrs(base_lrs: Sequence[float]) -> tuple[float, ...]:
    if len(base_lrs) > MAX_GROUPS or any(math.isnan(value) for value in base_lrs):
        raise InvalidArgument(
            f"base_lrs must be at most {MAX_GROUPS} numbers, none of them nan", field="base_lrs"
        )
    return tuple(base_lrs) or (0.1,)


def pace(message: schedule_service_pb2.Pace) -> Pace:
    """Return the pace of a preview."""
    try:
        return Pace(**{field.name: value for field, value in message.ListFields()})
    except ValueError as error:
        raise InvalidArgument(f"pace.{error}", field=f"pace.{str(error).split()[0]}") from error


def _checkpoint(request: run_service_pb2.AcquireRunRequest) -> Checkpoint:
    found = request.checkpoint
    if not found.run_uid:
        raise InvalidArgument("checkpoint.run_uid is missing", field="checkpoint.run_uid")
    names.check_text("checkpoint.run_uid", found.run_uid, 64)
    return Checkpoint(found.run_uid, found.branch, step("checkpoint.step", found.step))


def _values(request: run_service_pb2.AcquireRunRequest) -> Table:
    try:
        table = Table.from_message(request.origin.values, at_most=1)
    except ValueError as error:
        raise InvalidArgument(f"origin.{error}", field="origin.values") from error
    if table.count != 1:
        raise InvalidArgument("origin.values must hold one row", field="origin.values")
    return table


def _groups(messages: Sequence[run_pb2.ParamGroup]) -> tuple[ParamGroup, ...]:
    if not 1 <= len(messages) <= MAX_GROUPS:
        raise InvalidArgument(
            f"groups has {len(messages)} entries; it must have from 1 to {MAX_GROUPS}", field="groups"
        )
    groups = tuple(_group(message, f"groups[{i}]") for i, message in enumerate(messages))
    tracks = set(groups[0].initial)
    for i, group in enumerate(groups):
        if set(group.initial) != tracks:
            raise InvalidArgument(
                f"groups[{i}].tracks are {sorted(group.initial)}; they must be those of groups[0], "
                f"{sorted(tracks)}",
                field=f"groups[{i}].tracks",
            )
    return groups


def _group(message: run_pb2.ParamGroup, path: str) -> ParamGroup:
    if message.number not in _NUMBERS:
        raise InvalidArgument(f"{path}.number is {message.number}; use a Number", field=f"{path}.number")
    initial, current = {}, {}
    for i, track in enumerate(message.tracks):
        where = f"{path}.tracks[{i}]"
        names.check_name(f"{where}.track", track.track)
        if track.track in initial:
            raise InvalidArgument(
                f"{where}.track is {track.track!r}, which stands twice", field=f"{where}.track"
            )
        if not track.HasField("initial"):
            raise InvalidArgument(f"{where}.initial is missing", field=f"{where}.initial")
        now = track.current if track.HasField("current") else track.initial
        for field, value in (("initial", track.initial), ("current", now)):
            if math.isnan(value):
                raise InvalidArgument(
                    f"{where}.{field} is nan; it must be a number", field=f"{where}.{field}"
                )
        initial[track.track], current[track.track] = track.initial, now
    if "lr" not in initial:
        raise InvalidArgument(f"{path}.tracks has no 'lr'", field=f"{path}.tracks")
    name = names.check_text(f"{path}.name", message.name, MAX_TEXT) if message.HasField("name") else None
    order = sorted(initial)
    return ParamGroup(
        name=name,
        number=_NUMBERS[message.number],
        initial={track: initial[track] for track in order},
        current={track: current[track] for track in order},
    )
