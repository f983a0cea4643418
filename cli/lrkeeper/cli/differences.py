"""Where the values of two schedules differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from lrkeeper.cli.spans import Span
from lrkeeper.cli.stages import value_at


def difference(one: Sequence[Span], other: Sequence[Span]) -> dict[str, Any]:
    """Return the first step at which values differ, and where they differ most."""
    end = min(one[-1].last, other[-1].last) + 1
    steps = sorted({span.first for spans in (one, other) for span in spans if span.first < end})
    found: dict[str, Any] = {"first_step": None, "largest": None}
    if one[-1].last != other[-1].last or one[0].values.keys() != other[0].values.keys():
        found["first_step"] = end if one[0].values.keys() == other[0].values.keys() else 0
    for step in steps:
        a, b = value_at(one, step), value_at(other, step)
        for track in [track for track in a if track in b]:
            for group, (x, y) in enumerate(zip(a[track], b[track], strict=True)):
                if x == y or (math.isnan(x) and math.isnan(y)):
                    continue
                first = found["first_step"]
                found["first_step"] = step if first is None else min(step, first)
                if found["largest"] is None or abs(x - y) > found["largest"]["difference"]:
                    found["largest"] = {
                        "difference": abs(x - y),
                        "step": step,
                        "track": track,
                        "group": group,
                        "values": [x, y],
                    }
    return found
