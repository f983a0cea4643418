"""`lrkeeper` with a server that flips the last bit of every so many steps' values: shows who decides.

Run as `python -m tests.support.flipping_server EVERY serve …`.
"""

from __future__ import annotations

import struct
import sys
from typing import Any

from lrkeeper.cli import main
from lrkeeper.server.runs import head

EVERY = 50


def command(every: int = EVERY) -> tuple[str, ...]:
    """Return the command of a server that flips every so many steps, for `ServerProcess`."""
    return (sys.executable, "-m", "tests.support.flipping_server", str(every))


def flip(value: float) -> float:
    """Return a number with its last bit the other way."""
    (bits,) = struct.unpack("<q", struct.pack("<d", value))
    flipped: float = struct.unpack("<d", struct.pack("<q", bits ^ 1))[0]
    return flipped


def _flipping(extend: Any, every: int) -> Any:
    def flipped(schedule: Any, base: Any, cursor: Any, count: int, given: Any) -> Any:
        after, rows, failure = extend(schedule, base, cursor, count, given)
        for i, row in enumerate(rows):
            if (cursor.step + 1 + i) % every == 0:
                rows[i] = {track: tuple(map(flip, values)) for track, values in row.items()}
        return after, rows, failure

    return flipped


if __name__ == "__main__":
    head.extend = _flipping(head.extend, int(sys.argv.pop(1)))  # type: ignore[attr-defined]
    main()
