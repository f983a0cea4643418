"""Golden numbers of Megatron-LM core: every style of `OptimizerParamScheduler`, lr and weight decay.

It counts samples: `step(increment)` adds a global batch.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from megatron.core.optimizer_param_scheduler import OptimizerParamScheduler

from scripts.goldens.write import Curve, Value, curve, write

_BATCH = 8
_STEPS = 100
_LR = {"init_lr": 0.0, "max_lr": 0.1, "min_lr": 0.01, "lr_warmup_steps": 80, "lr_decay_steps": 640}
_NO_WD = {"start_wd": 0.01, "end_wd": 0.01, "wd_incr_steps": 640, "wd_incr_style": "constant"}
_WSD = {**_LR, "lr_decay_style": "WSD", "wsd_decay_steps": 200, **_NO_WD}

# What is called a schedule here: the style of the lr, after WSD that of its decay; and of the weight decay
_CASES: dict[str, dict[str, dict[str, Any]]] = {
    **{
        style: {
            "warmup": {**_LR, "lr_decay_style": style, **_NO_WD},
            "no-warmup": {**_LR, "lr_warmup_steps": 0, "lr_decay_style": style, **_NO_WD},
            "init_lr": {**_LR, "init_lr": 0.005, "lr_warmup_steps": 100, "lr_decay_style": style, **_NO_WD},
        }
        for style in ("constant", "linear", "cosine", "inverse-square-root")
    },
    **{
        f"WSD {decay}": {
            "warmup": {**_WSD, "lr_wsd_decay_style": decay},
            "min_lr-0": {**_WSD, "min_lr": 0.0, "wsd_decay_steps": 333, "lr_wsd_decay_style": decay},
            "no-warmup": {**_WSD, "lr_warmup_steps": 0, "lr_wsd_decay_style": decay},
        }
        for decay in ("linear", "cosine", "exponential", "minus_sqrt")
    },
    **{
        f"weight decay {style}": {
            "to-the-end": {
                **_LR,
                "lr_decay_style": "cosine",
                "start_wd": 0.0 if style != "constant" else 0.1,
                "end_wd": 0.1,
                "wd_incr_steps": 640,
                "wd_incr_style": style,
            },
            "shorter": {
                **_LR,
                "lr_decay_style": "linear",
                "start_wd": 0.01 if style != "constant" else 0.2,
                "end_wd": 0.2,
                "wd_incr_steps": 300,
                "wd_incr_style": style,
            },
        }
        for style in ("constant", "linear", "cosine")
    },
}
_GROUPS: list[dict[str, Any]] = [{}, {"max_lr": 0.05, "min_lr": 0.02, "wd_mult": 0.5}]


def by_sample(name: str, case: str, groups: list[dict[str, Any]] | None = None) -> Curve:
    """A curve as the training loop drives it: a step of one global batch after the optimizer's."""
    arguments = _CASES[name][case]
    param_groups: list[dict[str, Any]] = [dict(group) for group in groups or [{}]]
    scheduler = OptimizerParamScheduler(SimpleNamespace(param_groups=param_groups), **arguments)
    lrs: list[Value] = []
    decays: list[Value] = []
    for _ in range(_STEPS):
        lrs.append(_read(param_groups, "lr"))
        decays.append(_read(param_groups, "weight_decay"))
        scheduler.step(_BATCH)
    note = f"a global batch of {_BATCH} samples a step"
    if groups is not None:
        note += f"; the groups hold {groups}"
    moved = {"weight_decay": decays} if name.startswith("weight") or groups is not None else None
    times = range(0, _STEPS * _BATCH, _BATCH)
    case = case if groups is None else f"{case}-groups"
    return curve(name, case, arguments, lrs, base=None, unit="sample", times=times, tracks=moved, note=note)


def curves() -> Iterator[Curve]:
    """All of them."""
    for name, cases in _CASES.items():
        yield from (by_sample(name, case) for case in cases)
    yield by_sample("cosine", "warmup", _GROUPS)
    yield by_sample("weight decay linear", "shorter", _GROUPS)


def _read(param_groups: list[dict[str, Any]], key: str) -> Value:
    values = [float(group[key]) for group in param_groups]
    return values if len(values) > 1 else values[0]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    write("megatron", curves(), library="megatron-core", names=_CASES)
