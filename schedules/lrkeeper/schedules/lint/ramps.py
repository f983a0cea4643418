"""Traps of a single ramp: it rises again, or does not get to its end."""

from __future__ import annotations

from collections.abc import Iterator

from lrkeeper.schedules.lint.finding import Finding
from lrkeeper.schedules.lint.texts import same, text
from lrkeeper.schedules.lint.whole import Node, Whole
from lrkeeper.schedules.outline import length

_MATTERS = 0.01
"""The part of a ramp that is worth a word."""


def rises_again(whole: Whole) -> Iterator[Finding]:
    """A cosine that goes on after its end rises again."""
    for node in whole.nodes():
        message, limit = node.message, node.limit
        if node.kind == "ramp" and message.ease == "cosine" and message.after == "extend":
            over = length(message.over)
            if over is not None and limit is not None and limit[0] == over[0] and limit[1] <= over[1]:
                continue
            end = f" at {text(*over)}" if over else ""
            yield Finding(
                f"{node.path}.after",
                f"the cosine goes on after its end{end}, and rises again",
                "after: hold (or leave it out)",
            )
        torchs = node.kind == "cosine_annealing_lr" and limit is not None and limit[0] == "steps"
        if torchs and limit is not None and limit[1] > message.T_max + 1:
            yield Finding(
                f"{node.path}.T_max",
                f"is {message.T_max:g}, torch's cosine rises again after it, and steps go up to {limit[1]:g}",
                f"T_max: {limit[1]:g}, or cosine: {{to: 0, over: {message.T_max:g}ba}}, which holds",
            )


def falls_short(whole: Whole) -> Iterator[Finding]:
    """A ramp that is cut off, or counted so, that it never has the value of its end."""
    for node in whole.nodes():
        over = length(node.message.over) if node.kind == "ramp" else None
        if over is None or node.limit is None or node.limit[0] != over[0] or node.limit[1] <= 0:
            continue
        if not same(node.limit[1], over[1]) and node.limit[1] < over[1]:
            if node.followed or "stages[" not in node.path:
                yield Finding(
                    f"{node.path}.over",
                    f"is {text(*over)}, and it is cut off after {text(*node.limit)}: it never gets to its end",
                    f"over: {text(*node.limit)}",
                )
        elif same(node.limit[1], over[1]) and over[0] == "steps":
            yield from _off_by_one(node, over[1])


def _off_by_one(node: Node, steps: float) -> Iterator[Finding]:
    counting = node.message.counting or "from_zero"
    if node.followed and counting != "inside":
        return  # the next stage begins at its end
    reached = {"from_zero": (steps - 1) / steps, "inside": steps / (steps + 1)}.get(counting, 1.0)
    if 1 - reached <= _MATTERS:
        return
    last = f"{steps - 1:g}"
    yield Finding(
        f"{node.path}.counting" if node.message.counting else node.path,
        f"its last step is {last}, where {1 - reached:.0%} of the way to its end is left (counting {counting})",
        "counting: from_one, or to_last, for a last step at the end itself",
    )
