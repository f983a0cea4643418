"""Schedulers of pytorch-ignite (`ignite.handlers`). Source: pytorch-ignite 0.5.5. A step is an event."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

from lrkeeper.schedules.composable.decay import Decay
from lrkeeper.schedules.composable.expression import Expression
from lrkeeper.schedules.composable.parts import ONCE, Height
from lrkeeper.schedules.composable.points import Points
from lrkeeper.schedules.composable.ramp import Ramp
from lrkeeper.schedules.composable.repeat import Repeat
from lrkeeper.schedules.composable.steps import Steps
from lrkeeper.schedules.composable.warp import Warp
from lrkeeper.schedules.importers.stages import Maker, choose, first_then, joined, staged, times
from lrkeeper.schedules.importers.telling import tells
from lrkeeper.schedules.schedule import Schedule

_MOST_CYCLES = 100


@tells
def from_ignite(
    name: str, *, lr: float | None = None, group: int = 0, track: str = "lr", **arguments: Any
) -> Schedule:
    """Return the schedule of a scheduler class of ignite, or of create_lr_scheduler_with_warmup, by its arguments.

    Members are mappings with a `name` and their `arguments`, a torch scheduler's class by its whole name. A
    ParamGroupScheduler has one schedule for each group and `track`. `lr` is the optimizer's own, which a warmup
    without `warmup_end_value` leads to. A function (of LambdaStateScheduler, BatchSizeScheduler) is a text of
    lrkeeper's grammar, in `event_index`. Cycles that are no repetition of the first (different `start_value_mult` and
    `end_value_mult`, lengths rounded down) are listed, the first hundred.

    Raises:
        ValueError: an unknown name; what follows a metric.
        TypeError: an argument the class does not have.
    """
    maker = choose("ignite", _MAKERS, name)
    arguments.pop("save_history", None)
    if name == "ParamGroupScheduler":
        return _of_group(group, track, lr, **arguments)
    if name == "create_lr_scheduler_with_warmup":
        return _warmed(lr, **arguments)
    for unused in ("param_name", "param_group_index", "create_new"):
        arguments.pop(unused, None)
    return maker(**arguments)


def _of_group(group: int, track: str, lr: float | None, schedulers: Sequence[Mapping[str, Any]]) -> Schedule:
    for one in schedulers:
        if (
            one["arguments"].get("param_group_index", group) == group
            and one["arguments"]["param_name"] == track
        ):
            return from_ignite(one["name"], lr=lr, **one["arguments"])
    raise ValueError(f"no scheduler moves {track} in param group {group}")


class _Cycle(NamedTuple):
    size: int
    warmup: int
    start: float
    end: float
    following: float
    """Where the next cycle starts, and the warmup leads."""


def _cycles(cycle: _Cycle, growth: float, start_mult: float, end_mult: float) -> Iterator[_Cycle]:
    while cycle.size > 0:
        yield cycle
        size, warmup = int(cycle.size * growth), int(cycle.warmup * growth)
        start = cycle.following
        cycle = _Cycle(size, warmup, start, cycle.end * end_mult, start * start_mult)


def _cyclical(
    shape: str,
    start_value: float,
    end_value: float,
    cycle_size: int,
    cycle_mult: float = 1.0,
    start_value_mult: float = 1.0,
    end_value_mult: float = 1.0,
    warmup_duration: int = 0,
) -> Schedule:
    first = _Cycle(cycle_size, warmup_duration, start_value, end_value, start_value * start_value_mult)
    if start_value_mult == end_value_mult and float(cycle_mult).is_integer():
        once = staged(*_parts(shape, first, last=True))
        period = cycle_size + warmup_duration
        growth, gain = float(cycle_mult), float(start_value_mult)
        return Repeat(once, period, growth=growth, gain=gain, gain_on="both")
    each = islice(_cycles(first, cycle_mult, start_value_mult, end_value_mult), _MOST_CYCLES)
    return staged(*(part for cycle in each for part in _parts(shape, cycle)))


def _parts(shape: str, cycle: _Cycle, *, last: bool = False) -> list[tuple[str, Schedule, float | None]]:
    size, warmup = cycle.size, cycle.warmup
    if shape == "triangle":
        points = {0.0: cycle.start, size / 2: cycle.end, float(size): cycle.start}
        fall: Schedule = joined(points, "linear")
    else:
        fall = Ramp(size, begin=cycle.start, end=cycle.end, ease=shape)
    if not warmup:
        return [("cycle", fall, None if last else size)]
    rise = Ramp(warmup, begin=cycle.end, end=cycle.following)
    return [("cycle", fall, size), ("warmup", rise, None if last else warmup)]


def _linear(monotonic: bool = False, **arguments: Any) -> Schedule:
    return _cyclical("linear" if monotonic else "triangle", **arguments)


def _cosine(**arguments: Any) -> Schedule:
    return _cyclical("cosine", **arguments)


def _piecewise(milestones_values: Sequence[Sequence[float]]) -> Schedule:
    return Points([(time, value) for time, value in milestones_values])


def _concat(schedulers: Sequence[Mapping[str, Any]], durations: Sequence[int]) -> Schedule:
    members = [from_ignite(one["name"], **one["arguments"]) for one in schedulers]
    lengths = (*durations, None)
    return staged(
        *(
            (f"part {place}", member, length)
            for place, (member, length) in enumerate(zip(members, lengths, strict=True))
        )
    )


def _of_torch(lr_scheduler: Mapping[str, Any]) -> Schedule:
    """Return what ignite makes of a torch class: it asks for step 0 anew, and one that multiplies is ahead then."""
    kind, given = _torch_class(lr_scheduler)
    if kind == "StepLR":
        return _step_lr(**given)
    if kind == "ExponentialLR":
        return Decay(given["gamma"], 1, begin=times(given["gamma"]), staircase=False)
    if kind == "CosineAnnealingWarmRestarts":
        return Warp(_torch_curve(kind, given), shift=1)
    if kind == "CosineAnnealingLR":
        low, over = float(given.get("eta_min", 0.0)), given["T_max"]
        first = Expression(f"{low!r} + (base - {low!r}) * 2 / (1 + cos(pi / {over!r}))")
        return first_then(first, _torch_curve(kind, given))
    raise ValueError(f"what ignite's LRScheduler makes of torch's {kind} is not known here")


def _torch_class(lr_scheduler: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    return lr_scheduler["name"].rpartition(".")[2], lr_scheduler["arguments"]


def _step_lr(step_size: int, gamma: float = 0.1) -> Schedule:
    return Decay(gamma, step_size)


def _torch_curve(kind: str, given: Mapping[str, Any]) -> Schedule:
    """Return a torch class in closed form."""
    low = given.get("eta_min", 0.0)
    if kind == "StepLR":
        return _step_lr(**given)
    if kind == "ExponentialLR":
        return Decay(given["gamma"], 1, staircase=False)
    if kind == "CosineAnnealingLR":
        return Ramp(given["T_max"], begin=ONCE, end=low, ease="cosine", after="extend")
    if kind == "CosineAnnealingWarmRestarts":
        first = given["T_0"]
        fall = Ramp(first, begin=ONCE, end=low, ease="cosine")
        return Repeat(fall, first, growth=float(given.get("T_mult", 1)))
    raise ValueError(f"torch's {kind} is not known here in closed form")


def _warmed(
    lr: float | None,
    lr_scheduler: Mapping[str, Any],
    warmup_start_value: float,
    warmup_duration: int,
    warmup_end_value: float | None = None,
) -> Schedule:
    """A torch class begins with its step 1, as step 0 is the warmup's last; another scheduler with its own first."""
    top: Height = ONCE if warmup_end_value is None else warmup_end_value
    last = warmup_duration - 1
    rise: Schedule = Ramp(last, begin=warmup_start_value, end=top)
    if lr_scheduler["name"].startswith("torch."):
        then: Schedule = Warp(_torch_curve(*_torch_class(lr_scheduler)), shift=1)
        over = warmup_duration
        if warmup_end_value is not None and warmup_end_value != lr:
            rise = staged(("up", rise, last), ("to the base", Ramp(1, begin=warmup_end_value), None))
            over += 1
        return staged(("warmup", rise, over), ("scheduler", then, None))
    then = from_ignite(lr_scheduler["name"], **lr_scheduler["arguments"])
    end = lr if warmup_end_value is None else warmup_end_value
    if end is None:
        raise ValueError(
            "lr is needed: the warmup goes to the optimizer's own, and may be where the scheduler begins"
        )
    joins = _first_of(lr_scheduler) == end
    return staged(("warmup", rise, last if joins else warmup_duration), ("scheduler", then, None))


