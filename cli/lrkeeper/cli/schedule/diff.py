"""`lrkeeper schedule diff`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import click

from lrkeeper.cli.curve import draw_lines, stairs
from lrkeeper.cli.differences import difference
from lrkeeper.cli.groups import base_of, groups_of
from lrkeeper.cli.options import json_option, server_option, set_option, utf8
from lrkeeper.cli.picture import picture_options, save
from lrkeeper.cli.sampling import ALL, MOST, POINTS, sample
from lrkeeper.cli.schedule.evaluating import evaluated, filled_schedule
from lrkeeper.cli.schedule.showing import read_schedule
from lrkeeper.cli.screen import put_json, say
from lrkeeper.cli.spans import Span, spans_of

if TYPE_CHECKING:
    from lrkeeper.schedules import Schedule


@click.command()
@click.argument(
    "names", nargs=2, metavar="A B", callback=lambda c, p, v: tuple(utf8(c, p, each) for each in v)
)
@click.option("--steps", type=click.IntRange(1, MOST), default=100, show_default=True, help="How many steps.")
@click.option(
    "--lr",
    "base_lrs",
    type=float,
    multiple=True,
    metavar="LR",
    help="The lr a param group starts from; once for each group.  [default: one group, 0.1]",
)
@set_option
@picture_options
@server_option
@json_option
def diff(
    names: tuple[str, str],
    steps: int,
    base_lrs: tuple[float, ...],
    parameters: dict[str, float],
    png: str | None,
    svg: str | None,
    server: str | None,
    as_json: bool,
) -> None:
    """Show where two schedules differ: files, or the names of stored ones.

    Both are drawn in one picture. The status is 1 if they differ in these steps.
    """
    if any(math.isnan(lr) for lr in base_lrs):
        raise click.BadParameter("an lr is nan; it must be a number", param_hint="--lr")
    both = _with([read_schedule(name, server) for name in names], parameters)
    one, other = (_spans(schedule, base_lrs or (0.1,), steps) for schedule in both)
    short = tuple(f"{letter}: {PurePath(name).name}" for letter, name in zip("AB", names, strict=True))
    save({"png": png, "svg": svg}, " and ".join(short), dict(zip(short, (one, other), strict=True)))
    found = difference(one, other)
    if steps > ALL and found["first_step"]:
        found["first_step"] = _parting(both, base_lrs or (0.1,), found["first_step"], steps // POINTS)
    if as_json:
        put_json(found)
    else:
        for track in [track for track in one[0].values if track in other[0].values]:
            _draw(short, track, (one, other))
        _tell(names, found, steps)
    if found["first_step"] is not None:
        raise SystemExit(1)


def _with(both: Sequence[Schedule], parameters: dict[str, float]) -> list[Schedule]:
    """Return schedules with those of the parameters that each has."""
    from lrkeeper.schedules.composable.parameters import declared_in

    known = [declared_in(schedule).keys() for schedule in both]
    for name in parameters:
        if not any(name in names for names in known):
            raise click.BadParameter(f"neither has a parameter {name!r}", param_hint="--set")
    return [
        filled_schedule(schedule, {name: parameters[name] for name in parameters if name in names})
        for schedule, names in zip(both, known, strict=True)
    ]


def _spans(schedule: Schedule, base_lrs: tuple[float, ...], steps: int) -> list[Span]:
    from lrkeeper.schedules.pace import NO_PACE

    groups = groups_of(base_lrs, (), {})
    if steps > ALL:
        return sample(schedule, base_of(groups, schedule.moves), 0, steps)
    return list(spans_of(evaluated(schedule, groups, 0, steps, NO_PACE).table))


def _parting(both: Sequence[Schedule], base_lrs: tuple[float, ...], step: int, apart: int) -> int:
    """Return the first step that differs, of those up to one that does and lie `apart` from the last that did not."""
    while apart > 1:
        first = max(0, step - apart)
        one, other = (
            sample(schedule, base_of(groups_of(base_lrs, (), {}), schedule.moves), first, step - first + 1)
            for schedule in both
        )
        found: int = difference(one, other)["first_step"]
        step, apart = found, apart // POINTS
    return step


def _draw(labels: Sequence[str], track: str, both: Sequence[Sequence[Span]]) -> None:
    lines = {
        label: stairs(spans, [span.values[track][0] for span in spans])
        for label, spans in zip(labels, both, strict=True)
    }
    draw_lines(lines, 0, max(spans[-1].last for spans in both) + 1, track=track, letters=True)


def _tell(names: tuple[str, str], found: dict[str, Any], steps: int) -> None:
    for letter, name in zip("AB", names, strict=True):
        say(f"{letter}: {name}")
    largest = found["largest"]
    if found["first_step"] is None:
        say(f"they are the same in these {steps} steps")
        return
    say(f"they part at step {found['first_step']}")
    if largest is not None:
        a, b = largest["values"]
        ratio = f" (B is {b / a:.4g} times A)" if a and math.isfinite(b / a) else ""
        say(
            f"the largest difference is {largest['difference']:.6g}, of {largest['track']} at step "
            f"{largest['step']}: A has {a!r}, B has {b!r}{ratio}"
        )
