"""What Product, Affine and Pick share: the values of members at a time, made one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from lrkeeper.schedules.composable.closed_form import ClosedForm, Curve, Scope, compiled, finite, is_closed
from lrkeeper.schedules.given import NO_INPUTS, Inputs
from lrkeeper.schedules.numbers import Base, Row, cast_row, totals_of, with_added
from lrkeeper.schedules.schedule import Memory, Schedule, all_tracks

Join: TypeAlias = Callable[[Sequence[float]], float]


class Pointwise(ClosedForm):
    """Members that each go their own way, and one value of theirs at each time.

    Only the lr is made one; what else a torch class moves ("momentum") is that of the last member that moves it. With a
    torch class among them the memory is a list of each member's memory and its row; members in closed
    form have no row there.
    """

    @property
    @abstractmethod
    def members(self) -> Sequence[Schedule]:
        """The members."""

    @abstractmethod
    def join(self, scope: Scope) -> Join:
        """Return what makes one value of the members'."""

    def inner(self, scope: Scope) -> Scope:
        """Return the scope of the members."""
        return scope

    @property
    def moves(self) -> tuple[str, ...]:
        return all_tracks(self.members)

    @property
    def closed(self) -> bool:
        return all(is_closed(member) for member in self.members)

    def check_within(self, totals: Mapping[str, float]) -> None:
        super().check_within(totals)
        if not self.closed:
            self.join(Scope(1.0, 1.0))
            for member in self.members:
                member.check_within(totals)

    def compile(self, scope: Scope) -> Curve:
        join, inner = self.join(scope), self.inner(scope)
        curves = [compiled(member, inner) for member in self.members]
        if len(curves) == 1:
            (curve,) = curves
            return lambda time: join((curve(time),))
        return lambda time: join([curve(time) for curve in curves])

    def start(self, base: Row, now: Row, inputs: Inputs = NO_INPUTS) -> tuple[Memory, Row]:
        if self.closed:
            return super().start(base, now, inputs)
        inner, _ = self._prepared(base)
        first = inner if now is base else self._inner_row(now)
        return self._joined(0, base, now, [member.start(inner, first, inputs) for member in self.members])

    def advance(self, memory: Any, base: Row, now: Row, inputs: Inputs) -> tuple[Memory, Row]:
        if self.closed:
            return super().advance(memory, base, now, inputs)
        step, each = memory
        inner, _ = self._prepared(base)
        found = [
            member.advance(own, inner, inner if row is None else with_added(row, inner), inputs)
            for member, (own, row) in zip(self.members, each, strict=True)
        ]
        return self._joined(step + 1, base, now, found)

    def _joined(
        self, step: int, base: Row, now: Row, found: Sequence[tuple[Memory, Row]]
    ) -> tuple[Memory, Row]:
        _, joins = self._prepared(base)
        lrs = tuple(
            finite(type(like)(join([float(row["lr"][place]) for _, row in found])), step)
            for place, (like, join) in enumerate(zip(now["lr"], joins, strict=True))
        )
        moved: dict[str, tuple[float, ...]] = {}
        for member, (_, row) in zip(self.members, found, strict=True):
            moved |= {track: row[track] for track in member.moves if track != "lr"}
        memory = [
            [own, None if is_closed(member) else {track: list(values) for track, values in row.items()}]
            for member, (own, row) in zip(self.members, found, strict=True)
        ]
        rows = {**now, **moved}
        return [step, memory], {**cast_row({track: rows[track] for track in now}, now), "lr": lrs}

    def _prepared(self, base: Row) -> tuple[Row, list[Join]]:
        """Return the members' base values, and a join for each param group; kept for the base row last asked with."""
        kept = self.__dict__.get("_kept")
        if kept is None or kept[0] is not base:
            joins = [self.join(Scope(float(b), float(b))) for b in base["lr"]]
            inner = Base(self._inner_row(base), totals=totals_of(base))
            kept = self.__dict__["_kept"] = base, (inner, joins)
        return cast(tuple[Row, list[Join]], kept[1])

    def _inner_row(self, row: Row) -> Row:
        """Return a row as the members have it: in Python floats."""
        floats = {track: tuple(map(float, values)) for track, values in row.items()}
        return {**floats, "lr": tuple(self.inner(Scope(value, value)).base for value in floats["lr"])}
