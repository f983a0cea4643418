"""How much one request may ask for."""

from __future__ import annotations

MAX_ROWS = 4096
"""Rows that one request commits or one answer holds, at most."""

MAX_ANSWER_BYTES = 1 << 20
"""One answer with values, at most, unless a single row is longer."""

_BESIDE_VALUES, _BESIDE_COLUMN = 32 << 10, 48
"""Bytes of an answer that are no values: the evaluator's state has some 20 for each column."""

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
    """Return how many rows of so many columns one answer holds, with what comes with them."""
    room = MAX_ANSWER_BYTES - _BESIDE_VALUES - _BESIDE_COLUMN * columns
    return max(1, min(MAX_ROWS, room // (8 * columns)))


def rows_of_report(columns: int) -> int:
    """Return how many rows of so many columns a rank tells at once."""
    return max(1, min(MAX_ROWS, MAX_ANSWER_BYTES // (8 * columns)))
