"""Curves as a PNG or SVG file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lrkeeper.cli.spans import Span

if TYPE_CHECKING:
    from lrkeeper.schedules.outline import StageSpan

_INK, _QUIET, _GRID = "#1f2933", "#7b8794", "#e4e7eb"
_COLOURS = ("#2563eb", "#d97706", "#059669", "#db2777", "#7c3aed", "#475569")
_SHADES = ("#eff6ff", "#ffffff")
_NARROW = 0.06
_STYLE: Any = {
    "font.size": 10,
    "axes.edgecolor": _QUIET,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _QUIET,
    "ytick.color": _QUIET,
    "svg.hashsalt": "lrkeeper",
}

Command = TypeVar("Command", bound=Callable[..., Any])


def picture_options(command: Command) -> Command:
    """Give a command --png and --svg."""
    for kind in ("svg", "png"):
        command = click.option(
            f"--{kind}",
            kind,
            type=click.Path(dir_okay=False, writable=True),
            help=f"Write a picture to this {kind.upper()} file, too.",
        )(command)
    return command


def save(
    paths: Mapping[str, str | None],
    title: str,
    curves: Mapping[str, Sequence[Span]],
    stages: Sequence[StageSpan] = (),
    *,
    names: Sequence[str | None] = (),
) -> None:
    """Write curves by their names to files, a panel for each track; `paths` has them by the format.

    `names` are those of the param groups.

    Raises ClickException if matplotlib is missing, or a file cannot be written.
    """
    if not any(paths.values()):
        return
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise click.ClickException("pictures need matplotlib: pip install 'lrkeeper[plot]'") from None
    tracks = list(dict.fromkeys(track for spans in curves.values() for track in spans[0].values))
    with rc_context(_STYLE):
        figure = Figure(figsize=(9, 1.3 + 2.9 * len(tracks)), dpi=160, layout="constrained")
        axes: Any = [axis for (axis,) in figure.subplots(len(tracks), 1, sharex=True, squeeze=False)]
        figure.suptitle(title, x=0.015, ha="left", fontsize=13, fontweight="bold", parse_math=False)
        for place, (axis, track) in enumerate(zip(axes, tracks, strict=True)):
            _panel(axis, track, curves, names)
            _mark(axis, stages, shaded=track == "lr", labels=place == 0)
        figure.align_ylabels()
        axes[-1].set_xlabel("step")
        for kind, path in paths.items():
            if path:
                try:
                    figure.savefig(path, format=kind, metadata={"Date": None} if kind == "svg" else None)
                except OSError as error:
                    raise click.ClickException(f"{path}: {error.strerror}") from None


def _panel(axis: Any, track: str, curves: Mapping[str, Sequence[Span]], names: Sequence[str | None]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    lines = [
        line for name, spans in curves.items() for line in _lines(name, spans, track, names, len(curves) > 1)
    ]
    for (name, xs, ys), colour, style in zip(lines, _COLOURS, ("-", *["--"] * 5), strict=False):
        axis.plot(xs, ys, style if len(lines) > 1 else "-", color=colour, linewidth=2, label=name, zorder=3)
    axis.set_ylabel(track)
    axis.margins(x=0)
    low, high = axis.get_ylim()
    if all(y >= 0 for _, _, ys in lines for y in ys):
        axis.set_ylim(0 if low < high / 3 else low, high)
    axis.grid(axis="y", color=_GRID, zorder=0)
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(length=0)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.0f}"))
    axis.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:.4g}"))
    if len(lines) > 1:
        axis.legend(frameon=False, loc="best")


def _lines(
    name: str, spans: Sequence[Span], track: str, group_names: Sequence[str | None], named: bool
) -> list[tuple[str, list[int], list[float]]]:
    """Return the different curves of a track's param groups: name, xs, ys."""
    if track not in spans[0].values:
        return []
    curves: dict[tuple[float, ...], list[int]] = {}
    for group in range(len(spans[0].values[track])):
        curves.setdefault(tuple(span.values[track][group] for span in spans), []).append(group)
    found = []
    for values, groups in curves.items():
        called = [group_names[group] if group < len(group_names) else None for group in groups]
        which = (
            ", ".join(filter(None, called)) if all(called) else f"param group {', '.join(map(str, groups))}"
        )
        text = (name if len(curves) == 1 else f"{name}, {which}") if named else which
        corners = [
            (x, y) for span, y in zip(spans, values, strict=True) for x in sorted({span.first, span.last})
        ]
        found.append((text, [x for x, _ in corners], [y for _, y in corners]))
    return found


def _mark(axis: Any, stages: Sequence[StageSpan], *, shaded: bool, labels: bool) -> None:
    """Mark where stages begin, shade every other one, write their labels over the panel."""
    first, end = axis.get_xlim()
    free = first
    for place, stage in enumerate(stages):
        last = end if stage.end is None else min(stage.end, end)
        if shaded:
            axis.axvspan(stage.first, last, color=_SHADES[place % 2], zorder=0, linewidth=0)
        if stage.first > first:
            axis.axvline(stage.first, color=_QUIET, linewidth=0.8, linestyle=(0, (2, 3)), zorder=2)
        start = max(stage.first, free)
        if labels and start <= last:
            axis.annotate(
                stage.label,
                (start, 1),
                xycoords=("data", "axes fraction"),
                xytext=(4, 4),
                textcoords="offset points",
                fontsize=9,
                color=_QUIET,
                parse_math=False,
            )
            free = start + (end - first) * max(_NARROW, 0.013 * len(stage.label))
