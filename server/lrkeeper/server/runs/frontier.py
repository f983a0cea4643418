"""How far a request moves the frontier, and which ranks hold it back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SILENT_AFTER_US = 60_000_000
"""A rank not heard of for so long holds nothing back. A matter of speed, never of safety."""
_CALLS_MISSED = 3


@dataclass(frozen=True, slots=True)
class Heard:
    """What a rank said last: the step its optimizer has, when, and how often it says so (microseconds)."""

    applied_step: int
    at: int
    every: int = 0


def heard(before: Heard | None, applied_step: int, now: int) -> Heard:
    """Return what is known of a rank that says something now.

    How often it speaks follows a longer pause at once and shorter ones by halves: a repeated request does
    not make a rank of long windows seem silent.
    """
    if before is None:
        return Heard(applied_step, now)
    return Heard(applied_step, now, max(now - before.at, before.every // 2))


def silent(rank: Heard, now: int, listening_since: int = 0) -> bool:
    """Return whether a rank holds nothing back: thrice as long as it pauses at most, and a minute at least.

    Nobody could be heard of before `listening_since`, so that time is not held against a rank.
    """
    return now - max(rank.at, listening_since) >= max(SILENT_AFTER_US, _CALLS_MISSED * rank.every)


def lowest_applied(ranks: Iterable[Heard], now: int, listening_since: int = 0) -> int | None:
    """Return the least step applied by ranks heard of lately; None if there are none."""
    lowest = None
    for rank in ranks:
        if (lowest is None or rank.applied_step < lowest) and not silent(rank, now, listening_since):
            lowest = rank.applied_step
    return lowest


def new_frontier(frontier: int, from_step: int, count: int, lowest: int, most: int) -> int:
    """Return the frontier after a request for `count` steps from `from_step`.

    It is an absolute step, never below the frontier, so a repeated request changes nothing; at most
    twice the window beyond the step that the slowest rank takes next, so that an edit soon acts; and at
    most `most` steps on.
    """
    return max(frontier, min(from_step + count, lowest + 1 + 2 * count, frontier + most))
