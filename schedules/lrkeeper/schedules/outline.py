"""What a definition is made of, in time: its hyperparameters, and their stages with the steps they take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from google.protobuf.message import Message

from lrkeeper.schedules.codec import encode
from lrkeeper.schedules.expressions import parse
from lrkeeper.schedules.schedule import Schedule
from lrkeeper.v1 import schedule_pb2

_STEPS = {"steps": 1.0}
M = TypeVar("M", bound=Message)


class StageSpan(NamedTuple):
    """A stage of a schedule: the steps from `first` up to `end`, which is the next one's; None: for ever."""

    label: str
    first: int
    end: int | None


class Part(NamedTuple):
    """What one hyperparameter does in some param groups, with fractions and parameters as what they come to."""

    path: str
    """Where it stands in the message."""
    name: str
    group: str
    schedule: schedule_pb2.Schedule
    link: str
    base: float | None
    scale: float
    total: schedule_pb2.Span | None
    """How long it all goes on, if that is known."""


def stages_of(schedule: Schedule, per_step: Mapping[str, float] = _STEPS) -> list[StageSpan]:
    """Return the stages of the lr of all param groups, none if it has no stages, or they are not in steps.

    `per_step` says how many of a unit a step has, to know them in steps all the same: {"tokens": 4e6}.
    """
    return stages_in(encode(schedule), per_step)


def stages_in(message: schedule_pb2.Schedule, per_step: Mapping[str, float] = _STEPS) -> list[StageSpan]:
    """Return the stages of a definition's message, as `stages_of`."""
    for part in parts_of(message):
        if part.name == "lr" and not part.group and not part.link:
            return _stages(part.schedule, {**_STEPS, **per_step})
    return []


def parts_of(message: schedule_pb2.Schedule, path: str = "") -> list[Part]:
    """Return what each hyperparameter does; one that is not by their names is for the lr."""
    if message.WhichOneof("kind") != "tracks":
        return [Part(path, "lr", "", message, "", None, 1.0, None)]
    tracks = message.tracks
    values = {each.name: each.value for each in tracks.parameters if each.HasField("value")}
    total = _resolved(tracks.total, None, values) if tracks.HasField("total") else None
    return [
        Part(
            f"{path}.tracks.tracks[{place}]",
            track.name or "lr",
            track.group,
            _resolved(track.schedule, total, values),
            track.link,
            track.base if track.HasField("base") else None,
            track.scale if track.HasField("scale") else 1.0,
            total,
        )
        for place, track in enumerate(tracks.tracks)
    ]


def _resolved(message: M, total: schedule_pb2.Span | None, values: Mapping[str, float]) -> M:
    """Return a message with its fractions as parts of the total, and its parameters as their values."""
    found = type(message)()
    found.CopyFrom(message)
    _resolve(found, total, values)
    return found


def _resolve(message: Message, total: schedule_pb2.Span | None, values: Mapping[str, float]) -> None:
    if isinstance(message, schedule_pb2.Span):
        unit = total.WhichOneof("unit") if total is not None else None
        if message.HasField("fraction") and unit not in (None, "fraction", "parameter"):
            setattr(message, str(unit), message.fraction * getattr(total, str(unit)))
        elif message.HasField("parameter") and (steps := _given(message.parameter, values)) is not None:
            message.steps = steps
    elif isinstance(message, schedule_pb2.Level):
        if message.HasField("parameter") and (value := _given(message.parameter, values)) is not None:
            message.absolute = value
    else:
        for field, value in message.ListFields():
            for each in value if field.is_repeated else (value,):
                if isinstance(each, Message):
                    _resolve(each, total, values)


def _given(text: str, values: Mapping[str, float]) -> float | None:
    """Return the value of a parameter, or of an expression of some; None if there is none."""
    try:
        return parse(text, frozenset(values)).evaluate(values)
    except ValueError:  # an ExpressionError or EvaluationError
        return None


def length(span: schedule_pb2.Span) -> tuple[str, float] | None:
    """Return a span's unit and amount; None if it hangs on a total or a parameter that is not known."""
    unit = span.WhichOneof("unit")
    return None if unit in (None, "fraction", "parameter") else (unit, getattr(span, unit))


def starts_of(stages: schedule_pb2.Sequence) -> list[tuple[str, float]] | None:
    """Return the unit and time at which each stage starts; None if they are not known, or in several units."""
    if not stages.stages:
        return None
    found, now, units = [0.0], 0.0, set()
    for stage, later in zip(stages.stages, stages.stages[1:], strict=False):
        over = length(stage.over) if stage.HasField("over") else None
        if over is None and not later.HasField("at"):
            return None
        now = now + over[1] if over is not None else float(later.at)
        units |= {over[0]} if over is not None else set()
        found.append(now)
    if len(units) > 1:
        return None
    unit = units.pop() if units else "steps"
    return [(unit, start) for start in found]


def _stages(schedule: schedule_pb2.Schedule, per_step: Mapping[str, float]) -> list[StageSpan]:
    kind = schedule.WhichOneof("kind")
    if kind in ("affine", "plateau"):
        return _stages(getattr(schedule, kind).schedule, per_step)
    later = True
    if kind == "sequence":
        starts = starts_of(schedule.sequence) or []
        labels = [stage.label or str(stage.schedule.WhichOneof("kind")) for stage in schedule.sequence.stages]
        later = schedule.sequence.boundary != "earlier"
    elif kind == "sequential_lr":
        starts = [("steps", start) for start in (0.0, *schedule.sequential_lr.milestones)]
        labels = [str(member.WhichOneof("kind")) for member in schedule.sequential_lr.schedulers]
    else:
        return []
    if any(unit not in per_step for unit, _ in starts) or len(starts) != len(labels):
        return []
    firsts = [_first(start / per_step[unit], later) for unit, start in starts]
    firsts = [0, *firsts[1:]]
    return [StageSpan(*each) for each in zip(labels, firsts, [*firsts[1:], None], strict=True)]


def _first(start: float, later: bool) -> int:
    """Return the first step of a stage that starts at a time."""
    nearest = round(start)
    if math.isclose(start, nearest, rel_tol=1e-12, abs_tol=1e-9):
        return nearest if later else nearest + 1
    return math.ceil(start)
