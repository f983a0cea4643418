"""Tracks on the param groups of a run: members that evaluate, and links that follow from them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lrkeeper.schedules.composable.links import in_order, read_links
from lrkeeper.schedules.composable.matching import matches
from lrkeeper.schedules.composable.members import Member
from lrkeeper.schedules.composable.track import BASE, Track
from lrkeeper.schedules.expressions import EvaluationError, Expression
from lrkeeper.schedules.numbers import Base, Real, Row, names_of
from lrkeeper.schedules.schedule import Schedule


@dataclass(frozen=True)
class Link:
    """A track's expression on the param groups that it rules."""

    place: int
    name: str
    expression: Expression
    groups: tuple[int, ...]
    scale: float


@dataclass(frozen=True)
class Bound:
    """A definition on certain param groups."""

    names: tuple[str, ...]
    members: tuple[Member | None, ...]
    """One for each track; None for a link."""
    links: tuple[Link, ...]
    """In the order in which they are evaluated."""
    bases: tuple[Mapping[str, float], ...]
    """For each group its base values as expressions name them: "base_lr"."""

    def columns(self, base: Row) -> dict[str, list[Real]]:
        """Return a row's columns before any track has written its groups: their base values."""
        return {name: list(base[name]) for name in self.names}

    def follow_links(self, columns: Mapping[str, list[Real]]) -> None:
        """Write into the columns what the links come to. Raises ValueError where one has no value."""
        for link in self.links:
            for group in link.groups:
                values = {name: float(column[group]) for name, column in columns.items()}
                try:
                    found = link.expression.evaluate({**values, **self.bases[group]})
                except EvaluationError as error:
                    raise ValueError(f"tracks[{link.place}].link in param group {group}: {error}") from None
                like = type(columns[link.name][group])
                value = like(found) * link.scale if link.scale != 1.0 else like(found)
                if not math.isfinite(value):
                    raise ValueError(f"tracks[{link.place}].link in param group {group} is {value}")
                columns[link.name][group] = value


def bind(
    tracks: Sequence[Track],
    base: Row,
    totals: Mapping[str, float],
    resolved: Callable[[Schedule], Schedule],
) -> Bound:
    """Return the definition on the param groups of a base row.

    Raises ValueError if the groups lack a hyperparameter, or two tracks rule one group.
    """
    names = tuple(dict.fromkeys(track.name for track in tracks))
    missing = [name for name in names if name not in base]
    if missing:
        raise ValueError(
            f"the definition moves {' and '.join(missing)}, and the param groups have {' and '.join(base)} only: a "
            "run keeps the hyperparameters that it began with"
        )
    ruled = matches(tracks, names_of(base))
    bases: list[dict[str, float]] = [
        {BASE + name: float(base[name][group]) for name in names} for group in range(len(base["lr"]))
    ]
    members: list[Member | None] = []
    for track, places in zip(tracks, ruled, strict=True):
        own = tuple(base[track.name][place] for place in places)
        if track.base is not None:
            own = tuple(type(value)(track.base) for value in own)
            for place in places:
                bases[place][BASE + track.name] = float(track.base)
        if track.schedule is None:
            members.append(None)
            continue
        members.append(
            Member(
                name=track.name,
                schedule=resolved(track.schedule),
                places=places,
                base=Base({"lr": own}, totals=totals),
                has_base=track.base is not None,
                scale=_scale(track),
            )
        )
    expressions = read_links(tracks)
    links = [
        Link(place, tracks[place].name, expressions[place], ruled[place], _scale(tracks[place]))
        for place in in_order(tracks, expressions)
    ]
    return Bound(names, tuple(members), tuple(links), tuple(bases))


def _scale(track: Track) -> float:
    return 1.0 if track.scale is None else track.scale
