"""The values that one hyperparameter of a definition has."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite

from lrkeeper.schedules import codec
from lrkeeper.schedules.composable.closed_form import ClosedForm, Scope
from lrkeeper.schedules.cursor import FAILURES, Cursor, begin, extend
from lrkeeper.schedules.numbers import Row
from lrkeeper.schedules.outline import Part
from lrkeeper.schedules.schedule import Schedule
from lrkeeper.v1 import schedule_pb2

_FARTHEST = 200_000


class Values:
    """Values at any time, where they can be known without a job; without the track's scale."""

    def __init__(self, part: Part, base: float) -> None:
        self.base = base
        self._part = part
        self._curve = self.curve(part.schedule)

    @property
    def known(self) -> bool:
        """Whether there are values at all that can be known without a job."""
        return self._curve is not None and self._curve(0.0) is not None

    def at(self, time: float) -> float | None:
        """Return the value at a time in the clock's unit, None where it is not known."""
        return self._curve(time) if self._curve is not None else None

    def curve(self, message: schedule_pb2.Schedule) -> Callable[[float], float | None] | None:
        """Return the curve of a definition over this base, None if there is none."""
        if message.WhichOneof("kind") is None:
            return None
        try:
            schedule = codec.decode(message)
            if not isinstance(schedule, ClosedForm) or not schedule.closed:
                return self._stepper(schedule)
            total = self._part.total
            unit = total.WhichOneof("unit") if total is not None else None
            amount = getattr(total, unit) if unit not in (None, "parameter") else None
            curve = schedule.compile(Scope(self.base, self.base, amount))
        except tuple(FAILURES.values()):  # a DefinitionError is a ValueError
            return None
        return lambda time: _number(lambda: curve(time))

    def _stepper(self, schedule: Schedule) -> Callable[[float], float | None]:
        base: Row = {"lr": (self.base,)}
        known: list[float] = []
        state: list[Cursor] = []

        def at(time: float) -> float | None:
            if not time.is_integer() or not 0 <= time <= _FARTHEST:
                return None
            if not state:
                state.append(begin(schedule, base, base))
                known.append(float(state[0].row["lr"][0]))
            state[0], rows, _ = extend(schedule, base, state[0], max(0, int(time) + 1 - len(known)))
            known.extend(float(row["lr"][0]) for row in rows)
            return known[int(time)] if time < len(known) else None

        return lambda time: _number(lambda: at(float(time)))


def _number(value: Callable[[], float | None]) -> float | None:
    try:
        found = value()
    except tuple(FAILURES.values()):
        return None
    return found if found is not None and isfinite(found) else None
