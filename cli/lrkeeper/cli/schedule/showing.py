"""A schedule's values on the screen."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from lrkeeper.cli import schedule_files
from lrkeeper.cli.curve import draw
from lrkeeper.cli.forms import definition, definition_text, failure_text, yaml_text
from lrkeeper.cli.groups import base_of
from lrkeeper.cli.options import connect
from lrkeeper.cli.screen import say, table
from lrkeeper.cli.spans import Span, shown
from lrkeeper.cli.stages import stage_table
from lrkeeper.cli.tracks import put_resolved

if TYPE_CHECKING:
    from lrkeeper.schedules import Schedule
    from lrkeeper.schedules.cursor import Failure
    from lrkeeper.schedules.outline import StageSpan
    from lrkeeper.views import Group

_LONG = 200
_SOME = 20


@dataclass(frozen=True)
class Shown:
    """A schedule's values over some steps, and why there are no more, if so."""

    schedule: Schedule
    spans: Sequence[Span]
    stages: Sequence[StageSpan]
    failure: Failure | None = None
    sampled: bool = False
    """Whether a span has the value of its first step alone."""


def read_schedule(name: str, server: str | None) -> Schedule:
    """Return the schedule of a file, or a stored one."""
    if schedule_files.is_file(name):
        return schedule_files.read(name).schedule
    with connect(server) as client:
        return client.get_schedule(name).schedule


def tell(found: Shown, groups: tuple[Group, ...], *, verbose: bool = False) -> None:
    """Print the curves, the stages and the values, and what rules which of the groups."""
    if verbose:
        click.echo(yaml_text(definition(found.schedule)), nl=False)
    else:
        say(definition_text(found.schedule))
    put_resolved(found.schedule, [group.name for group in groups], base_of(groups))
    tracks = list(found.spans[0].values)
    for track in tracks:
        changes = any(span.values[track] != found.spans[0].values[track] for span in found.spans)
        if track == "lr" or changes:
            draw(found.spans, track=track, stages=found.stages)
    if found.stages:
        stage_table(found.stages, found.spans)
        say("")
    some = found.spans if len(found.spans) <= _LONG else _some(found.spans)
    rows = ((str(s.first) if found.sampled else s.steps, s) for s in some)
    table(("steps", *tracks), ((steps, *(shown(s.values[track]) for track in tracks)) for steps, s in rows))
    if len(some) < len(found.spans):
        say(f"({len(some)} of the steps; --json has more)")
    if found.failure is not None:
        failure = found.failure
        say(failure_text(failure) + f" ({failure.message})")
    elif len(found.spans) == 1:
        say("the value does not change in these steps; --steps and --first-step show others")


def _some(spans: Sequence[Span]) -> list[Span]:
    """Return the spans of some steps, evenly apart, with the first and the last."""
    first, last = spans[0].first, spans[-1].last
    places = [
        bisect_right(spans, min(last, first + (last + 1 - first) * i // _SOME), key=_first) - 1
        for i in range(_SOME + 1)
    ]
    return [spans[place] for place in dict.fromkeys(places)]


def _first(span: Span) -> int:
    return span.first
