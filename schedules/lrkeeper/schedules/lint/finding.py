"""What a definition does that its author hardly means."""

from __future__ import annotations

from typing import NamedTuple


class Finding(NamedTuple):
    """A trap: where, what happens, and what to write instead (empty where the problem says it)."""

    path: str
    problem: str
    instead: str
