"""The stages of a schedule, beside its values."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lrkeeper.cli.screen import table
from lrkeeper.cli.spans import Span, shown

if TYPE_CHECKING:
    from lrkeeper.schedules.outline import StageSpan


def within(stages: Sequence[StageSpan], first: int, end: int) -> list[StageSpan]:
    """Return the parts of stages that lie in the steps from `first` up to `end`."""
    cut = [
        stage._replace(first=max(stage.first, first), end=end if stage.end is None else min(stage.end, end))
        for stage in stages
    ]
    return [stage for stage in cut if stage.end is not None and stage.first < stage.end]


def corners(stages: Sequence[StageSpan]) -> list[int]:
    """Return the first and last steps of stages."""
    ends = [stage.end - 1 for stage in stages if stage.end is not None]
    return [*(stage.first for stage in stages), *ends]


def stage_table(stages: Sequence[StageSpan], spans: Sequence[Span]) -> None:
    """Print what each stage does: its steps, and the values at its first and last."""
    tracks = list(spans[0].values)
    columns = [f"{track} {place}" for track in tracks for place in ("at its start", "at its end")]
    rows = []
    for stage in stages:
        assert stage.end is not None
        start, last = value_at(spans, stage.first), value_at(spans, stage.end - 1)
        values = [shown(each[track], most=3) for track in tracks for each in (start, last)]
        rows.append((stage.label, str(stage.first), str(stage.end - 1), *values))
    table(("stage", "from step", "to step", *columns), rows)


def stage_forms(stages: Sequence[StageSpan], spans: Sequence[Span]) -> list[dict[str, Any]]:
    """Return what `stage_table` prints as JSON's types."""
    return [
        {
            "label": stage.label,
            "first_step": stage.first,
            "last_step": stage.end - 1,
            "start": dict(value_at(spans, stage.first)),
            "end": dict(value_at(spans, stage.end - 1)),
        }
        for stage in stages
        if stage.end is not None
    ]


def value_at(spans: Sequence[Span], step: int) -> Any:
    """Return the values at a step."""
    return spans[bisect_right(spans, step, key=lambda span: span.first) - 1].values
