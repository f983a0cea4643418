"""What a schedule of several hyperparameters is made of: tracks, and parameters that a run gives."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from lrkeeper.schedules import checks
from lrkeeper.schedules.schedule import Schedule

BASE = "base_"
"""What stands before a track's name for its base value, in links."""

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


@dataclass(frozen=True)
class Track:
    """What one hyperparameter does, in all param groups or in some.

    Args:
        schedule: what it follows; or `link`.
        name: "lr", "momentum" (or the first of the betas), "beta2" (the second), or any number that the param
            groups have, by its key.
        link: an expression of the group's other tracks: "0.1 * lr / base_lr".
        base: the base value; the param group's own if None.
        scale: what the result is multiplied by; 1 if None.
        group: which param groups: a name, an index, or a pattern such as "encoder.*"; all if None or empty. The
            most specific track of a name rules a group.
        base_parameter: instead of `base`, the parameter that is the base value, or an expression of several.
    """

    schedule: Schedule | None = None
    name: str = "lr"
    link: str | None = None
    base: float | None = None
    scale: float | None = None
    group: str | None = None
    base_parameter: str | None = None

    @property
    def groups(self) -> str:
        """Which param groups; empty: all."""
        return self.group or ""

    def check(self, where: str) -> None:
        """Raise TypeError or ValueError, naming the field by its path."""
        check_word(f"{where}.name", self.name)
        if (self.schedule is None) == (self.link is None):
            given = "nothing" if self.schedule is None else "schedule and link"
            raise ValueError(f"Tracks: {where} has {given}; give one of schedule, link")
        if self.schedule is not None and not isinstance(self.schedule, Schedule):
            raise TypeError(f"Tracks: {where}.schedule is {self.schedule!r}; use a schedule")
        for field in ("base", "scale"):
            if getattr(self, field) is not None:
                checks.number("Tracks", f"{where}.{field}", getattr(self, field), "a finite number")
        for field in ("link", "group", "base_parameter"):
            if not isinstance(getattr(self, field), str | None):
                raise TypeError(f"Tracks: {where}.{field} is {getattr(self, field)!r}; it must be a text")
        if self.base is not None and self.base_parameter is not None:
            raise ValueError(f"Tracks: {where} has base and base_parameter; give one of them")


@dataclass(frozen=True)
class Parameter:
    """A number that a run may give to a definition.

    Args:
        name: letters, digits and "_".
        value: what it is where the run does not say; if None, the run must say.
        description: what it means, for people.
    """

    name: str
    value: float | None = None
    description: str | None = None

    def check(self, where: str) -> None:
        """Raise TypeError or ValueError, naming the field by its path."""
        check_word(f"{where}.name", self.name)
        if self.value is not None:
            checks.number("Tracks", f"{where}.value", self.value, "a finite number")


def check_tracks(tracks: Sequence[Any]) -> None:
    """Check a definition's tracks, each alone and beside the others. Raises TypeError or ValueError."""
    names = {track.name for track in tracks if isinstance(track, Track)}
    for place, track in enumerate(tracks):
        where = f"tracks[{place}]"
        if not isinstance(track, Track):
            raise TypeError(f"Tracks: {where} is {track!r}; use a Track")
        track.check(where)
        if track.name.removeprefix(BASE) in names - {track.name}:
            raise ValueError(f"Tracks: {where}.name is {track.name!r}, which means a base value; use another")
        for other, earlier in enumerate(tracks[:place]):
            if (earlier.name, earlier.groups) == (track.name, track.groups):
                what = f"the groups {track.groups!r}" if track.groups else "all groups"
                raise ValueError(
                    f"Tracks: {where} and tracks[{other}] are both of {track.name} in {what}; there must be one"
                )


def check_word(where: str, value: Any) -> None:
    """Check a name that expressions may use."""
    if not isinstance(value, str):
        raise TypeError(f"Tracks: {where} is {value!r}; it must be a word")
    if not _WORD.fullmatch(value):
        raise ValueError(
            f'Tracks: {where} is {value!r}; it must be of letters, digits and "_", not begin with a digit, and '
            "have at most 64"
        )
