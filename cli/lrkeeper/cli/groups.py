"""The param groups of a preview."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from lrkeeper.schedules.numbers import Base
    from lrkeeper.views import Group


def groups_of(
    base_lrs: tuple[float, ...], names: tuple[str | None, ...], bases: dict[str, float]
) -> tuple[Group, ...]:
    """Return the param groups that the options mean; one lr is for all of them."""
    from lrkeeper.views import Group

    count = max(len(base_lrs), len(names))
    lrs = base_lrs * count if len(base_lrs) == 1 else base_lrs
    if len(lrs) != count or len(names or lrs) != count:
        text = f"{len(base_lrs)} are given for {len(names)} param groups; give one for each, or one for all"
        raise click.BadParameter(text, param_hint="--lr")
    values = [{**bases, "lr": lr} for lr in lrs]
    return tuple(
        Group(name, "float64", row, row) for name, row in zip(names or (None,) * count, values, strict=True)
    )


def base_of(groups: Sequence[Group], moves: Iterable[str] = ()) -> Base:
    """Return the groups' base row, as a server has it; 1 for a track that moves and that they do not have."""
    from lrkeeper.schedules.numbers import Base

    tracks = sorted({*groups[0].initial, *moves})
    values = {track: tuple(group.initial.get(track, 1.0) for group in groups) for track in tracks}
    return Base(values, [group.name for group in groups])
