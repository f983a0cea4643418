"""How much a value may cost: a budget of node operations, not of time."""

from __future__ import annotations

MOST = 50_000
"""How many nodes may be compiled for one row."""


class Work:
    """The budget of one row. What is compiled for it is compiled within it, also in the course of evaluation.

    `spent` is set to 0 where another row begins.
    """

    def __init__(self) -> None:
        self.spent = 0

    def spend(self) -> None:
        """Take a node from the budget. Raises ValueError if it is used up: repeats in repeats multiply their work."""
        self.spent += 1
        if self.spent > MOST:
            raise ValueError(f"a value takes more than {MOST} operations: too many repeats lie in each other")
