"""What the tests of the composable kinds share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from lrkeeper import schedules as S
from lrkeeper.schedules import Schedule, codec, cursor
from lrkeeper.schedules.composable.closed_form import ClosedForm, Scope, found_in
from lrkeeper.schedules.shape import DefinitionError

BASE = 0.1


def values(schedule: Schedule, steps: Iterable[float], base: float = BASE, **scope: Any) -> list[float]:
    """Return the values of a schedule in closed form at any times."""
    closed = schedule
    assert isinstance(closed, ClosedForm)
    curve = closed.compile(Scope(**{"base": base, "before": base, "axis": closed.axis} | scope))
    return [curve(step) for step in steps]


def evaluated(schedule: Schedule, steps: int, base: float = BASE) -> list[float]:
    """Return the first values, from step to step."""
    row = {"lr": (base,)}
    at = cursor.begin(schedule, row, row)
    found = [at.row["lr"][0]]
    for _ in range(steps - 1):
        at = cursor.Cursor.from_json(at.to_json(row), row)
        at, rows, failure = cursor.extend(schedule, row, at, 1)
        assert failure is None, failure
        found.append(rows[0]["lr"][0])
    return found


def approx(expected: Iterable[float]) -> Any:
    """Return what compares equal to the same numbers but for the last bits."""
    return pytest.approx(list(expected), rel=1e-13, abs=0.0)


def survives(schedule: Schedule) -> bool:
    """Return whether a definition comes back from its JSON, and from its message if it is whole."""
    stored = codec.from_json(codec.to_json(schedule))
    if any(span.fraction is not None for span in found_in(schedule, S.Span)):
        return stored == schedule
    return stored == codec.decode(codec.encode(schedule)) == schedule


def refused(written: Any) -> str:
    """Return what a written definition is refused with."""
    with pytest.raises(DefinitionError) as refusal:
        codec.from_dict(written)
    return str(refusal.value)
