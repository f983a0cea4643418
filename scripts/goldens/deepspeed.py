"""Golden numbers of DeepSpeed: every name of `deepspeed.runtime.lr_schedules`.

The whole package is imported, with the CPU for its accelerator: `DS_ACCELERATOR=cpu`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from deepspeed.runtime import lr_schedules
from torch.optim import SGD, Adam

from scripts.goldens.loop import optimizer_with, run
from scripts.goldens.write import Curve, Value, curve, write

_TOTAL = {"total_num_steps": 80, "warmup_num_steps": 12}
_CYCLE = {"cycle_min_lr": 0.01, "cycle_max_lr": 0.2, "cycle_first_step_size": 20}
_LOW_HIGH = {"warmup_min_lr": 0.01, "warmup_max_lr": 0.2}

# class: case: arguments
_CASES: dict[str, dict[str, dict[str, Any]]] = {
    "WarmupLR": {
        "log": {"warmup_num_steps": 20},
        "log-low-high": {"warmup_num_steps": 30, **_LOW_HIGH},
        "linear": {"warmup_num_steps": 20, "warmup_type": "linear"},
        "linear-low-high": {"warmup_num_steps": 30, "warmup_type": "linear", **_LOW_HIGH},
        "one-step-is-two": {"warmup_num_steps": 1, "warmup_type": "linear"},
    },
    "WarmupDecayLR": {
        "log": {**_TOTAL},
        "log-low-high": {**_TOTAL, **_LOW_HIGH},
        "linear": {**_TOTAL, "warmup_type": "linear", "warmup_max_lr": 0.2},
        "linear-low-high": {**_TOTAL, "warmup_type": "linear", **_LOW_HIGH},
        "all-warmup": {
            "total_num_steps": 30,
            "warmup_num_steps": 30,
            "warmup_max_lr": 0.2,
            "warmup_type": "linear",
        },
    },
    "WarmupCosineLR": {
        "log": {**_TOTAL},
        "linear": {**_TOTAL, "warmup_type": "linear"},
        "ratios": {**_TOTAL, "warmup_min_ratio": 0.1, "cos_min_ratio": 0.05, "warmup_type": "linear"},
        "log-ratios": {**_TOTAL, "warmup_min_ratio": 0.2, "cos_min_ratio": 0.0},
        "shorter-than-warmup": {"total_num_steps": 8, "warmup_num_steps": 12, "warmup_type": "linear"},
    },
    "OneCycle": {
        "plain": {**_CYCLE, "cycle_momentum": False},
        "momentum": {**_CYCLE, "cycle_min_mom": 0.85, "cycle_max_mom": 0.95},
        "sizes": {**_CYCLE, "cycle_second_step_size": 35, "cycle_momentum": False},
        "decay": {**_CYCLE, "cycle_momentum": False, "decay_step_size": 10, "decay_lr_rate": 0.5},
        "decay-both": {
            **_CYCLE,
            "cycle_second_step_size": 25,
            "decay_step_size": 5,
            "decay_lr_rate": 0.1,
            "decay_mom_rate": 0.005,
        },
        "stairs": {
            **_CYCLE,
            "cycle_second_step_size": 30,
            "cycle_first_stair_count": 4,
            "cycle_second_stair_count": 5,
            "cycle_momentum": False,
        },
        "stairs-momentum": {**_CYCLE, "cycle_first_stair_count": 5},
    },
    "LRRangeTest": {
        "continuous": {"lr_range_test_min_lr": 0.01, "lr_range_test_step_size": 15},
        "rate": {
            "lr_range_test_min_lr": 0.001,
            "lr_range_test_step_size": 10,
            "lr_range_test_step_rate": 3.0,
        },
        "staircase": {
            "lr_range_test_min_lr": 0.01,
            "lr_range_test_step_size": 15,
            "lr_range_test_staircase": True,
        },
        "staircase-rate": {
            "lr_range_test_min_lr": 0.001,
            "lr_range_test_step_size": 7,
            "lr_range_test_step_rate": 0.5,
            "lr_range_test_staircase": True,
        },
    },
}
_NOTES = {
    "WarmupLR": "step 0 has warmup_min_lr, before the schedule has begun; step k has the schedule's index k-1",
    "WarmupDecayLR": "step 0 has warmup_min_lr, before the schedule has begun; step k has the schedule's index k-1",
    "WarmupCosineLR": "step 0 has 0, before the schedule has begun; step k has the schedule's index k-1",
    "OneCycle": "step 0 has cycle_min_lr and cycle_min_mom; step k has the schedule's index k-1, which counts k",
    "LRRangeTest": "step 0 has the lowest lr; step k has the schedule's index k-1, which counts k",
}


def by_step(name: str, case: str, base: Value = 0.1, more: dict[str, Any] | None = None) -> Curve:
    """A curve as the engine drives it: the scheduler steps after the optimizer."""
    arguments = _CASES[name][case] | (more or {})
    cycles_momentum = name == "OneCycle" and arguments.get("cycle_momentum", True)
    optimizer = optimizer_with(base, Adam if name == "OneCycle" else SGD)
    scheduler = getattr(lr_schedules, name)(optimizer, **arguments)
    track = "betas" if cycles_momentum else None
    values, tracks = run(optimizer, lambda _step: scheduler.step(), 95, track=track)
    note = _NOTES[name]
    if cycles_momentum:
        note += f"; betas is the first of them, the second becomes {optimizer.param_groups[0]['betas'][1]}"
    kind = "" if base == 0.1 else "-groups"
    return curve(name, case + kind, arguments, values, base=base, tracks=tracks, note=note)


def curves() -> Iterator[Curve]:
    """All of them."""
    for name, cases in _CASES.items():
        yield from (by_step(name, case) for case in cases)
    two: Value = [0.1, 0.002]
    yield by_step("WarmupLR", "linear", two)
    yield by_step("WarmupLR", "log-low-high", two, {"warmup_max_lr": [0.2, 0.05]})
    yield by_step("WarmupCosineLR", "ratios", two)


if __name__ == "__main__":
    logging.disable()
    write("deepspeed", curves(), library="deepspeed", names=lr_schedules.VALID_LR_SCHEDULES)
