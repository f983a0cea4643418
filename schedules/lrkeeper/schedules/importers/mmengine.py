"""Parameter schedulers of mmengine (`param_scheduler` of a config). Source: mmengine 0.10.7.

Each changes the present value in its window [begin, end), last at end - 1, and holds it afterwards. Alone, and one
after another, they are in closed form; so are several at once that only multiply.
"""

from __future__ import annotations

from collections import Counter, abc
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from lrkeeper.schedules.composable.constant import Constant
from lrkeeper.schedules.composable.decay import Decay
from lrkeeper.schedules.composable.parts import ONCE, REACHED, Level
from lrkeeper.schedules.composable.product import Product
from lrkeeper.schedules.composable.ramp import Ramp
from lrkeeper.schedules.composable.steps import Steps
from lrkeeper.schedules.composable.warp import Warp
from lrkeeper.schedules.importers.stages import Maker, choose, staged, times
from lrkeeper.schedules.importers.telling import tells
from lrkeeper.schedules.schedule import Schedule

_INF = 1_000_000_000
_IN_TIME = ("T_max", "step_size", "total_steps")


@tells
def from_mmengine(
    param_scheduler: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    *,
    epoch_length: int | None = None,
    track: str = "lr",
) -> Schedule:
    """Return what a config's `param_scheduler`, one or a list, does to a track: "lr" or "momentum".

    With an `epoch_length` (iterations) the schedule's steps are iterations, and schedulers by epoch are put into those;
    without it a step is what the schedulers count, all the same. Past its total of steps OneCycleLR raises; the
    schedule goes on.

    Raises:
        ValueError: an unknown type, epochs of unknown length, or schedulers at once that do not only multiply.
        TypeError: an argument the type does not have.
    """
    written = [param_scheduler] if isinstance(param_scheduler, Mapping) else param_scheduler
    ours = [one for one in written if _track(one) == track]
    mixed = len({bool(one.get("by_epoch", True)) for one in ours}) > 1
    if epoch_length is None and (mixed or any(one.get("convert_to_iter_based") for one in ours)):
        raise ValueError("epoch_length is needed: some schedulers count iterations, and some epochs")
    windows = sorted((_window(one, epoch_length) for one in ours), key=lambda window: window.begin)
    if all(one.end <= other.begin for one, other in pairwise(windows)):
        return _one_after_another(windows)
    if all(window.multiplies for window in windows):
        return Product([_one_after_another([window]) for window in windows])
    raise ValueError(
        "schedulers at the same time change each other's values, and one of them is drawn to an eta_min: that has no "
        "closed form; torch's classes in a chained_scheduler do the same"
    )


class _Window(NamedTuple):
    """When a scheduler acts, in steps, and its curve from there."""

    begin: float
    end: float
    last: float
    """When it acts last."""
    curve: Schedule
    multiplies: bool
    """Whether it only multiplies what is there."""


def _one_after_another(windows: abc.Iterable[_Window]) -> Schedule:
    stages: list[tuple[str, Schedule, float | None]] = []
    now = 0.0
    for place, window in enumerate(windows):
        if window.begin > now:
            stages.append((f"wait {place}", Constant(REACHED), window.begin - now))
        over = None if window.end >= _INF else window.last - window.begin
        stages.append((f"scheduler {place}", window.curve, over))
        now = window.last
    if stages and stages[-1][2] is not None:
        stages.append(("end", Constant(REACHED), None))
    return staged(*stages) if stages else Constant()


def _track(written: Mapping[str, Any]) -> str:
    kind = str(written["type"])
    return str(written.get("param_name") or ("momentum" if kind.endswith("Momentum") else "lr"))


def _window(written: Mapping[str, Any], epoch_length: int | None) -> _Window:
    given = dict(written)
    kind = str(given.pop("type"))
    for suffix in ("ParamScheduler", "Momentum", "LR"):
        kind = kind.removesuffix(suffix)
    for unused in ("param_name", "verbose", "last_step"):
        given.pop(unused, None)
    by_epoch = given.pop("by_epoch", True)
    if given.pop("convert_to_iter_based", False):
        assert epoch_length is not None
        _convert(given, epoch_length)
        by_epoch = False
    begin, end = given.pop("begin", 0), given.pop("end", _INF)
    curve = choose("mmengine", _MAKERS, kind)(end - begin, **given)
    multiplies = kind in _FACTORS or (kind in ("CosineAnnealing", "Poly") and not _floor(given))
    last = end - 1
    if by_epoch and epoch_length is not None:
        curve = Warp(curve, rate=1 / epoch_length, every=epoch_length)
        begin, last = begin * epoch_length, last * epoch_length
        end = end if end >= _INF else end * epoch_length
    return _Window(begin, end, last, curve, multiplies)


