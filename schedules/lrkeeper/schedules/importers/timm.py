"""Schedules of timm (`timm.scheduler`), without noise, which is drawn from torch's generator.

Source: timm 1.0.31. Before its first `step` a scheduler leaves the base lr, or sets `warmup_lr_init`: the value at
time 0 is that, not the formula's.
"""

from __future__ import annotations

from collections import Counter, abc
from collections.abc import Mapping
from typing import Any

from lrkeeper.schedules.composable.affine import Affine
from lrkeeper.schedules.composable.closed_form import Scope, compiled
from lrkeeper.schedules.composable.constant import Constant
from lrkeeper.schedules.composable.decay import Decay
from lrkeeper.schedules.composable.expression import Expression
from lrkeeper.schedules.composable.parts import ONCE
from lrkeeper.schedules.composable.power import Power
from lrkeeper.schedules.composable.ramp import Ramp
from lrkeeper.schedules.composable.repeat import Repeat
from lrkeeper.schedules.composable.steps import Steps
from lrkeeper.schedules.importers.stages import Maker, choose, first_then, staged, times
from lrkeeper.schedules.importers.telling import tells
from lrkeeper.schedules.schedule import Schedule
from lrkeeper.schedules.sequence import Sequence, Stage


@tells
def from_timm(name: str, **arguments: Any) -> Schedule:
    """Return the schedule of a scheduler class of timm with the same arguments ("CosineLRScheduler", or "cosine").

    Its steps are what the scheduler counts: updates, or epochs with `t_in_epochs`. A group's `lr_scale` scales it.

    Raises:
        ValueError: an unknown name, or noise is asked for.
        TypeError: an argument the class does not have.
    """
    maker = choose("timm", _MAKERS, _SHORT.get(name, name))
    if arguments.pop("noise_range_t", None) is not None:
        raise ValueError("timm's noise is drawn from torch's generator anew at each time; no formula has it")
    for unused in ("noise_pct", "noise_std", "noise_seed", "t_in_epochs", "initialize"):
        arguments.pop(unused, None)
    return maker(**arguments)


def _warmed(
    then: Schedule, warmup_t: int, warmup_lr_init: float, prefix: bool, rise: Schedule | None = None
) -> Schedule:
    """Return a schedule after a warmup; without a prefix by the outer clock, so that the lr may jump."""
    if not warmup_t:
        return then
    rise = rise or Ramp(warmup_t, begin=warmup_lr_init)
    clock = "local" if prefix else "outer"
    return Sequence([Stage(rise, over=warmup_t, label="warmup"), Stage(then, clock=clock, label="decay")])


def _toward(then: Schedule, warmup_t: int, warmup_lr_init: float) -> Schedule:
    """Return the line to a schedule's own value at a time, which is a·base + c."""
    one, two = (compiled(then, Scope(base, base))(warmup_t) for base in (1.0, 2.0))
    slope, height = two - one, 2 * one - two
    if abs(height) < 1e-15:
        return Ramp(warmup_t, begin=warmup_lr_init, end=times(slope))
    return Expression(
        f"{warmup_lr_init!r} + u * ({slope!r} * base + {height!r} - {warmup_lr_init!r}) / {warmup_t!r}"
    )


def _cycles(cycle: Ramp, cycle_mul: float, cycle_decay: float, cycle_limit: int) -> Schedule:
    end = Constant(cycle.end)
    if cycle_limit < 1:
        return end
    if cycle_limit == 1 and cycle.ease != "tanh":
        return cycle
    return Repeat(cycle, cycle.over, growth=cycle_mul, gain=cycle_decay, count=cycle_limit, afterwards=end)


def _cosine(t_initial: int, lr_min: float = 0.0, k_decay: float = 1.0, **more: Any) -> Schedule:
    return _cycling(Ramp(t_initial, begin=ONCE, end=lr_min, ease="cosine", warp=k_decay), **more)


def _tanh(
    t_initial: int,
    lb: float = -7.0,
    ub: float = 3.0,
    lr_min: float = 0.0,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = False,
    **more: Any,
) -> Schedule:
    """Its warmup without a prefix aims at the curve's own value, the others' at the base value."""
    fall = _cycling(Ramp(t_initial, begin=ONCE, end=lr_min, ease="tanh", low=lb, high=ub), **more)
    if not warmup_t:
        return first_then(Constant(), fall)
    rise = None if warmup_prefix else _toward(fall, warmup_t, warmup_lr_init)
    return _warmed(fall, warmup_t, warmup_lr_init, warmup_prefix, rise)


def _poly(
    t_initial: int, power: float = 0.5, lr_min: float = 0.0, k_decay: float = 1.0, **more: Any
) -> Schedule:
    fall = Ramp(t_initial, begin=ONCE, end=lr_min, ease="polynomial", power=power, warp=k_decay)
    return _cycling(fall, **more)


