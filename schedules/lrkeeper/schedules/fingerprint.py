"""A fingerprint of the C math library: evaluators give the same bits where it is the same."""

from __future__ import annotations

import hashlib
import math
import struct
from functools import cache


@cache
def math_fingerprint() -> str:
    """Return a hash over cos, pow, log and exp at 8,000 points, as 16 hex digits."""
    digest = hashlib.sha256()
    for i in range(1, 2001):
        x = i / 2000
        values = (math.cos(math.pi * x), (0.9 + 0.1 * x) ** i, math.log(x), math.exp(-x))
        digest.update(struct.pack("<4d", *values))
    return digest.hexdigest()[:16]
