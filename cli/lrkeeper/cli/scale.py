"""The y axis of a curve drawn in the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

_HEIGHT = 10
_STEEP = 20.0
_MOST_DECADES = 12
_LARGEST = 1e300


@dataclass(frozen=True)
class Scale:
    """The y axis. On a logarithmic one `low` and `high` are exponents of 10."""

    low: float
    high: float
    height: int
    log: bool = False

    def place(self, value: float) -> float:
        """Return where a value lies between `low` and `high`."""
        return max(self.low, math.log10(value)) if self.log else value

    def label(self, place: Any, chars: int, delta: Any, left: bool = False) -> str:
        """Return an axis's label, as plotille asks for it; `left` says that it is the x axis."""
        if left:
            return f"{round(place):<{chars}}"
        if not self.log:
            return f"{0.0 if abs(place) < abs(delta) * 1e-9 else place:>{chars}.4g}"
        return f"{10.0 ** round(place):>{chars}.4g}" if abs(place - round(place)) < 1e-6 else " " * chars


def scale_of(values: Sequence[float]) -> Scale:
    """Return a logarithmic scale where the values differ by more than a linear one shows."""
    least, most = min(values), max(values)
    if max(-least, most) < 1 / _LARGEST:
        least = most = 0.0
    low: float
    high: float
    log = least > 0 and most / least > _STEEP
    if log:
        high = math.ceil(math.log10(most) - 1e-9)
        low = max(math.floor(math.log10(least) + 1e-9), high - _MOST_DECADES)
        lines = (high - low) * max(1, _HEIGHT // (high - low))
    else:
        low, high, lines = min(0.0, least), max(0.0, most), _HEIGHT
        high = high if low < high else 1.0
    # One line more: plotille does not draw what lies on the upper limit.
    return Scale(low, high + (high - low) / lines, lines + 1, log)


def is_drawable(value: float) -> bool:
    """Return whether there is a place for a value: it is finite, and not far beyond all others."""
    return abs(value) <= _LARGEST
