"""What the importers share: stages and their words."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lrkeeper.schedules.composable.parts import Level, Span
from lrkeeper.schedules.composable.points import Points
from lrkeeper.schedules.schedule import Schedule
from lrkeeper.schedules.sequence import Sequence, Stage

Maker = Callable[..., Schedule]


def times(factor: float) -> Level:
    """Return so many times the base value."""
    return Level(relative=float(factor))


def staged(
    *stages: tuple[str, Schedule, float | None], unit: str = "steps", boundary: str = "later"
) -> Schedule:
    """Return stages by label, schedule and length (none: for ever); those of no length are left out."""
    kept = [stage for stage in stages if stage[2] is None or stage[2] > 0]
    if len(kept) == 1 and kept[0][2] is None:
        return kept[0][1]
    return Sequence(
        [
            Stage(schedule, over=None if over is None else span_of(over, unit), label=label)
            for label, schedule, over in kept
        ],
        boundary=boundary,
    )


def span_of(amount: float, unit: str) -> Span:
    """Return a length in a unit: "steps", "epochs", "samples" or "tokens"."""
    return Span(**{unit: amount})  # type: ignore[arg-type]  # a unit is no parameter


def first_then(first: Schedule, then: Schedule) -> Sequence:
    """Return a schedule whose step 0 is another's: libraries that set the lr before their formula is asked."""
    return Sequence([Stage(first, over=1, label="first"), Stage(then, clock="outer")])


def joined(points: Mapping[float, float], interpolation: str) -> Points:
    """Return values by their times."""
    return Points(sorted(points.items()), interpolation=interpolation)


def choose(library: str, makers: Mapping[str, Maker], name: str) -> Maker:
    """Return what makes the schedule of a name. Raises ValueError for an unknown one."""
    if name not in makers:
        raise ValueError(f"{library} has no schedule {name!r} known here; there are {', '.join(makers)}")
    return makers[name]
