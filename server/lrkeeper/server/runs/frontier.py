"""How far a request moves the frontier."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SILENT_AFTER_US = 60_000_000
"""A rank not heard of for so long holds nothing back. A matter of speed, never of safety."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What a rank said last: the step its optimizer has, when, and how long after the time before (microseconds)."""

    applied_step: int
    at: int
    every: int = 0


def lowest_applied(ranks: Iterable[Heard], now: int) -> int | None:
    """Return the least step applied by ranks heard of lately; None if there are none."""
    return min((rank.applied_step for rank in ranks if now - rank.at < SILENT_AFTER_US), default=None)


def new_frontier(frontier: int, from_step: int, count: int, lowest: int, most: int) -> int:
    """Return the frontier after a request for `count` steps from `from_step`.

    It is an absolute step, never below the frontier, so a repeated request changes nothing; at most
    twice the window beyond the step that the slowest rank takes next, so that an edit soon acts; and at
    most `most` steps on.
    """
    return max(frontier, min(from_step + count, lowest + 1 + 2 * count, frontier + most))
