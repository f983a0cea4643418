"""Tracks that follow from other tracks: their expressions, and the order in which they are evaluated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lrkeeper.schedules.composable.track import BASE, Track
from lrkeeper.schedules.expressions import Expression, ExpressionError, parse


def read_links(tracks: Sequence[Track]) -> dict[int, Expression]:
    """Return the expressions of the tracks that have one, by their places. Raises ValueError with the path."""
    names = {track.name for track in tracks}
    known = frozenset(names | {BASE + name for name in names})
    found = {}
    for place, track in enumerate(tracks):
        if track.link is not None:
            try:
                found[place] = parse(track.link, known)
            except ExpressionError as error:
                raise ValueError(f"Tracks: tracks[{place}].link is {track.link!r}: {error}") from error
    return found


def in_order(tracks: Sequence[Track], links: Mapping[int, Expression]) -> list[int]:
    """Return the places of the links, each after those it needs.

    A name needs what any link of it needs, whichever param groups that is for. Raises ValueError for a cycle.
    """
    names = {track.name for track in tracks}
    needs: dict[str, set[str]] = {}
    for place, expression in links.items():
        needs.setdefault(tracks[place].name, set()).update(expression.names & names)
    order: list[str] = []
    for name in sorted(needs):
        _visit(name, needs, order, ())
    return sorted(links, key=lambda place: (order.index(tracks[place].name), place))


def _visit(name: str, needs: Mapping[str, Iterable[str]], order: list[str], path: tuple[str, ...]) -> None:
    if name in path:
        cycle = " → ".join((*path[path.index(name) :], name))
        raise ValueError(f"Tracks: the links go in a circle: {cycle}; one of them must be a schedule")
    if name in needs and name not in order:
        for other in sorted(needs[name]):
            _visit(other, needs, order, (*path, name))
        order.append(name)
