"""Golden numbers of timm: every schedule of `timm.scheduler`, but for noise.

Noise is drawn from torch's generator anew at each t: no formula has it.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from scripts.goldens.bare import bare
from scripts.goldens.loop import optimizer_with, run
from scripts.goldens.write import Curve, Value, accuracies, curve, losses, write

bare("timm")  # its __init__ imports the models, and they torchvision
_TIMM = import_module("timm.scheduler")
_UPDATES = 3  # in an epoch, where a schedule counts updates

_WARMUP = {"warmup_t": 10, "warmup_lr_init": 0.001}
_PREFIX = {**_WARMUP, "warmup_prefix": True}
_OVERLAY = {**_WARMUP, "warmup_prefix": False}
_CYCLES = {"cycle_mul": 1.5, "cycle_decay": 0.5, "cycle_limit": 3}
_EQUAL_CYCLES = {"t_initial": 25, "cycle_decay": 0.7, "cycle_limit": 3}

# class: case: arguments
_CASES: dict[str, dict[str, dict[str, Any]]] = {
    "CosineLRScheduler": {
        "plain": {"t_initial": 70},
        "lr_min": {"t_initial": 70, "lr_min": 0.005},
        "overlay": {"t_initial": 70, "lr_min": 0.005, **_OVERLAY},
        "prefix": {"t_initial": 70, "lr_min": 0.005, **_PREFIX},
        "equal-cycles": {**_EQUAL_CYCLES, "lr_min": 0.002},
        "growing-cycles": {"t_initial": 15, **_CYCLES},
        "double-cycles-prefix": {
            "t_initial": 10,
            **_PREFIX,
            "cycle_mul": 2.0,
            "cycle_limit": 3,
            "lr_min": 0.001,
        },
        "k_decay": {"t_initial": 70, "k_decay": 1.7, "lr_min": 0.001},
        "k_decay-cycles-overlay": {
            "t_initial": 20,
            "k_decay": 0.5,
            **_OVERLAY,
            "cycle_decay": 0.8,
            "cycle_limit": 3,
        },
    },
    "TanhLRScheduler": {
        "plain": {"t_initial": 70},
        "bounds": {"t_initial": 70, "lb": -4.0, "ub": 4.0, "lr_min": 0.003},
        "overlay": {"t_initial": 70, **_OVERLAY},
        "prefix": {"t_initial": 70, "lr_min": 0.001, **_PREFIX},
        "equal-cycles": {**_EQUAL_CYCLES, "lb": -3.0, "ub": 2.0},
        "growing-cycles": {"t_initial": 15, **_CYCLES, "lr_min": 0.001},
    },
    "PolyLRScheduler": {
        "plain": {"t_initial": 70},
        "square": {"t_initial": 70, "power": 2.0, "lr_min": 0.004},
        "overlay": {"t_initial": 70, "power": 1.0, **_OVERLAY},
        "prefix": {"t_initial": 70, "power": 0.9, **_PREFIX},
        "k_decay": {"t_initial": 70, "power": 1.5, "k_decay": 2.0, "lr_min": 0.001},
        "equal-cycles": {**_EQUAL_CYCLES, "power": 1.0, "lr_min": 0.001},
        "growing-cycles": {"t_initial": 15, **_CYCLES, "power": 2.0},
    },
    "MultiStepLRScheduler": {
        "plain": {"decay_t": [20, 45, 60], "decay_rate": 0.3},
        "prefix": {"decay_t": [20, 45], "decay_rate": 0.1, **_PREFIX},
        "overlay": {"decay_t": [5, 20, 45], "decay_rate": 0.5, **_OVERLAY},
        "milestone-twice": {"decay_t": [1, 30, 30], "decay_rate": 0.5},
    },
    "StepLRScheduler": {
        "plain": {"decay_t": 20, "decay_rate": 0.5},
        "prefix": {"decay_t": 15, "decay_rate": 0.3, **_PREFIX},
        "overlay": {"decay_t": 8, "decay_rate": 0.8, **_OVERLAY},
        "fraction": {"decay_t": 7.5, "decay_rate": 0.9},
    },
    "WSDLRScheduler": {
        **{
            f"{decay}": {"t_initial": 70, "decay_t": 25, "decay_fn": decay, "lr_min": 0.001, **_WARMUP}
            for decay in ("linear", "1-sqrt", "cosine")
        },
        "power": {"t_initial": 70, "decay_t": 25, "decay_fn": "power", "decay_power": 2.0, **_WARMUP},
        "exp": {"t_initial": 70, "decay_t": 25, "decay_fn": "exp", "decay_ratio": 0.05, **_WARMUP},
        "defaults-no-warmup": {"t_initial": 70, "decay_t": 15},
        "rsqrt": {"t_initial": 70, "decay_t": 20, "stable_fn": "rsqrt", "decay_fn": "linear", **_WARMUP},
        "stable-power": {
            "t_initial": 70,
            "decay_t": 20,
            "lr_min": 0.03,
            "stable_fn": "power",
            "stable_power": 0.8,
            "stable_timescale": 12,
        },
    },
}
_PLATEAU: dict[str, tuple[list[float], dict[str, Any]]] = {
    "max": (accuracies(120), {"decay_rate": 0.5, "patience_t": 3}),
    "min-warmup": (losses(120), {"mode": "min", "patience_t": 2, "decay_rate": 0.3, **_WARMUP}),
    "cooldown-lr_min": (losses(120), {"mode": "min", "patience_t": 2, "cooldown_t": 4, "lr_min": 0.004}),
}


def by_time(name: str, case: str, *, base: Value = 0.1, lr_scale: list[float] | None = None) -> Curve:
    """A curve over epochs, each of one step."""
    arguments = _CASES[name][case]
    optimizer = optimizer_with(base)
    for group, scale in zip(optimizer.param_groups, lr_scale or [], strict=False):
        group["lr_scale"] = scale
    scheduler = getattr(_TIMM, name)(optimizer, **arguments)
    values, _ = run(optimizer, lambda step: scheduler.step(step + 1), 95)
    scaled = None if lr_scale is None else f"the groups have lr_scale {lr_scale}"
    kind = "" if base == 0.1 else "-groups"
    return curve(name, case + kind, arguments, values, base=base, unit="epoch", note=scaled)


def by_update(name: str, case: str) -> Curve:
    """A curve over updates: epochs are told of as well, and move nothing."""
    arguments = {**_CASES[name][case], "t_in_epochs": False}
    optimizer = optimizer_with(0.1)
    scheduler = getattr(_TIMM, name)(optimizer, **arguments)

    def after(step: int) -> None:
        scheduler.step_update(step + 1)
        if (step + 1) % _UPDATES == 0:
            scheduler.step((step + 1) // _UPDATES)

    values, _ = run(optimizer, after, 95)
    return curve(name, f"{case}-updates", arguments, values, base=0.1, unit="step")


def by_metric(case: str) -> Curve:
    """A curve of the plateau schedule, an epoch of one step for each report."""
    metrics, arguments = _PLATEAU[case]
    optimizer = optimizer_with(0.1)
    scheduler = _TIMM.PlateauLRScheduler(optimizer, **arguments)
    values, _ = run(optimizer, lambda step: scheduler.step(step + 1, metrics[step]), len(metrics) + 1)
    note = "a report up to and with epoch warmup_t is not looked at"
    return curve(
        "PlateauLRScheduler", case, arguments, values, base=0.1, unit="epoch", metrics=metrics, note=note
    )


def curves() -> Iterator[Curve]:
    """All of them."""
    for name, cases in _CASES.items():
        yield from (by_time(name, case) for case in cases)
        yield by_update(name, list(cases)[-1])
    yield by_time("CosineLRScheduler", "prefix", base=[0.1, 0.02], lr_scale=[1.0, 0.5])
    yield by_time("TanhLRScheduler", "overlay", base=[0.1, 0.02])
    yield from (by_metric(case) for case in _PLATEAU)


if __name__ == "__main__":
    warnings.simplefilter("ignore", FutureWarning)  # plateau is deprecated
    names = [name for name, made in vars(_TIMM).items() if inspect.isclass(made)]
    write("timm", curves(), library="timm", names=names, note="noise_range_t is left out")
