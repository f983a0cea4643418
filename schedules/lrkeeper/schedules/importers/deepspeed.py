"""Schedules of DeepSpeed (`deepspeed.runtime.lr_schedules`).

Source: DeepSpeed 0.19.8. Step 0 is done before a schedule has begun, with the least value; step k has its index k - 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lrkeeper.schedules.composable.constant import Constant
from lrkeeper.schedules.composable.expression import Expression
from lrkeeper.schedules.composable.parts import ONCE, Height
from lrkeeper.schedules.composable.power import Power
from lrkeeper.schedules.composable.ramp import Ramp
from lrkeeper.schedules.composable.warp import Warp
from lrkeeper.schedules.importers.stages import Maker, choose, first_then, staged, times
from lrkeeper.schedules.importers.telling import tells
from lrkeeper.schedules.schedule import Schedule


@tells
def from_deepspeed(config: Mapping[str, Any], *, group: int = 0) -> Schedule:
    """Return the lr's schedule of a DeepSpeed configuration: the whole, or its "scheduler" alone (type and params).

    Where it has a list, with a number for each param group, the schedule is that of `group`.

    Raises:
        ValueError: there is none, its type is unknown, or a number is "auto".
        TypeError: a parameter the type does not have.
    """
    name, params = _scheduler(config, group)
    return choose("DeepSpeed", _MAKERS, name)(**params)


def momentum_from_deepspeed(config: Mapping[str, Any], *, group: int = 0) -> Schedule | None:
    """Return what the configuration does to the momentum (the first of the betas), if it moves that: OneCycle.

    Raises as `from_deepspeed`.
    """
    name, params = _scheduler(config, group)
    if name != "OneCycle" or not params.get("cycle_momentum", True):
        return None
    return _one_cycle_momentum(**params)


def _scheduler(config: Mapping[str, Any], group: int) -> tuple[str, dict[str, Any]]:
    found = config.get("scheduler", config)
    if not isinstance(found, Mapping) or "type" not in found:
        raise ValueError("there is no scheduler in the configuration: it has a type, and params")
    params = {key: value for key, value in found.get("params", {}).items() if key != "last_batch_iteration"}
    for key, value in params.items():
        if value == "auto":
            raise ValueError(f'{key} is "auto": give the number that the trainer puts there')
    return found["type"], {
        key: value[group] if isinstance(value, list | tuple) else value for key, value in params.items()
    }


def _rise(begin: Height, end: Height, steps: int, kind: str) -> Ramp:
    return Ramp(steps, begin=begin, end=end, ease="linear" if kind == "linear" else "log")


def _warmup(
    warmup_min_lr: float = 0.0,
    warmup_max_lr: float | None = None,
    warmup_num_steps: int = 1000,
    warmup_type: str = "log",
) -> Schedule:
    top = ONCE if warmup_max_lr is None else warmup_max_lr
    rise = _rise(warmup_min_lr, top, max(2, warmup_num_steps), warmup_type)
    return staged(("first", Constant(warmup_min_lr), 1), ("warmup", rise, None))


def _warmup_decay(
    total_num_steps: int,
    warmup_min_lr: float = 0.0,
    warmup_max_lr: float = 0.001,
    warmup_num_steps: int = 1000,
    warmup_type: str = "log",
) -> Schedule:
    warmup = max(2, warmup_num_steps)
    decay = total_num_steps - warmup
    fall = Ramp(decay, begin=warmup_max_lr, end=warmup_min_lr) if decay > 0 else Constant(warmup_min_lr)
    return staged(
        ("first", Constant(warmup_min_lr), 1),
        ("warmup", _rise(warmup_min_lr, warmup_max_lr, warmup, warmup_type), warmup),
        ("decay", fall, None),
    )


def _warmup_cosine(
    total_num_steps: int,
    warmup_min_ratio: float = 0.0,
    warmup_num_steps: int = 1000,
    cos_min_ratio: float = 0.0001,
    warmup_type: str = "log",
) -> Schedule:
    warmup = max(2, warmup_num_steps)
    decay = max(1, total_num_steps - warmup)
    return staged(
        ("first", Constant(0.0), 1),
        ("warmup", _rise(times(warmup_min_ratio), ONCE, warmup, warmup_type), warmup),
        (
            "decay",
            Ramp(decay, begin=ONCE, end=times(cos_min_ratio), ease="cosine", counting="from_one"),
            None,
        ),
    )


def _range_test(
    lr_range_test_min_lr: float = 1e-3,
    lr_range_test_step_size: int = 2000,
    lr_range_test_step_rate: float = 1.0,
    lr_range_test_staircase: bool = False,
) -> Schedule:
    begin, size = lr_range_test_min_lr, lr_range_test_step_size
    rise = Ramp(size, begin=begin, end=begin * (1 + lr_range_test_step_rate), after="extend")
    return Warp(rise, every=size) if lr_range_test_staircase else rise


def _cycle(
    low: float, high: float, first: float, second: float, stairs: tuple[int, int], after: Schedule
) -> Schedule:
    """Up from one value to another and down again; in stairs the value is that of the stair's lower end."""
    up: Schedule = Ramp(first, begin=low, end=high)
    down: Schedule = Ramp(second, begin=high, end=low)
    if stairs[0] > 0:
        part = f"floor(u * {stairs[0]} / {first!r}) / {stairs[0]}"
        up = Expression(f"{low!r} + ({high!r} - {low!r}) * {part}")
    if stairs[1] > 0:
        part = f"floor(max(0, {second!r} - u) * {stairs[1]} / {second!r}) / {stairs[1]}"
        down = Expression(f"{low!r} + ({high!r} - {low!r}) * {part}")
    return staged(("up", up, first), ("down", down, second), ("decay", after, None))


