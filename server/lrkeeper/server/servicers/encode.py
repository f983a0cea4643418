"""From the use cases' values to messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from google.protobuf.timestamp_pb2 import Timestamp

from lrkeeper.schedules import codec
from lrkeeper.schedules.cursor import Failure
from lrkeeper.server.runs.limits import MAX_ANSWER_BYTES
from lrkeeper.server.runs.records import (
    Block,
    Branch,
    Deviation,
    Edit,
    Incarnation,
    LostEdit,
    ParamGroup,
    ScheduleRevision,
)
from lrkeeper.server.usecases.runs import RankView, RunView
from lrkeeper.v1 import run_pb2, schedule_pb2, schedule_service_pb2

_NUMBERS = {"float64": run_pb2.NUMBER_FLOAT64, "float32": run_pb2.NUMBER_FLOAT32}
_KINDS = {"hold": run_pb2.DEVIATION_KIND_HOLD, "forecast": run_pb2.DEVIATION_KIND_FORECAST}
_STATES = {"active": run_pb2.RUN_STATE_ACTIVE, "finished": run_pb2.RUN_STATE_FINISHED}


def time(microseconds: int) -> Timestamp:
    """Return a time."""
    return Timestamp(seconds=microseconds // 1_000_000, nanos=microseconds % 1_000_000 * 1000)


def failure(found: Failure) -> schedule_pb2.EvaluationError:
    """Return where an evaluation ends."""
    return schedule_pb2.EvaluationError(step=found.step, type=found.type, message=found.message)


def schedule(definition: str) -> schedule_pb2.Schedule:
    """Return a definition's message."""
    return codec.encode(codec.from_json(definition))


def stored_schedule(revision: ScheduleRevision, followers: int) -> schedule_service_pb2.StoredSchedule:
    """Return a revision's message."""
    return schedule_service_pb2.StoredSchedule(
        name=revision.name,
        revision=revision.revision,
        schedule=schedule(revision.definition),
        etag="" if revision.preset else revision.etag,
        author=revision.author,
        reason=revision.reason,
        create_time=time(revision.created_at),
        followers=followers,
        preset=revision.preset,
    )


def edit(found: Edit, names: Mapping[str, str]) -> run_pb2.Edit:
    """Return an edit's message; `names` are those of stored schedules by uid."""
    return run_pb2.Edit(
        revision=found.revision,
        request_id=found.request_id,
        branch=found.branch,
        effective_step=found.effective_step,
        replace=run_pb2.Replace(
            schedule=schedule(found.definition),
            schedule_name=names.get(found.schedule_uid or "", ""),
            schedule_revision=found.schedule_revision or 0,
        ),
        author=found.author,
        reason=found.reason,
        create_time=time(found.created_at),
    )


def holder(found: Incarnation) -> run_pb2.Holder:
    """Return a start's message."""
    return run_pb2.Holder(
        incarnation=found.incarnation,
        world_size=found.world_size,
        labels=found.labels,
        acquire_time=time(found.acquired_at),
    )


def block(found: Block) -> run_pb2.Block:
    """Return a block's message."""
    message = run_pb2.Block(
        branch=found.branch,
        values=found.table.to_message(),
        revision=found.revision,
        fence=found.fence,
        evaluator_version=found.evaluator_version,
    )
    if found.given is not None:
        message.given.CopyFrom(found.learned.to_message())
    return message


def run(view: RunView, *, with_edits: bool = True) -> run_pb2.Run:
    """Return a run's message."""
    found = view.run
    message = run_pb2.Run(
        name=found.name,
        uid=found.uid,
        state=_STATES[found.state],
        unit=found.unit,
        labels=found.labels,
        groups=[_group(group) for group in view.branch.groups],
        origin_step=view.branch.origin.step,
        branch=found.branch,
        frontier=found.frontier,
        revision=found.revision,
        fence=found.fence,
        schedule=codec.encode(view.schedule),
        latest=view.latest.to_message(),
        create_time=time(found.created_at),
        heard_time=time(found.heard_at),
        lineage=[_lineage(branch) for branch in reversed(view.lineage)],
        ranks=[_rank(rank) for rank in view.ranks],
        lost_edits=[lost_edit(lost) for lost in view.lost_edits],
        deviations=deviations(view.deviations),
    )
    if found.forked_from is not None:
        message.forked_from.CopyFrom(run_pb2.ForkedFrom(**vars(found.forked_from)))
    if view.holder is not None:
        message.holder.CopyFrom(holder(view.holder))
    if view.followed is not None:
        message.schedule_name, message.schedule_revision = view.followed
    if found.finished_at is not None:
        message.finish_time.CopyFrom(time(found.finished_at))
    if with_edits:
        message.edits.extend(edit(e, view.names) for e in view.edits)
    return message


def deviations(found: Sequence[Deviation], at_step: int | None = None) -> list[run_pb2.Deviation]:
    """Return deviations' messages: as many as a message takes, or what they are at a step."""
    messages: list[run_pb2.Deviation] = []
    left = MAX_ANSWER_BYTES
    for deviation in found:
        table = deviation.table if at_step is None else deviation.table.cut(at_step, at_step + 1)
        message = run_pb2.Deviation(
            branch=deviation.branch,
            fence=deviation.fence,
            rank=deviation.rank,
            values=table.to_message(),
            kind=_KINDS[deviation.kind],
            create_time=time(deviation.created_at),
        )
        left -= message.ByteSize()
        if left < 0 and messages:
            break
        messages.append(message)
    return messages


def _lineage(branch: Branch) -> run_pb2.Lineage:
    message = run_pb2.Lineage(branch=branch.branch, origin_step=branch.origin.step)
    if branch.request_id is not None:
        message.author, message.reason = branch.author, branch.reason
        message.create_time.CopyFrom(time(branch.created_at))
    return message


def _rank(view: RankView) -> run_pb2.RankProgress:
    return run_pb2.RankProgress(
        rank=view.rank,
        applied_step=view.heard.applied_step,
        heard_time=time(view.heard.at),
        silent=view.silent,
    )


def lost_edit(found: LostEdit) -> run_pb2.LostEdit:
    """Return a lost edit's message."""
    lost = run_pb2.Edit(
        revision=found.revision,
        request_id=found.request_id,
        branch=found.branch,
        effective_step=found.effective_step,
        replace=run_pb2.Replace(schedule=schedule(found.definition)),
        author=found.author,
        reason=found.reason,
        create_time=time(found.created_at),
    )
    return run_pb2.LostEdit(edit=lost, found_time=time(found.found_at))


def _group(group: ParamGroup) -> run_pb2.ParamGroup:
    message = run_pb2.ParamGroup(number=_NUMBERS[group.number])
    if group.name is not None:
        message.name = group.name
    for track, initial in group.initial.items():
        message.tracks.add(track=track, initial=initial, current=group.current[track])
    return message
