"""Which track rules which param group: the most specific one of its name."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from lrkeeper.schedules.composable.track import Track

Rank = tuple[int, int]


def unmatched(tracks: Sequence[Track], names: Sequence[str | None]) -> list[str]:
    """Return the patterns that no param group matches, where they are: misspelt names, mostly."""
    return [
        track.groups
        for track in tracks
        if track.groups and not any(_rank(track.groups, name, group) for group, name in enumerate(names))
    ]


def matches(tracks: Sequence[Track], names: Sequence[str | None]) -> list[tuple[int, ...]]:
    """Return the places of the param groups that each track rules. `names` are the groups'.

    Raises ValueError where two tracks are equally specific.
    """
    ruled: list[list[int]] = [[] for _ in tracks]
    by_name: dict[str, list[int]] = {}
    for place, track in enumerate(tracks):
        by_name.setdefault(track.name, []).append(place)
    for track_name, candidates in by_name.items():
        for group, name in enumerate(names):
            found = [(rank, c) for c in candidates if (rank := _rank(tracks[c].groups, name, group))]
            if not found:
                continue
            best = max(rank for rank, _ in found)
            first, *others = [c for rank, c in found if rank == best]
            if others:
                texts = " and ".join(repr(tracks[c].groups) for c in (first, *others))
                raise ValueError(
                    f"two tracks of {track_name} are equally specific on param group {group} ({name!r}): {texts}; "
                    "make one of them more specific"
                )
            ruled[first].append(group)
    return [tuple(places) for places in ruled]


def _rank(text: str, name: str | None, place: int) -> Rank | None:
    """Return how specific a track's text is on a param group; None where it does not match."""
    if not text:
        return 0, 0
    if text in (name, str(place)):
        return 2, 0
    if name is not None and any(c in text for c in "*?[") and fnmatchcase(name, text):
        return 1, len(text)
    return None
