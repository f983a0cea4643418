"""A curve drawn in the terminal."""

from __future__ import annotations

import math
import os
import sys
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from shutil import get_terminal_size
from typing import TYPE_CHECKING

import click

from lrkeeper.cli.scale import is_drawable, scale_of
from lrkeeper.cli.screen import plain
from lrkeeper.cli.spans import Span

if TYPE_CHECKING:
    from lrkeeper.schedules.outline import StageSpan

_MARGIN = 24  # what plotille writes left and right of the canvas
_LEFT = 13  # of it, what it writes left
_WIDEST = 100
_LETTERS = 20
_LEAST_LABEL = 3
_MOST_CURVES = 6
_MOST_POINTS = 1000


Line = tuple[Sequence[float], Sequence[float]]
"""The xs and ys of a curve's corners."""


def draw(
    spans: Iterable[Span], *, unit: str = "step", track: str = "lr", stages: Sequence[StageSpan] = ()
) -> None:
    """Print the curve of a track over consecutive spans; groups that are the same share one.

    `stages` are marked. Prints nothing where the output's encoding has not the characters, or there is no number
    to draw.
    """
    found = list(spans)
    found = found[:: 1 + len(found) // _MOST_POINTS] + found[-1:]
    curves = _curves(found, track)
    lines = {
        f"param group {', '.join(map(str, groups))}": stairs(found, values)
        for values, groups in curves.items()
    }
    draw_lines(lines, found[0].first, found[-1].last + 1, unit=unit, track=track, stages=stages)


def draw_lines(
    lines: Mapping[str, Line],
    first: int,
    end: int,
    *,
    unit: str = "step",
    track: str = "lr",
    stages: Sequence[StageSpan] = (),
    letters: bool = False,
) -> None:
    """Print curves by their names, from a step up to another one; with `letters` each curve has its own."""
    import plotille

    drawable = [y for _, ys in lines.values() for y in ys if is_drawable(y)]
    if not drawable or "utf" not in (getattr(sys.stdout, "encoding", None) or "").lower():
        return
    scale = scale_of(drawable)
    figure = plotille.Figure()
    figure.width = 10 * max(2, (min(get_terminal_size().columns, _WIDEST + _MARGIN) - _MARGIN) // 10)
    figure.height = scale.height
    figure.color_mode = "names"
    figure.with_colors = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    figure.x_label, figure.y_label = unit, f"{track}, log" if scale.log else track
    figure.register_label_formatter(float, scale.label)
    ticks = figure.width // 10
    width = ticks * math.ceil((end - first) / ticks)
    figure.set_x_limits(first, first + width)
    figure.set_y_limits(scale.low, scale.high)
    for place, (name, (xs, ys)) in enumerate(list(lines.items())[:_MOST_CURVES]):
        heights = [scale.place(y) for y in ys]
        figure.plot(xs, heights, label=name)
        if letters:
            at = [first + (end - first) * (2 * i + place) // (2 * _LETTERS) for i in range(_LETTERS)]
            places = [max(0, bisect_right(xs, x) - 1) for x in at]
            figure.scatter(at, [heights[i] for i in places], marker="AB"[place])
    for stage in stages:
        if first < stage.first < end:
            figure.axvline((stage.first - first) / width)
    legend = len(lines) > 1 and figure.with_colors
    text = figure.show(legend=legend)
    if stages:
        top, _, rest = text.partition("\n")
        text = f"{top}\n{' ' * _LEFT}{_labels(stages, first, width, figure.width)}\n{rest}"
    click.echo(f"\n{text}\n")
    if len(lines) > _MOST_CURVES:
        click.echo(f"({len(lines) - _MOST_CURVES} more curves are not drawn)")


def _labels(stages: Sequence[StageSpan], first: int, steps: int, width: int) -> str:
    """Return the stages' labels, each where its stage begins, as far as there is room."""
    starts = [max(0, stage.first - first) * width // steps for stage in stages]
    text = ""
    for stage, start, later in zip(stages, starts, [*starts[1:], width], strict=True):
        room = later - max(start, len(text)) - 1
        label = plain(stage.label)
        if room >= min(_LEAST_LABEL, len(label)):
            text = text.ljust(start) + (label if len(label) <= room else f"{label[: room - 1]}…") + " "
    return text.rstrip()


def _curves(spans: Sequence[Span], track: str) -> dict[tuple[float, ...], list[int]]:
    """Return each different curve's values, one a span, and the param groups that have it.

    A group that was added later has nan before.
    """
    curves: dict[tuple[float, ...], list[int]] = {}
    for group in range(max(len(span.values[track]) for span in spans)):
        values = tuple(
            span.values[track][group] if group < len(span.values[track]) else math.nan for span in spans
        )
        curves.setdefault(values, []).append(group)
    return curves


def stairs(spans: Sequence[Span], values: Sequence[float]) -> tuple[list[float], list[float]]:
    """Return the corners of a curve whose value holds until the next step."""
    xs: list[float] = []
    ys: list[float] = []
    ends = [*(span.first for span in spans[1:]), spans[-1].last + 1]
    for span, end, value in zip(spans, ends, values, strict=True):
        if is_drawable(value):
            xs += [span.first, end]
            ys += [value, value]
    return xs, ys
