"""The schedule of Megatron-LM (`OptimizerParamScheduler`), which counts samples. Source: megatron-core 0.16.1."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from lrkeeper.schedules.composable.affine import Affine
from lrkeeper.schedules.composable.constant import Constant
from lrkeeper.schedules.composable.power import Power
from lrkeeper.schedules.composable.ramp import Ramp
from lrkeeper.schedules.composable.warp import Warp
from lrkeeper.schedules.importers.stages import span_of, staged
from lrkeeper.schedules.importers.telling import tells
from lrkeeper.schedules.schedule import Schedule

_WSD: Mapping[str, Mapping[str, Any]] = {
    "linear": {},
    "cosine": {"ease": "cosine"},
    "exponential": {"ease": "exponential"},
    "minus_sqrt": {"ease": "power", "power": 0.5},
}


@tells
def from_megatron(
    *,
    max_lr: float,
    lr_decay_style: str,
    init_lr: float = 0.0,
    min_lr: float = 0.0,
    lr_warmup_steps: float = 0,
    lr_decay_steps: float = 0,
    wsd_decay_steps: float | None = None,
    lr_wsd_decay_style: str = "exponential",
    unit: str = "samples",
    **_weight_decay: Any,
) -> Schedule:
    """Return the lr's schedule of an OptimizerParamScheduler with the same arguments; `unit` is what its step counts.

    A param group with a `max_lr` or `min_lr` of its own has a schedule of its own. Another is the weight decay's.

    Raises:
        ValueError: an unknown style, or an annealing that begins in the warmup.
    """
    warmup = ("warmup", Ramp(span_of(lr_warmup_steps or 1, unit), begin=init_lr, end=max_lr), lr_warmup_steps)
    made = partial(staged, unit=unit, boundary="earlier")
    rest = lr_decay_steps - lr_warmup_steps
    if lr_decay_style == "constant":
        return made(warmup, ("stable", Constant(max_lr), None))
    if lr_decay_style == "inverse-square-root":
        fall: Schedule = Power(span_of(max(1, lr_warmup_steps), unit), begin=max_lr)
        if not lr_warmup_steps:
            fall = Warp(fall, shift=span_of(-1, unit))
        return made(warmup, ("decay", Affine(fall, low=min_lr), rest), ("end", Constant(min_lr), None))
    if lr_decay_style in ("linear", "cosine"):
        fall = Ramp(span_of(rest, unit), begin=max_lr, end=min_lr, ease=lr_decay_style)
        return made(warmup, ("decay", fall, None))
    if lr_decay_style != "WSD":
        styles = "'constant', 'linear', 'cosine', 'inverse-square-root' or 'WSD'"
        raise ValueError(f"lr_decay_style is {lr_decay_style!r}; it must be {styles}")
    if wsd_decay_steps is None or lr_wsd_decay_style not in _WSD:
        raise ValueError(
            f"WSD needs wsd_decay_steps, and lr_wsd_decay_style as {' or '.join(map(repr, _WSD))}; "
            f"they are {wsd_decay_steps!r} and {lr_wsd_decay_style!r}"
        )
    if wsd_decay_steps > rest:
        raise ValueError(f"wsd_decay_steps is {wsd_decay_steps:g}; there are {rest:g} after the warmup")
    fall = Ramp(span_of(wsd_decay_steps, unit), begin=max_lr, end=min_lr, **_WSD[lr_wsd_decay_style])
    return made(warmup, ("stable", Constant(max_lr), rest - wsd_decay_steps), ("decay", fall, None))


def weight_decay_from_megatron(
    *,
    start_wd: float,
    end_wd: float,
    wd_incr_steps: float = 0,
    wd_incr_style: str = "constant",
    unit: str = "samples",
    **_lr: Any,
) -> Schedule:
    """Return the weight decay's schedule of an OptimizerParamScheduler. A group's `wd_mult` scales it.

    Raises ValueError for an unknown style.
    """
    if wd_incr_style == "constant":
        return Constant(end_wd)
    if wd_incr_style not in ("linear", "cosine"):
        raise ValueError(f"wd_incr_style is {wd_incr_style!r}; it must be 'constant', 'linear' or 'cosine'")
    return Ramp(span_of(wd_incr_steps, unit), begin=start_wd, end=end_wd, ease=wd_incr_style)
