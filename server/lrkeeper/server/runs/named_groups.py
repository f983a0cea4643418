"""Param groups that a definition names: an edit would do nothing to one that the run does not have."""

from __future__ import annotations

from collections.abc import Sequence

from lrkeeper.errors import InvalidArgument
from lrkeeper.schedules import Schedule
from lrkeeper.schedules.composable.matching import unmatched
from lrkeeper.schedules.composable.tracks import Tracks
from lrkeeper.server.runs.records import ParamGroup


def check_named_groups(schedule: Schedule, groups: Sequence[ParamGroup], run: str) -> None:
    """Raise InvalidArgument where a track is for no param group of the run."""
    if not isinstance(schedule, Tracks):
        return
    names = [group.name for group in groups]
    missing = unmatched(schedule.tracks, names)
    if missing:
        there = ", ".join(repr(name) if name else str(place) for place, name in enumerate(names))
        raise InvalidArgument(
            f"replace.schedule has a track for the groups {missing[0]!r}, and no param group of run {run!r} is one: "
            f"there are {there}",
            field="replace.schedule",
        )
