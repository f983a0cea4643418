"""The definitions of CyclicLR and OneCycleLR, which keep what follows from their arguments, not these."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from lrkeeper import schedules as S
from lrkeeper.schedules.torch_schedule import each


def same_for_all(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return one value where all param groups have the same."""
    found = tuple(values)
    return found[:1] if all(value is found[0] or value == found[0] for value in found) else found


def cyclic_lr(scheduler: Any) -> S.Schedule:
    """Return the definition of a CyclicLR; total_size and step_ratio only where no step sizes give them.

    Raises TypeError where torch has put its own base_lr, a tensor, into a param group: it then moves with the lr.
    """
    for group, base_lr in zip(scheduler.optimizer.param_groups, scheduler.base_lrs, strict=False):
        if group["lr"] is base_lr and isinstance(base_lr, torch.Tensor):
            raise TypeError(
                "CyclicLR: base_lr is a tensor and the param group's lr a Python number: torch makes them one "
                "tensor, so that the base moves with the lr; use two numbers, or a tensor lr in the optimizer"
            )
    total, ratio = scheduler.total_size, scheduler.step_ratio
    up = round(ratio * total, 9)
    exact = up + (total - up) == total and total != 0 and up / total == ratio
    momentums: dict[str, Any] = {}
    if scheduler.cycle_momentum:
        momentums["base_momentum"] = same_for_all(scheduler.base_momentums)
        momentums["max_momentum"] = same_for_all(scheduler.max_momentums)
    return S.CyclicLR.unchecked(
        base_lr=same_for_all(scheduler.base_lrs),
        max_lr=same_for_all(scheduler.max_lrs),
        step_size_up=up,
        step_size_down=None if total - up == up else total - up,
        mode=scheduler.mode,
        gamma=scheduler.gamma,
        custom_scale_fn=scheduler._scale_fn_custom is not None,
        scale_mode="iterations" if scheduler.scale_mode != "cycle" else "cycle",
        cycle_momentum=scheduler.cycle_momentum,
        total_size=None if exact else total,
        step_ratio=None if exact else ratio,
        **momentums,
    )


def one_cycle_lr(scheduler: Any) -> S.Schedule:
    """Return the definition of a OneCycleLR, read from the param groups, where it keeps its numbers."""
    groups = scheduler.optimizer.param_groups
    keys = ["max_lr", "initial_lr", "min_lr"]
    if scheduler.cycle_momentum:
        keys += ["base_momentum", "max_momentum"]
    phases = scheduler._schedule_phases
    found = S.OneCycleLR.unchecked(
        total_steps=scheduler.total_steps,
        anneal_strategy=_anneal_strategy(scheduler),
        cycle_momentum=scheduler.cycle_momentum,
        three_phase=len(phases) == 3,
        phase_end_steps=tuple(phase["end_step"] for phase in phases),
        **{key: same_for_all(group[key] for group in groups) for key in keys},
    )
    for key, argument, quotient in (
        ("phase_end_steps", "pct_start", (phases[0]["end_step"] + 1, found.total_steps)),
        ("initial_lr", "div_factor", (groups[0]["max_lr"], groups[0]["initial_lr"])),
        ("min_lr", "final_div_factor", (groups[0]["initial_lr"], groups[0]["min_lr"])),
    ):
        found = _with_argument(found, key, argument, quotient, len(groups))
    return found


def _anneal_strategy(scheduler: Any) -> str:
    """Return the strategy's name; books of an older torch hold the function instead."""
    if not hasattr(scheduler, "_anneal_func_type"):
        return "linear" if scheduler.anneal_func.__name__ == "_annealing_linear" else "cos"
    name: str = scheduler._anneal_func_type
    return name


def _with_argument(
    found: S.OneCycleLR, key: str, argument: str, quotient: tuple[Any, Any], groups: int
) -> S.OneCycleLR:
    """Return the definition with torch's argument in the place of what followed from it, if one gives it."""
    dividend, divisor = quotient
    if not divisor or isinstance(dividend / divisor, torch.Tensor):
        return found
    for value in (round(dividend / divisor, 9), dividend / divisor):
        other = found.altered(**{argument: value, key: ()})
        try:
            if _derived(other, key, groups) == _derived(found, key, groups):
                return other
        except ZeroDivisionError:
            continue
    return found


def _derived(found: S.OneCycleLR, key: str, groups: int) -> tuple[float, ...]:
    if key == "phase_end_steps":
        return tuple(found.ends)
    lrs = found.initial_lrs if key == "initial_lr" else found.min_lrs
    return tuple(each(lrs, range(groups)))
