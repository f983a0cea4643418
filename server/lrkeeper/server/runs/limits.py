"""How much one request may ask for."""

from __future__ import annotations

MAX_ROWS = 4096
"""Rows that one request commits or one answer holds, at most."""

MAX_ANSWER_BYTES = 1 << 20
"""The values of one answer, at most."""

MAX_STEP = 1 << 53
"""Steps lie below: a double counts them exactly."""

MAX_AHEAD = 10_000_000
"""How far beyond the frontier a step may be named; so far an edit is evaluated when it is made."""

MAX_GROUPS = 10_000
MAX_FACTORS = 100_000
MAX_WORLD_SIZE = 1_000_000
MAX_TEXT = 4096
MAX_LABELS = 64
MAX_PREVIEW_ROWS = 100_000


def rows_of_answer(columns: int) -> int:
    """Return how many rows of so many columns one answer holds."""
    return max(1, min(MAX_ROWS, MAX_ANSWER_BYTES // (8 * columns)))
