"""Ids that sort by the time they were made, so that new rows lie together (UUIDv7, RFC 9562)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from uuid import UUID

nanoseconds: Callable[[], int] = time.time_ns
random_bytes: Callable[[int], bytes] = os.urandom
"""What ids are made of; a simulation has its own."""


def new_uid() -> str:
    """Return a UUIDv7."""
    milliseconds = nanoseconds() // 1_000_000
    number = milliseconds << 80 | int.from_bytes(random_bytes(10), "big")
    number = number & ~(0xF << 76) | 0x7 << 76  # version
    number = number & ~(0x3 << 62) | 0x2 << 62  # variant
    return str(UUID(int=number))
