"""Traps of values: jumps where stages meet, an lr of 0, links to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from math import nextafter

from lrkeeper.schedules.lint.finding import Finding
from lrkeeper.schedules.lint.texts import text
from lrkeeper.schedules.lint.whole import Node, Whole
from lrkeeper.schedules.outline import Part, starts_of

_MOST = 2.0
"""By how much a value may jump without a word."""


def stages_jump(whole: Whole) -> Iterator[Finding]:
    """Stages that begin far from where the one before ends."""
    for node in whole.nodes():
        starts = starts_of(node.message) if node.kind == "sequence" else None
        if starts is None or "stages[" in node.path:
            continue
        values = whole.values(node.part)
        value = values.curve(node.schedule)
        for place, (unit, start) in list(enumerate(starts))[1:]:
            earlier = node.schedule
            del earlier.sequence.stages[place:]
            curve = values.curve(earlier)
            before = curve(start) if curve is not None else None
            time = nextafter(start, start + 1) if node.message.boundary == "earlier" else start
            after = value(time) if value is not None else None
            if before is None or after is None or not _far(before, after):
                continue
            yield Finding(
                f"{node.path}.stages[{place}]",
                f"begins with {after:.6g} at {text(unit, start)}, and the stage before ends with {before:.6g}",
                "from: prev, which goes on from the value reached, or levels that meet",
            )


def _far(one: float, other: float) -> bool:
    low, high = sorted((abs(one), abs(other)))
    return high > _MOST * low * (1 + 1e-9) or one * other < 0


def goes_back(whole: Whole) -> Iterator[Finding]:
    """A SequentialLR, which as torch's sets the lr back to the base at its milestones."""
    for node in whole.nodes():
        value = whole.values(node.part).curve(node.schedule) if node.kind == "sequential_lr" else None
        if value is None:
            continue
        starts = [0.0, *node.message.milestones]
        for place, (begun, start) in enumerate(pairwise(starts), start=1):
            first, last, after = (value(step) for step in (begun, start - 1, start))
            if first is None or last is None or after is None or not (last < first and after > last * 1.01):
                continue
            yield Finding(
                f"{node.path}.milestones[{place - 1}]",
                f"torch's SequentialLR goes back to the base lr: {last:.6g} at step {start - 1:g}, "
                f"{after:.6g} at step {start:g}",
                "sequence: {stages: [{schedule: ...}, {schedule: ..., at: ...}]}, which goes on from the value reached",
            )


def begins_with_nothing(whole: Whole) -> Iterator[Finding]:
    """An lr of 0 at the first step."""
    for node in _tops(whole):
        if node.part.name == "lr" and whole.values(node.part).at(0) == 0:
            inner = f"{node.path}.stages[0].schedule" if node.kind == "sequence" else node.path
            ramped = node.kind in ("ramp", "sequence")
            yield Finding(
                inner,
                "the lr is 0 at step 0: the first optimizer step changes nothing",
                "counting: from_one (the first step has 1/W of a warmup over W steps), or from: 1%"
                if ramped
                else "a value above 0 at step 0",
            )


def is_linked_to_nothing(whole: Whole) -> Iterator[Finding]:
    """A link to an lr that is 0."""
    for part in whole.parts:
        names = set(re.findall(r"[A-Za-z_]\w*", part.link))
        if not names & {"lr", "base_lr"}:
            continue
        lr = _lr_of(whole, part)
        if lr is None:
            continue
        values = whole.values(lr)
        if "base_lr" in names and values.base == 0:
            yield Finding(
                f"{part.path}.link",
                "divides by base_lr, and the base lr is 0",
                "a base above 0: lr: {base: 3e-4}",
            )
        elif "lr" in names and values.at(0) == 0:
            yield Finding(
                f"{part.path}.link",
                f"the lr is 0 at step 0, and so is what {part.name} has of it",
                "an lr that begins above 0 (counting: from_one), or a schedule of its own",
            )


def _tops(whole: Whole) -> Iterator[Node]:
    seen: set[str] = set()
    for node in whole.nodes():
        if node.part.path not in seen:
            seen.add(node.part.path)
            yield node


def _lr_of(whole: Whole, part: Part) -> Part | None:
    lrs = {other.group: other for other in whole.parts if other.name == "lr" and not other.link}
    return lrs.get(part.group, lrs.get(""))
