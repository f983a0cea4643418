"""Definitions of several hyperparameters as tables: which track rules which param group, and their parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lrkeeper.cli.forms import definition_text
from lrkeeper.cli.screen import say, table

if TYPE_CHECKING:
    from lrkeeper.schedules import Schedule
    from lrkeeper.schedules.composable.resolved import Resolved
    from lrkeeper.schedules.numbers import Row


def put_resolved(schedule: Schedule, names: Sequence[str | None], base: Row | None = None) -> None:
    """Print which track rules which param group; nothing for another schedule than tracks."""
    from lrkeeper.schedules import Tracks
    from lrkeeper.schedules.composable.matching import unmatched
    from lrkeeper.schedules.composable.resolved import resolved

    if not isinstance(schedule, Tracks) or not names:
        return
    try:
        rows = resolved(schedule, names, base)
    except ValueError as error:
        say(str(error))
        return
    table(("param group", "track", "base", "scale", "follows"), map(_row, rows))
    for text in unmatched(schedule.tracks, names):
        say(f"no param group is {text!r}, for which there is a track")


def put_parameters(schedule: Schedule) -> None:
    """Print the numbers that a run may give to a definition; nothing if there are none."""
    from lrkeeper.schedules.composable.parameters import declared_in

    declared = declared_in(schedule).values()
    if declared:
        table(
            ("parameter", "default", "meaning"),
            ((p.name, "-" if p.value is None else f"{p.value:g}", p.description or "") for p in declared),
        )


def _row(row: Resolved) -> tuple[str, ...]:
    group = f"{row.group}" if row.name is None else f"{row.group} {row.name}"
    base = "its own" if row.base is None else repr(row.base)
    if row.rule is None:
        return group, row.track, base, "-", "nothing: the base value stays"
    rule = row.rule if isinstance(row.rule, str) else definition_text(row.rule)
    return group, row.track, base, f"{row.scale:g}", rule
