"""Ids that sort by the time they were made, so that new rows lie together (UUIDv7, RFC 9562)."""

from __future__ import annotations

import os
import time
from uuid import UUID


def new_uid() -> str:
    """Return a UUIDv7."""
    milliseconds = time.time_ns() // 1_000_000
    number = milliseconds << 80 | int.from_bytes(os.urandom(10), "big")
    number = number & ~(0xF << 76) | 0x7 << 76  # version
    number = number & ~(0x3 << 62) | 0x2 << 62  # variant
    return str(UUID(int=number))