def _convert(given: dict[str, Any], epoch_length: int) -> None:
    """Put times in epochs into iterations, as mmengine does where a runner begins."""
    for name in (*_IN_TIME, "begin", "end"):
        if given.get(name) is not None and given[name] != _INF:
            given[name] = int(given[name] * epoch_length)
    for name in ("milestones", "periods"):
        if name in given:
            given[name] = [time * epoch_length for time in given[name]]


def _floor(given: Mapping[str, Any]) -> Any:
    return given.get("eta_min") or given.get("eta_min_ratio")


def _lowest(eta_min: float | None, eta_min_ratio: float | None) -> Level:
    if eta_min_ratio is not None:
        return times(eta_min_ratio)
    return Level(absolute=float(eta_min or 0.0))


def _constant(length: int, factor: float = 1.0 / 3) -> Schedule:
    """It gives its factor back in its last step."""
    lower = Constant(Level(before=factor))
    if length >= _INF:
        return lower
    return staged(("factor", lower, length - 1), ("end", Constant(Level(before=1.0 / factor)), None))


def _linear(length: int, start_factor: float = 1.0 / 3, end_factor: float = 1.0) -> Schedule:
    return Ramp(length - 1, begin=Level(before=start_factor), end=Level(before=end_factor))


def _exponential(_length: int, gamma: float) -> Schedule:
    return Decay(gamma, 1, begin=REACHED, staircase=False)


def _step(_length: int, step_size: int, gamma: float = 0.1) -> Schedule:
    return Decay(gamma, step_size, begin=REACHED)


def _multi_step(_length: int, milestones: Sequence[int], gamma: float = 0.1) -> Schedule:
    drops = Counter(milestones)
    return Steps(sorted(drops), [float(gamma) ** drops[time] for time in sorted(drops)], begin=REACHED)


def _cosine(
    length: int,
    T_max: int | None = None,
    eta_min: float | None = None,
    eta_min_ratio: float | None = None,
) -> Schedule:
    """Past T_max it rises to the base value again."""
    over, low = T_max or length, _lowest(eta_min, eta_min_ratio)
    fall = Ramp(over, begin=REACHED, end=low, ease="cosine")
    if over >= length:
        return fall
    wave = Warp(Ramp(over, begin=ONCE, end=low, ease="cosine", after="extend"), shift=over)
    return staged(("fall", fall, over), ("wave", wave, None))


def _poly(length: int, eta_min: float = 0.0, power: float = 1.0) -> Schedule:
    return Ramp(length - 1, begin=REACHED, end=eta_min, ease="polynomial", power=float(power))


def _one_cycle(
    length: int,
    eta_max: float,
    total_steps: int | None = None,
    pct_start: float = 0.3,
    anneal_strategy: str = "cos",
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
    three_phase: bool = False,
) -> Schedule:
    total, ease = total_steps or length, "cosine" if anneal_strategy == "cos" else "linear"
    low = eta_max / div_factor
    ends = [pct_start * total - 1, total - 1]
    heights = [low, eta_max, low / final_div_factor]
    if three_phase:
        ends.insert(1, 2 * pct_start * total - 2)
        heights.insert(2, low)
    stages: list[tuple[str, Schedule, float | None]] = []
    for place, (start, end) in enumerate(pairwise([0.0, *ends])):
        after, over = ("extend", None) if end == ends[-1] else ("hold", end - start)
        ramp = Ramp(end - start, begin=heights[place], end=heights[place + 1], ease=ease, after=after)
        stages.append((f"phase {place}", ramp, over))
    return staged(*stages)


def _restart(
    _length: int,
    periods: Sequence[int],
    restart_weights: Sequence[float] = (1,),
    eta_min: float | None = None,
    eta_min_ratio: float | None = None,
) -> Schedule:
    """The last value of the last period is held, one step before its end."""
    low = _lowest(eta_min, eta_min_ratio)
    stages: list[tuple[str, Schedule, float | None]] = []
    for place, (period, weight) in enumerate(zip(periods, restart_weights, strict=True)):
        over = period - (place + 1 == len(periods))
        stages.append((f"period {place}", Ramp(period, begin=times(weight), end=low, ease="cosine"), over))
    return staged(*stages, ("end", Constant(REACHED), None))


def _plateau(_length: int, **_given: Any) -> Schedule:
    raise ValueError("ReduceOnPlateau follows a metric: say it as reduce_lr_on_plateau, or the kind plateau")


_MAKERS: Mapping[str, Maker] = {
    "Constant": _constant,
    "CosineAnnealing": _cosine,
    "Exponential": _exponential,
    "Linear": _linear,
    "MultiStep": _multi_step,
    "Step": _step,
    "Poly": _poly,
    "OneCycle": _one_cycle,
    "CosineRestart": _restart,
    "ReduceOnPlateau": _plateau,
}
_FACTORS = {"Constant", "Exponential", "Linear", "MultiStep", "Step"}
