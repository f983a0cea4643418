"""Schedules of Hugging Face transformers (`get_scheduler`), in closed form.

Source: transformers 5.24.0, optimization.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from lrkeeper.schedules import checks
from lrkeeper.schedules.composable.constant import Constant
from lrkeeper.schedules.composable.parts import ONCE, Height
from lrkeeper.schedules.composable.power import Power
from lrkeeper.schedules.composable.ramp import Ramp
from lrkeeper.schedules.composable.repeat import Repeat
from lrkeeper.schedules.importers.stages import Maker, choose, staged, times
from lrkeeper.schedules.importers.telling import tells
from lrkeeper.schedules.reduce_lr_on_plateau import ReduceLROnPlateau
from lrkeeper.schedules.schedule import Schedule


@tells
def from_hf(
    name: str,
    *,
    num_warmup_steps: int | None = None,
    num_training_steps: int | None = None,
    lr: float | None = None,
    **scheduler_specific_kwargs: Any,
) -> Schedule:
    """Return the schedule that transformers' `get_scheduler` makes of the same arguments.

    To transformers `min_lr` and `lr_end` are shares of the optimizer's own lr: a param group with another lr ends at
    that share of it. Give that `lr` for the same; without it they are the values at which every group ends.
    `scheduler_specific_kwargs={…}` may be given as it is there, or its arguments by themselves.

    Raises:
        ValueError: an unknown name; an argument the name needs is missing.
        TypeError: an argument the name does not have.
    """
    maker = choose("transformers", _MAKERS, name)
    rest = scheduler_specific_kwargs.pop("scheduler_specific_kwargs", None)
    scheduler_specific_kwargs |= rest or {}
    for ours in ("warmup", "total"):
        if ours in scheduler_specific_kwargs:
            raise TypeError(
                f"from_hf: {name} has no argument {ours!r}: use num_warmup_steps, num_training_steps"
            )
    for field, value in (("num_warmup_steps", num_warmup_steps), ("num_training_steps", num_training_steps)):
        if value is not None:
            checks.whole("from_hf", field, value, at_least=0)
    if name == "constant":
        return maker()
    if name in ("reduce_lr_on_plateau", "greedy"):
        return maker(**scheduler_specific_kwargs)
    if num_warmup_steps is None:
        raise ValueError(f"{name} needs num_warmup_steps")
    given = {"warmup": num_warmup_steps, **scheduler_specific_kwargs}
    if name in _WITH_TOTAL:
        if num_training_steps is None and name != "warmup_stable_decay":
            raise ValueError(f"{name} needs num_training_steps")
        given["total"] = num_training_steps
    if name in _WITH_LR:
        given["lr"] = lr
    return maker(**given)


def _warmed(warmup: int, then: Schedule) -> Schedule:
    return staged(("warmup", Ramp(warmup or 1, begin=0.0), warmup), ("decay", then, None))


def _with_warmup(warmup: int) -> Schedule:
    return _warmed(warmup, Constant())


def _linear(warmup: int, total: int) -> Schedule:
    return _warmed(warmup, Ramp(total - warmup, begin=ONCE, end=0.0) if total > warmup else Constant(0.0))


def _wave(length: float, num_cycles: float, end: Height, counting: str = "from_zero") -> Schedule:
    over = length / (2.0 * num_cycles)
    return Ramp(over, begin=ONCE, end=end, ease="cosine", counting=counting, after="extend")


def _cosine(warmup: int, total: int, num_cycles: float = 0.5) -> Schedule:
    return _warmed(warmup, _wave(max(1, total - warmup), num_cycles, 0.0))


def _restarts(warmup: int, total: int, num_cycles: float = 1) -> Schedule:
    length = max(1, total - warmup)
    period = length / num_cycles
    cycles = Repeat(Ramp(period, begin=ONCE, end=0.0, ease="cosine"), period)
    return staged(
        ("warmup", Ramp(warmup or 1, begin=0.0), warmup),
        ("cycles", cycles, length),
        ("end", Constant(0.0), None),
    )


def _polynomial(
    warmup: int, total: int, lr: float | None, lr_end: float = 1e-7, power: float = 1.0
) -> Schedule:
    end = _floor(lr_end, None, lr)
    fall = Ramp(total - warmup, begin=ONCE, end=end, ease="polynomial", power=power)
    return _warmed(warmup, fall)


def _inverse_sqrt(warmup: int, timescale: int | None = None) -> Schedule:
    return _warmed(warmup, Power(timescale or warmup or 10_000, begin=ONCE))


def _min_lr(
    warmup: int,
    total: int,
    lr: float | None,
    num_cycles: float = 0.5,
    min_lr: float | None = None,
    min_lr_rate: float | None = None,
) -> Schedule:
    end = _floor(min_lr, min_lr_rate, lr)
    return _warmed(warmup, _wave(max(1, total - warmup), num_cycles, end))


def _warmup_with_min_lr(
    warmup: int,
    total: int,
    lr: float | None,
    num_cycles: float = 0.5,
    min_lr: float | None = None,
    min_lr_rate: float | None = None,
    warmup_lr_rate: float | None = None,
) -> Schedule:
    end = _floor(min_lr, min_lr_rate, lr)
    if warmup_lr_rate is None:
        rise: Schedule = Ramp(warmup or 1, begin=0.0, counting="from_one")
    elif warmup > 1:
        rise = Ramp(warmup, begin=times(warmup_lr_rate), counting="to_last")
    else:
        rise = Constant(times(warmup_lr_rate))
    fall = _wave(max(1, total - warmup), num_cycles, end, "from_one")
    return staged(("warmup", rise, warmup), ("decay", fall, None))


def _stable(
    warmup: int,
    num_decay_steps: int,
    total: int | None = None,
    num_stable_steps: int | None = None,
    warmup_type: str = "linear",
    decay_type: str = "cosine",
    min_lr_ratio: float = 0.0,
    num_cycles: float = 0.5,
) -> Schedule:
    if num_stable_steps is None:
        if total is None:
            raise ValueError("warmup_stable_decay needs num_training_steps or num_stable_steps")
        num_stable_steps = total - warmup - num_decay_steps
    low = times(min_lr_ratio)
    rises: Mapping[str, Mapping[str, Any]] = {
        "linear": {},
        "cosine": {"ease": "cosine"},
        "1-sqrt": {"ease": "polynomial", "power": 0.5},
    }
    falls: Mapping[str, Mapping[str, Any]] = {**rises, "1-sqrt": {"ease": "power", "power": 0.5}}
    for field, value in (("warmup_type", warmup_type), ("decay_type", decay_type)):
        if value not in rises:
            raise ValueError(f"{field} is {value!r}; it must be {' or '.join(map(repr, rises))}")
    if decay_type == "cosine":
        fall = _wave(max(1, num_decay_steps), num_cycles, low)
    else:
        fall = Ramp(max(1, num_decay_steps), begin=ONCE, end=low, **falls[decay_type])
    return staged(
        ("warmup", Ramp(warmup or 1, begin=low, **rises[warmup_type]), warmup),
        ("stable", Constant(), num_stable_steps),
        ("decay", fall, num_decay_steps),
        ("end", Constant(low), None),
    )


def _floor(least: float | None, rate: float | None, lr: float | None) -> Height:
    """Return where a decay ends: given as a value (of an optimizer with `lr`), or as a part of the base value."""
    if (least is None) == (rate is None):
        raise ValueError("one of min_lr and min_lr_rate is needed")
    if rate is not None:
        return times(rate)
    assert least is not None
    return float(least) if lr is None else times(least / lr)


def _greedy(**_given: Any) -> Schedule:
    raise ValueError("greedy follows a metric: it is the kind greedy")


_MAKERS: Mapping[str, Maker] = {
    "constant": Constant,
    "constant_with_warmup": _with_warmup,
    "linear": _linear,
    "cosine": _cosine,
    "cosine_with_restarts": _restarts,
    "polynomial": _polynomial,
    "inverse_sqrt": _inverse_sqrt,
    "cosine_with_min_lr": _min_lr,
    "cosine_warmup_with_min_lr": _warmup_with_min_lr,
    "warmup_stable_decay": _stable,
    "reduce_lr_on_plateau": partial(ReduceLROnPlateau),
    "greedy": _greedy,
}
_WITH_TOTAL = _MAKERS.keys() - {"constant", "constant_with_warmup", "inverse_sqrt"}
_WITH_LR = {"polynomial", "cosine_with_min_lr", "cosine_warmup_with_min_lr"}
