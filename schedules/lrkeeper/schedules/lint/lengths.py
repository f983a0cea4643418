"""Traps of lengths: what is counted twice, does not add up, is never reached, or is a part of nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lrkeeper.schedules.lint.finding import Finding
from lrkeeper.schedules.lint.texts import same, text
from lrkeeper.schedules.lint.whole import Node, Whole, messages
from lrkeeper.schedules.outline import length, starts_of
from lrkeeper.schedules.sugar.hints import meant
from lrkeeper.v1 import schedule_pb2

_NAME = re.compile(r"\b[A-Za-z_]\w*\b(?!\s*\()")
_CONSTANTS = {"e", "pi"}
_LENGTHS = {"cosine_annealing_lr": "T_max", "polynomial_lr": "total_iters", "linear_lr": "total_iters"}


def does_not_add_up(whole: Whole) -> Iterator[Finding]:
    """Stages whose lengths are not the total; a decay over the total after a warmup."""
    for node in whole.nodes():
        horizon = whole.horizon(node.part)
        if node.kind != "sequence" or horizon is None or "stages[" in node.path:
            continue
        starts, ends = starts_of(node.message), _end(node)
        if starts is None or ends is None or ends[0] != horizon[0] or starts[0][0] != horizon[0]:
            continue
        twice = [
            place
            for place, (_, start) in enumerate(starts)
            if start > 0
            and (own := _own_length(node.message.stages[place].schedule))
            and same(own[1], horizon[1])
        ]
        for place in twice:
            start = starts[place][1]
            yield Finding(
                f"{node.path}.stages[{place}].schedule",
                f"takes the whole {text(*horizon)} and begins at {text(horizon[0], start)}: it would end at "
                f"{text(horizon[0], start + horizon[1])} (what comes before it is counted twice)",
                f"over: {text(horizon[0], horizon[1] - start)}",
            )
        if not twice and not same(ends[1], horizon[1]):
            early = ends[1] < horizon[1]
            what = "the last value holds for the rest" if early else "its end is never reached"
            yield Finding(
                node.path,
                f"the stages end at {text(*ends)}, and all is over at {text(*horizon)}: {what}",
                f"stages whose lengths add up to {text(*horizon)}, or total: {text(*ends)}",
            )


def never_begins(whole: Whole) -> Iterator[Finding]:
    """Stages that start when all is over."""
    for node in whole.nodes():
        horizon = whole.horizon(node.part)
        if horizon is None or "stages[" in node.path:
            continue
        starts: list[tuple[str, float]] = []
        if node.kind == "sequence":
            starts, where = starts_of(node.message) or [], "stages"
        elif node.kind == "sequential_lr":
            starts, where = [("steps", 0.0), *(("steps", m) for m in node.message.milestones)], "schedulers"
        for place, (unit, start) in enumerate(starts):
            if unit == horizon[0] and start >= horizon[1]:
                yield Finding(
                    f"{node.path}.{where}[{place}]",
                    f"starts at {text(unit, start)}, and all is over at {text(*horizon)}: it never begins",
                    "shorter stages before it, or leave it out",
                )


def hangs_on_nothing(whole: Whole) -> Iterator[Finding]:
    """Fractions without a total, and parameters that are not declared."""
    tracks = whole.message.tracks
    names = {parameter.name for parameter in tracks.parameters}
    for path, message in messages(whole.message, whole.path):
        if not isinstance(message, schedule_pb2.Span | schedule_pb2.Level):
            continue
        if isinstance(message, schedule_pb2.Span) and message.HasField("fraction"):
            if tracks.HasField("total") and not path.endswith("tracks.total"):
                continue
            yield Finding(
                path,
                f"is {message.fraction:g} of the total, and there is no total",
                "total: 100000ba beside lr: {...}, or a length in steps",
            )
        elif message.HasField("parameter"):
            for name in sorted(set(_NAME.findall(message.parameter)) - names - _CONSTANTS):
                near = meant(name, names)
                yield Finding(
                    path,
                    f"is of the parameter ${name}, which the definition does not have",
                    f"${near}" if near else f"parameters: {{{name}: ...}} beside lr: {{...}}",
                )


def _end(node: Node) -> tuple[str, float] | None:
    """Return when a sequence's last stage ends, if it says so."""
    starts = starts_of(node.message)
    if starts is None:
        return None
    last = node.message.stages[-1]
    own = length(last.over) if last.HasField("over") else _own_length(last.schedule)
    if own is None or own[0] != starts[-1][0]:
        return None
    return own[0], starts[-1][1] + own[1]


def _own_length(schedule: schedule_pb2.Schedule) -> tuple[str, float] | None:
    kind = schedule.WhichOneof("kind")
    if kind == "ramp":
        return length(schedule.ramp.over)
    if kind in _LENGTHS:
        return "steps", getattr(getattr(schedule, kind), _LENGTHS[kind])
    return None