def _cycling(
    cycle: Ramp,
    cycle_mul: float = 1.0,
    cycle_decay: float = 1.0,
    cycle_limit: int = 1,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = False,
) -> Schedule:
    cycles = _cycles(cycle, cycle_mul, cycle_decay, cycle_limit)
    return _warmed(cycles, warmup_t, warmup_lr_init, warmup_prefix)


def _multi_step(
    decay_t: abc.Sequence[int],
    decay_rate: float = 1.0,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = True,
) -> Schedule:
    """A milestone m drops the lr at time m - 1, and without a warmup none at time 0."""
    earliest = 0 if warmup_t else 1
    drops = Counter(max(earliest, time - 1) for time in decay_t)
    factors = [float(decay_rate) ** drops[time] for time in sorted(drops)]
    steps = Steps(sorted(drops), factors) if drops else Constant()
    return _warmed(steps, warmup_t, warmup_lr_init, warmup_prefix)


def _step(
    decay_t: float,
    decay_rate: float = 1.0,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
    warmup_prefix: bool = True,
) -> Schedule:
    return _warmed(Decay(decay_rate, decay_t), warmup_t, warmup_lr_init, warmup_prefix)


def _wsd(
    t_initial: int,
    decay_t: int,
    lr_min: float = 0.0,
    stable_fn: str = "constant",
    stable_timescale: float | None = None,
    stable_power: float = 0.5,
    decay_fn: str = "1-sqrt",
    decay_power: float = 0.5,
    decay_ratio: float = 0.1,
    warmup_t: int = 0,
    warmup_lr_init: float = 0.0,
) -> Schedule:
    """Once the stable value falls itself, or the decay is exponential, what is left of the decay is a formula."""
    eases: Mapping[str, Mapping[str, Any]] = {
        "linear": {},
        "1-sqrt": {"ease": "power", "power": 0.5},
        "cosine": {"ease": "cosine"},
        "power": {"ease": "power", "power": decay_power},
    }
    left = {
        "linear": "1 - {p}",
        "1-sqrt": "1 - sqrt({p})",
        "cosine": "0.5 * (1 + cos(pi * {p}))",
        "power": f"1 - {{p}} ** {decay_power!r}",
        "exp": f"({decay_ratio!r} ** {{p}} - {decay_ratio!r}) / {1.0 - decay_ratio!r}",
    }
    if decay_fn not in left:
        raise ValueError(f"decay_fn is {decay_fn!r}; it must be {' or '.join(map(repr, left))}")
    if stable_fn not in ("constant", "rsqrt", "power"):
        raise ValueError(f"stable_fn is {stable_fn!r}; it must be 'constant' or 'rsqrt' or 'power'")
    stable_t = t_initial - decay_t
    stable: Schedule = Constant()
    level = "base"
    if stable_fn != "constant":
        scale, power = stable_timescale or warmup_t, 0.5 if stable_fn == "rsqrt" else stable_power
        fall = Power(scale, begin=ONCE, power=power)
        stable = Affine(fall, low=lr_min) if lr_min else fall
        level = f"max(base * (1 + (u + {stable_t!r}) / {scale!r}) ** -{power!r}, {lr_min!r})"
    if stable_fn == "constant" and decay_fn in eases:
        decay: Schedule = Ramp(decay_t, begin=ONCE, end=lr_min, **eases[decay_fn])
    else:
        part = left[decay_fn].format(p=f"(u / {decay_t!r})")
        decay = Expression(f"u < {decay_t!r} ? {lr_min!r} + ({level} - {lr_min!r}) * ({part}) : {lr_min!r}")
    return staged(
        ("warmup", Ramp(warmup_t or 1, begin=warmup_lr_init), warmup_t),
        ("stable", stable, stable_t),
        ("decay", decay, None),
    )


def _plateau(**_given: Any) -> Schedule:
    raise ValueError(
        "PlateauLRScheduler follows a metric: say it as reduce_lr_on_plateau, or the kind plateau"
    )


_MAKERS: Mapping[str, Maker] = {
    "CosineLRScheduler": _cosine,
    "TanhLRScheduler": _tanh,
    "PolyLRScheduler": _poly,
    "MultiStepLRScheduler": _multi_step,
    "StepLRScheduler": _step,
    "WSDLRScheduler": _wsd,
    "PlateauLRScheduler": _plateau,
}
_SHORT = {
    "cosine": "CosineLRScheduler",
    "tanh": "TanhLRScheduler",
    "poly": "PolyLRScheduler",
    "multistep": "MultiStepLRScheduler",
    "step": "StepLRScheduler",
    "wsd": "WSDLRScheduler",
    "plateau": "PlateauLRScheduler",
}
