"""Schedules of optax, in absolute values. Source: optax 0.2.8, which computes them in float32 by default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from operator import mul
from typing import Any

from lrkeeper.schedules.composable.affine import Affine
from lrkeeper.schedules.composable.constant import Constant
from lrkeeper.schedules.composable.decay import Decay
from lrkeeper.schedules.composable.ramp import Ramp
from lrkeeper.schedules.composable.steps import Steps
from lrkeeper.schedules.importers.stages import Maker, choose, joined, staged
from lrkeeper.schedules.importers.telling import tells
from lrkeeper.schedules.schedule import Schedule


@tells
def from_optax(name: str, **arguments: Any) -> Schedule:
    """Return the schedule of a function of optax with the same arguments ("cosine_decay_schedule").

    The members of join_schedules are schedules, or mappings with a `name` and the function's `arguments`.

    Raises:
        ValueError: an unknown name.
        TypeError: an argument the function does not have.
    """
    return choose("optax", _MAKERS, name)(**arguments)


def _linear(
    init_value: float, end_value: float, transition_steps: int, transition_begin: int = 0
) -> Schedule:
    return _polynomial(init_value, end_value, 1.0, transition_steps, transition_begin)


def _polynomial(
    init_value: float, end_value: float, power: float, transition_steps: int, transition_begin: int = 0
) -> Schedule:
    if transition_steps <= 0:
        return Constant(init_value)
    shape: dict[str, Any] = {} if power == 1 else {"ease": "polynomial", "power": float(power)}
    ramp = Ramp(transition_steps, begin=init_value, end=end_value, **shape)
    return staged(("begin", Constant(init_value), transition_begin), ("transition", ramp, None))


def _piecewise_constant(
    init_value: float, boundaries_and_scales: Mapping[Any, float] | None = None
) -> Schedule:
    scales = _by_time(boundaries_and_scales)
    return Steps(list(scales), list(scales.values()), begin=init_value) if scales else Constant(init_value)


def _exponential(
    init_value: float,
    transition_steps: int,
    decay_rate: float,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: float | None = None,
) -> Schedule:
    if transition_steps <= 0 or decay_rate == 0:
        return Constant(init_value)
    decay = Decay(decay_rate, transition_steps, begin=init_value, staircase=staircase)
    made = staged(("begin", Constant(init_value), transition_begin), ("decay", decay, None))
    if end_value is None:
        return made
    return Affine(made, low=end_value) if decay_rate < 1 else Affine(made, high=end_value)


def _cosine(init_value: float, decay_steps: int, alpha: float = 0.0, exponent: float = 1.0) -> Schedule:
    return Ramp(decay_steps, begin=init_value, end=init_value * alpha, ease="cosine", power=float(exponent))


def _interpolate(
    interpolate_type: str, init_value: float, boundaries_and_scales: Mapping[Any, float] | None = None
) -> Schedule:
    scales = _by_time(boundaries_and_scales)
    values = accumulate(scales.values(), mul, initial=init_value)
    return joined(dict(zip((0, *scales), values, strict=True)), interpolate_type)


def _linear_onecycle(
    transition_steps: int,
    peak_value: float,
    pct_start: float = 0.3,
    pct_final: float = 0.85,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    scales = {
        int(pct_start * transition_steps): div_factor,
        int(pct_final * transition_steps): 1.0 / div_factor,
        transition_steps: 1.0 / final_div_factor,
    }
    return _interpolate("linear", peak_value / div_factor, scales)


def _cosine_onecycle(
    transition_steps: int,
    peak_value: float,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    scales = {
        int(pct_start * transition_steps): div_factor,
        transition_steps: 1.0 / (div_factor * final_div_factor),
    }
    return _interpolate("cosine", peak_value / div_factor, scales)


def _warmup_constant(init_value: float, peak_value: float, warmup_steps: int) -> Schedule:
    return _linear(init_value, peak_value, warmup_steps)


def _warmup_cosine(
    init_value: float,
    peak_value: float,
    warmup_steps: int,
    decay_steps: int,
    end_value: float = 0.0,
    exponent: float = 1.0,
) -> Schedule:
    alpha = 0.0 if peak_value == 0.0 else end_value / peak_value
    return staged(
        ("warmup", _linear(init_value, peak_value, warmup_steps), warmup_steps),
        ("decay", _cosine(peak_value, decay_steps - warmup_steps, alpha, exponent), None),
    )


def _warmup_exponential(init_value: float, peak_value: float, warmup_steps: int, **decay: Any) -> Schedule:
    return staged(
        ("warmup", _linear(init_value, peak_value, warmup_steps), warmup_steps),
        ("decay", _exponential(peak_value, **decay), None),
    )


def _sgdr(cosine_kwargs: Iterable[Mapping[str, Any]]) -> Schedule:
    each = list(cosine_kwargs)
    lengths = [*(one["decay_steps"] for one in each[:-1]), None]
    return staged(
        *(
            (f"cycle {place}", _warmup_cosine(**one), length)
            for place, (one, length) in enumerate(zip(each, lengths, strict=True))
        )
    )


def _join(schedules: Sequence[Schedule | Mapping[str, Any]], boundaries: Sequence[int]) -> Schedule:
    members = [
        one if isinstance(one, Schedule) else from_optax(one["name"], **one["arguments"]) for one in schedules
    ]
    lengths = [after - before for before, after in zip((0, *boundaries), boundaries, strict=False)]
    return staged(
        *(
            (f"part {place}", member, length)
            for place, (member, length) in enumerate(zip(members, (*lengths, None), strict=True))
        )
    )


def _by_time(scales: Mapping[Any, float] | None) -> dict[int, float]:
    """Return the scales in order; the keys of a mapping that was written as JSON are texts."""
    return {
        time: float(scale)
        for time, scale in sorted((int(key), value) for key, value in (scales or {}).items())
    }


def _plateau(**_given: Any) -> Schedule:
    raise ValueError(
        "reduce_on_plateau follows a metric: it is the kind plateau, and fires exactly at the patience"
    )


_MAKERS: Mapping[str, Maker] = {
    "constant_schedule": Constant,
    "linear_schedule": _linear,
    "polynomial_schedule": _polynomial,
    "piecewise_constant_schedule": _piecewise_constant,
    "piecewise_interpolate_schedule": _interpolate,
    "exponential_decay": _exponential,
    "cosine_decay_schedule": _cosine,
    "linear_onecycle_schedule": _linear_onecycle,
    "cosine_onecycle_schedule": _cosine_onecycle,
    "warmup_constant_schedule": _warmup_constant,
    "warmup_cosine_decay_schedule": _warmup_cosine,
    "warmup_exponential_decay_schedule": _warmup_exponential,
    "sgdr_schedule": _sgdr,
    "join_schedules": _join,
    "reduce_on_plateau": _plateau,
}
