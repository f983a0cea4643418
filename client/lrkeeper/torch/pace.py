"""How fast a job steps, and so how many steps ahead are held."""

from __future__ import annotations

import time
from dataclasses import dataclass

from lrkeeper.window import window_size

MOST = 4096
"""More steps than this are in no answer."""

_STRETCH = 8
"""A pace that is measured over less than this part of what is held tells little."""


@dataclass(frozen=True)
class Pace:
    """How many steps ahead are held, and what that hangs on."""

    size: int
    seconds: float = 0.0
    """What a step takes; 0: not known yet."""
    step: int = 0
    """The step at which it was measured last,"""
    at: float = 0.0
    """and when the job came to it; 0: never."""

    def measured(self, step: int, horizon: float) -> Pace:
        """Return the pace now that the job comes to a step; `horizon` in seconds."""
        now, steps = time.monotonic(), step - self.step
        if not self.at or steps < 0:
            return Pace(self.size, self.seconds, step, now)
        if steps < max(1, self.size // _STRETCH):
            return self
        seconds = (now - self.at) / steps
        return Pace(window_size(horizon, seconds, self.size, MOST), seconds, step, now)