def _one_cycle(
    cycle_min_lr: float,
    cycle_max_lr: float,
    decay_lr_rate: float = 0.0,
    decay_step_size: int = 0,
    **more: Any,
) -> Schedule:
    decays = decay_step_size and decay_lr_rate
    after = (
        Power(decay_step_size / decay_lr_rate, begin=cycle_min_lr, power=1.0)
        if decays
        else Constant(cycle_min_lr)
    )
    return _cycle(cycle_min_lr, cycle_max_lr, *_lengths(**more), after=after)


def _one_cycle_momentum(
    cycle_min_mom: float = 0.8,
    cycle_max_mom: float = 0.9,
    decay_mom_rate: float = 0.0,
    decay_step_size: int = 0,
    **more: Any,
) -> Schedule:
    """Falls while the lr rises; the first step has the least, before the schedule has begun."""
    after: Schedule = Constant(cycle_max_mom)
    if decay_step_size and decay_mom_rate:
        end = cycle_max_mom * (1 + decay_mom_rate)
        after = Ramp(decay_step_size, begin=cycle_max_mom, end=end, after="extend")
    cycle = _cycle(cycle_max_mom, cycle_min_mom, *_lengths(**more), after=after)
    return first_then(Constant(cycle_min_mom), cycle)


def _lengths(
    cycle_first_step_size: int = 2000,
    cycle_second_step_size: int | None = None,
    cycle_first_stair_count: int = 0,
    cycle_second_stair_count: int | None = None,
    **_of_the_other: Any,
) -> tuple[float, float, tuple[int, int]]:
    second = cycle_first_step_size if cycle_second_step_size is None else cycle_second_step_size
    stairs = cycle_first_stair_count if cycle_second_stair_count is None else cycle_second_stair_count
    return float(cycle_first_step_size), float(second), (cycle_first_stair_count, stairs)


_MAKERS: Mapping[str, Maker] = {
    "WarmupLR": _warmup,
    "WarmupDecayLR": _warmup_decay,
    "WarmupCosineLR": _warmup_cosine,
    "OneCycle": _one_cycle,
    "LRRangeTest": _range_test,
}
