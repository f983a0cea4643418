"""Curves drawn in characters, on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import plotille

from lrkeeper.cli.demo import plan

Curve: TypeAlias = Sequence[tuple[float, float]]

_PENS = (("green", None), ("magenta", "o"))
"""Colour and marker; a file has no colours."""

_COLUMNS = 50
_LINES_A_DECADE = 4


def draw(name: str, curves: Mapping[str, Curve]) -> str:
    """Return at most two curves of values above 0 over the epochs; coloured by escape sequences."""
    values = [math.log10(value) for curve in curves.values() for _, value in curve]
    low = math.floor(_LINES_A_DECADE * min(values) - 0.5)
    high = math.ceil(_LINES_A_DECADE * max(values) + 0.5)
    figure = plotille.Figure()
    figure.width, figure.height = _COLUMNS, high - low
    figure.origin = False
    figure.x_label, figure.y_label = "epoch", name
    figure.set_x_limits(0, plan.EPOCHS)
    figure.set_y_limits(low / _LINES_A_DECADE, high / _LINES_A_DECADE)
    figure.x_ticks_fkt = lambda value, _: f"{value:g}"
    figure.y_ticks_fkt = lambda value, _: _tick(float(value))
    legend = []
    for (label, curve), (colour, marker) in zip(curves.items(), _PENS, strict=False):
        heights = [math.log10(value) for _, value in curve]
        figure.plot([epoch for epoch, _ in curve], heights, lc=colour, marker=marker, label=label)
        legend.append(plotille.color(f"⠤⠤{marker or '⠤'}⠤⠤ {label}", fg=colour))
    lines = [line.rstrip() for line in figure.show().splitlines()]
    return "\n".join([*lines, " " * 13 + "    ".join(legend)])


def _tick(power: float) -> str:
    """Label the whole decades."""
    return f"{10 ** round(power):g}".rjust(10) if abs(power - round(power)) < 1e-9 else " " * 10