def _first_of(lr_scheduler: Mapping[str, Any]) -> float:
    """Return the first value of a scheduler of ignite's."""
    given = lr_scheduler["arguments"]
    found = given["start_value"] if "start_value" in given else given["milestones_values"][0][1]
    return float(found)


def _function(text: str) -> Schedule:
    return Expression(text.replace("event_index", "u"))


def _lambda(lambda_obj: str) -> Schedule:
    return _function(lambda_obj)


def _batch_size(scheduler_fn: str) -> Schedule:
    return _function(scheduler_fn)


def _exponential(initial_value: float, gamma: float) -> Schedule:
    return Decay(gamma, 1, begin=initial_value, staircase=False)


def _step(initial_value: float, gamma: float, step_size: int) -> Schedule:
    return Decay(gamma, step_size, begin=initial_value)


def _multi_step(initial_value: float, gamma: float, milestones: Sequence[int]) -> Schedule:
    drops = Counter(milestones)
    factors = [float(gamma) ** drops[time] for time in sorted(drops)]
    return Steps(sorted(drops), factors, begin=initial_value)


def _plateau(**_given: Any) -> Schedule:
    raise ValueError("it follows a metric: say it as reduce_lr_on_plateau")


_MAKERS: Mapping[str, Maker] = {
    "CosineAnnealingScheduler": _cosine,
    "LinearCyclicalScheduler": _linear,
    "PiecewiseLinear": _piecewise,
    "ConcatScheduler": _concat,
    "LRScheduler": _of_torch,
    "create_lr_scheduler_with_warmup": _warmed,
    "ParamGroupScheduler": _of_group,
    "ReduceLROnPlateauScheduler": _plateau,
    "LambdaStateScheduler": _lambda,
    "PiecewiseLinearStateScheduler": _piecewise,
    "ExpStateScheduler": _exponential,
    "StepStateScheduler": _step,
    "MultiStepStateScheduler": _multi_step,
    "BatchSizeScheduler": _batch_size,
}
