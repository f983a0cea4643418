"""What happened, as plain values in the order in which it happened."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


class History:
    """Events: a kind (`event`), the virtual time, and what belongs to it."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self.events: list[dict[str, Any]] = []

    def note(self, event: str, **facts: Any) -> int:
        """Write an event down; return its place."""
        self.events.append({"event": event, "at": round(self._time(), 6), **facts})
        return len(self.events) - 1

    def text(self) -> str:
        """Return the events as JSON, one a line."""
        return "\n".join(json.dumps(event, separators=(",", ":")) for event in self.events)


def hexed(data: bytes, count: int) -> list[str]:
    """Return a table's rows: the bits of each one's columns, in hexadecimal."""
    columns = [data[start : start + 8 * count] for start in range(0, len(data), 8 * count)]
    return ["".join(column[8 * i : 8 * i + 8].hex() for column in columns) for i in range(count)]
