"""A definition of tracks on certain param groups: what each track evaluates, and where."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Base, Real, Row
from lrkeeper.schedules.schedule import Memory, Schedule

Values: TypeAlias = tuple[Real, ...]
Move: TypeAlias = Callable[[Row], tuple[Memory, Row]]


@dataclass(frozen=True)
class Member:
    """A track's schedule on the param groups that it rules; it sees rows of one track, "lr".

    What a schedule goes on from is its own value, before it is scaled. Where that does not follow from the row
    (a torch class, and a scale) the memory is `{"memory": …, "values": [one for each group]}`.
    """

    name: str
    schedule: Schedule
    places: tuple[int, ...]
    base: Base
    has_base: bool
    """Whether the base is the track's, not the groups'."""
    scale: float

    def start(self, now: Row, inputs: Inputs) -> tuple[Memory, Values]:
        """Return the memory and the groups' values at step 0."""
        held = self.base if self.has_base else {"lr": self._held(now)}
        return self._scaled(*self.schedule.start(self.base, held, inputs))

    def advance(self, memory: Memory, now: Row, inputs: Inputs) -> tuple[Memory, Values]:
        """Return the memory and the groups' values at the next step."""
        memory, values = self._own(memory, self._held(now))
        return self._scaled(*self.schedule.advance(memory, self.base, {"lr": values}, inputs))

    def at(self, step: int, now: Row) -> tuple[Memory, Values] | None:
        """Return the memory and the groups' values at any step; None where only the steps before lead there."""
        held: Row = {"lr": self._held(now)}
        found = self.schedule.at(step, self.base, held)
        if found is None or found[1] is held:
            return found and (found[0], held["lr"])
        return self._scaled(*found)

    def ahead(self, step: int, count: int, now: Row) -> tuple[Memory, list[Values]] | None:
        """Return the memory at the last and the groups' values at the steps after a step; None as `at`."""
        found = self.schedule.ahead(step, count, self.base, {"lr": self._held(now)})
        if found is None:
            return None
        return found[0], [self._scaled(None, row)[1] for row in found[1]]

    def _held(self, now: Row) -> Values:
        return tuple(now[self.name][place] for place in self.places)

    @property
    def _keeps(self) -> bool:
        return self.scale != 1.0 and not self.schedule.closed

    def _scaled(self, memory: Memory, row: Row) -> tuple[Memory, Values]:
        values = row["lr"]
        if self.scale == 1.0:
            return memory, values
        scaled = tuple(value * self.scale for value in values)
        if not all(map(math.isfinite, scaled)):
            raise ValueError(
                f"{self.name} times its scale is {max(scaled, key=abs)}, which is no finite number"
            )
        if not self._keeps:
            return memory, scaled
        return {"memory": memory, "values": [float(value) for value in values]}, scaled

    def _own(self, memory: Any, held: Values) -> tuple[Memory, Values]:
        """Return the schedule's own memory and values; another hand may have written the groups, or added some."""
        if not self._keeps:
            return memory, held
        kept: Sequence[float] = memory["values"]
        values = []
        for place, now in enumerate(held):
            own = type(now)(kept[place]) if place < len(kept) else self.base["lr"][place]
            if self.scale != 0.0 and own * self.scale != now:
                own = type(now)(now / self.scale)
            values.append(own)
        return memory["memory"], tuple(values)
