"""What several hyperparameters do, in all param groups or in some."""

from __future__ import annotations

from collections import abc
from collections.abc import Callable
from typing import Any

from lrkeeper.schedules.composable.bound import Bound, bind
from lrkeeper.schedules.composable.closed_form import with_total
from lrkeeper.schedules.composable.links import in_order, read_links
from lrkeeper.schedules.composable.members import Member, Values
from lrkeeper.schedules.composable.parameters import check_parameters, defaults_fill, filled, has_parameters
from lrkeeper.schedules.composable.parts import Span, span
from lrkeeper.schedules.composable.track import Parameter, Track, check_tracks
from lrkeeper.schedules.given import NO_INPUTS, Inputs
from lrkeeper.schedules.numbers import Real, Row
from lrkeeper.schedules.schedule import Memory, Schedule, definition

_MOST = 256


@definition("tracks")
class Tracks(Schedule):
    """A schedule of several hyperparameters, each with a schedule of its own in all param groups or in some.

    A track's schedule sees one hyperparameter, as the lr, in the groups it rules, so any schedule may be one; of
    a torch class that moves the momentum too, only the lr counts. Of a name's tracks the most specific rules a
    group: an exact name or index, then the longer pattern, then the shorter, then the one for all. A group that
    none of them matches keeps its base value.

    Args:
        tracks: at least one.
        total: what fractions in the tracks' schedules are of, and `total` in their expressions.
        parameters: numbers that a run gives; levels, spans and base values name them.

    Raises:
        TypeError, ValueError: a field is of another type or out of its range, a link has an unknown name, or
            links go in a circle.
    """

    tracks: abc.Sequence[Track]
    total: Span | None = None
    parameters: abc.Sequence[Parameter] = ()

    outermost = True

    def check(self) -> None:
        object.__setattr__(self, "tracks", tuple(self.tracks))
        object.__setattr__(self, "parameters", tuple(self.parameters))
        for field, least in (("tracks", 1), ("parameters", 0)):
            count = len(getattr(self, field))
            if not least <= count <= _MOST:
                raise ValueError(f"Tracks: {field} has {count} entries; it must have from {least} to {_MOST}")
        check_tracks(self.tracks)
        in_order(self.tracks, read_links(self.tracks))
        if self.total is not None:
            object.__setattr__(self, "total", span("Tracks", "total", self.total, above=0))
            if self.total.fraction is not None:
                raise ValueError(
                    "Tracks: total is a fraction; it must be a number of steps, or of what is counted"
                )
        check_parameters(self)

    def check_within(self, totals: abc.Mapping[str, float]) -> None:
        if has_parameters(self):
            if defaults_fill(self):
                filled(self, {}).check_whole()
            return
        for place, track in enumerate(self.tracks):
            if track.schedule is None:
                continue
            try:
                self.resolved(track.schedule).check_within(self.totals)
            except (ValueError, ArithmeticError) as error:
                raise ValueError(f"tracks[{place}].schedule: {error}") from error

    @property
    def moves(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(["lr", *(track.name for track in self.tracks)]))

    @property
    def closed(self) -> bool:
        return all(track.schedule is None or track.schedule.closed for track in self.tracks)

    @property
    def totals(self) -> dict[str, float]:
        """The total by what it counts."""
        return {} if self.total is None else {self.total.unit: float(self.total.amount)}

    def resolved(self, schedule: Schedule) -> Schedule:
        """Return a track's schedule with its fractions as parts of the total."""
        return schedule if self.total is None else with_total(schedule, self.total)

    # The memory is a list of the tracks' memories; a link has none.

    def start(self, base: Row, now: Row, inputs: Inputs = NO_INPUTS) -> tuple[Memory, Row]:
        found = self._each(base, now, lambda _, member: member.start(now, inputs))
        assert found is not None
        return found

    def advance(self, memory: Any, base: Row, now: Row, inputs: Inputs) -> tuple[Memory, Row]:
        found = self._each(base, now, lambda place, member: member.advance(memory[place], now, inputs))
        assert found is not None
        return found

    def at(self, step: int, base: Row, now: Row) -> tuple[Memory, Row] | None:
        return self._each(base, now, lambda _, member: member.at(step, now))

    def ahead(self, step: int, count: int, base: Row, now: Row) -> tuple[Memory, list[Row]] | None:
        bound = self._bound(base)
        if bound.links:
            return None
        memories: list[Memory] = []
        columns: dict[str, list[abc.Sequence[Real]]] = {
            name: [(value,) * count for value in values] for name, values in bound.columns(base).items()
        }
        for member in bound.members:
            assert member is not None  # only a link has none
            found = member.ahead(step, count, now)
            if found is None:
                return None
            memories.append(found[0])
            for group, values in zip(member.places, zip(*found[1], strict=True), strict=True):
                columns[member.name][group] = values
        by_step = [zip(*groups, strict=True) for groups in columns.values()]
        names = tuple(columns)
        return memories, [
            {**now, **dict(zip(names, values, strict=True))} for values in zip(*by_step, strict=True)
        ]

    def _each(
        self, base: Row, now: Row, move: Callable[[int, Member], tuple[Memory, Values] | None]
    ) -> tuple[Memory, Row] | None:
        bound = self._bound(base)
        memories: list[Memory] = []
        columns = bound.columns(base)
        for place, member in enumerate(bound.members):
            if member is None:
                memories.append(None)
                continue
            found = move(place, member)
            if found is None:
                return None
            memories.append(found[0])
            for group, value in zip(member.places, found[1], strict=True):
                columns[member.name][group] = value
        bound.follow_links(columns)
        return memories, {**now, **{name: tuple(values) for name, values in columns.items()}}

    def _bound(self, base: Row) -> Bound:
        """Return the definition on these param groups; kept for the base row last asked with."""
        kept = self.__dict__.get("_kept")
        if kept is not None and kept[0] is base:
            bound: Bound = kept[1]
            return bound
        found = bind(self.tracks, base, self.totals, self.resolved)
        self.__dict__["_kept"] = base, found
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_kept"}
