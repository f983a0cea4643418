"""Which track rules which hyperparameter of which param group, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lrkeeper.schedules.composable.matching import matches
from lrkeeper.schedules.composable.tracks import Tracks
from lrkeeper.schedules.numbers import Row
from lrkeeper.schedules.schedule import Schedule


@dataclass(frozen=True)
class Resolved:
    """One hyperparameter of one param group.

    `rule` is a schedule, or the text of a link; None where no track matches and the base value stays. `base` is None
    where it is the group's own and not known.
    """

    group: int
    name: str | None
    track: str
    base: float | None
    scale: float
    rule: Schedule | str | None


def resolved(schedule: Tracks, names: Sequence[str | None], base: Row | None = None) -> list[Resolved]:
    """Return what each param group has, in the groups' order and within it in the tracks'.

    `names` are the groups', `base` their own base values where they are known. Raises ValueError where two tracks
    are equally specific.
    """
    ruling = {
        (group, track.name): track
        for track, groups in zip(schedule.tracks, matches(schedule.tracks, names), strict=True)
        for group in groups
    }
    found = []
    for group, name in enumerate(names):
        for track_name in dict.fromkeys(track.name for track in schedule.tracks):
            own = float(base[track_name][group]) if base is not None and track_name in base else None
            track = ruling.get((group, track_name))
            if track is None:
                found.append(Resolved(group, name, track_name, own, 1.0, None))
                continue
            found.append(
                Resolved(
                    group,
                    name,
                    track_name,
                    own if track.base is None else track.base,
                    1.0 if track.scale is None else track.scale,
                    track.schedule or track.link,
                )
            )
    return found
