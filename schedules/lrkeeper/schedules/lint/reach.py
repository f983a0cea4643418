"""Traps over the whole range: values below 0, and times that have none."""

from __future__ import annotations

from collections.abc import Iterator
from math import floor

from lrkeeper.schedules.lint.finding import Finding
from lrkeeper.schedules.lint.texts import text
from lrkeeper.schedules.lint.whole import Whole

_FORMULAS = ("expression", "repeat", "product", "affine", "pick", "power", "decay")
_LOOKS = 1000


def leaves_the_numbers(whole: Whole) -> Iterator[Finding]:
    """A hyperparameter that falls below 0, or a formula without a value, at some time that a run gets to."""
    for part in whole.parts:
        values, horizon = whole.values(part), whole.horizon(part)
        unit, last = horizon or ("steps", float(_LOOKS))
        formula = any(node.part is part and node.kind in _FORMULAS for node in whole.nodes())
        every = max(1, floor(last) // _LOOKS)
        below = missing = None
        for time in range(0, floor(last), every):
            value = values.at(float(time))
            if value is None:
                missing = time if missing is None and formula and values.known else missing
            elif value < 0 and below is None:
                below = time
        if below is not None:
            yield Finding(
                part.path,
                f"{part.name or 'the lr'} is below 0 at {text(unit, float(below))}: {values.at(float(below)):.6g}",
                "an end of 0 or more, or affine: {low: 0, schedule: ...}",
            )
        if missing is not None:
            yield Finding(
                part.path,
                f"has no value at {text(unit, float(missing))}: a run would end there",
                "a formula that has one at every time, as with max(1, step - 500) below a fraction",
            )
