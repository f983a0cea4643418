"""How much a value may cost: a budget of node operations, not of time."""

from __future__ import annotations

import threading

MOST = 50_000
"""How many nodes may be compiled for one row."""


class _Budget(threading.local):
    left: int = MOST


_budget = _Budget()


def begin() -> None:
    """Give the row that follows its budget."""
    _budget.left = MOST


def spend() -> None:
    """Take a node from the budget. Raises ValueError if it is used up: repeats in repeats multiply their work."""
    _budget.left -= 1
    if _budget.left < 0:
        raise ValueError(f"a value takes more than {MOST} operations: too many repeats lie in each other")


def spent() -> int:
    """Return how many nodes the last row has taken."""
    return MOST - _budget.left
