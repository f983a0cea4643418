"""From a torch scheduler to where its evaluation stands: memory, base row and row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.optim import lr_scheduler as torch_schedulers
from torch.optim.swa_utils import SWALR

from lrkeeper.schedules.numbers import F32, Base, Real, Row
from lrkeeper.schedules.schedule import Memory
from lrkeeper.schedules.torch_schedule import with_base
from lrkeeper.torch import groups
from lrkeeper.torch.group import INITIAL

_READ_NO_BASE = (
    torch_schedulers.CyclicLR,
    torch_schedulers.MultiplicativeLR,
    torch_schedulers.OneCycleLR,
    SWALR,
)
_ATTRIBUTES: dict[type, tuple[str, ...]] = {
    torch_schedulers.CosineAnnealingWarmRestarts: ("last_epoch", "T_cur", "T_i"),
    torch_schedulers.ReduceLROnPlateau: ("last_epoch", "best", "cooldown_counter", "num_bad_epochs"),
    SWALR: ("last_epoch", "_step_count"),
}


def memory_of(scheduler: Any) -> Memory:
    """Return the memory from which the scheduler's definition goes on as the scheduler's `step()` would.

    It belongs to the row that the groups hold, and to `base_of` the optimizer as the run's base.
    """
    if isinstance(scheduler, torch_schedulers.ChainedScheduler):
        return [memory_of(member) for member in scheduler._schedulers]
    if isinstance(scheduler, torch_schedulers.SequentialLR):
        return [scheduler.last_epoch, [memory_of(member) for member in scheduler._schedulers]]
    names = next((names for cls, names in _ATTRIBUTES.items() if isinstance(scheduler, cls)), ())
    memory: Memory = [getattr(scheduler, name) for name in names] or scheduler.last_epoch
    if isinstance(scheduler, (*_READ_NO_BASE, torch_schedulers.ReduceLROnPlateau)):
        return memory
    own = {"lr": tuple(number_of(lr) for lr in scheduler.base_lrs)}
    base = base_of(scheduler.optimizer)["lr"][: len(own["lr"])]  # groups may have been added since
    return with_base(memory, own, {"lr": base})


def row_of(optimizer: torch.optim.Optimizer, tracks: Iterable[str] = ("lr",)) -> Row:
    """Return what the param groups hold. Raises TypeError for a tensor that is no float32 or float64."""
    lrs = tuple(number_of(group["lr"]) for group in optimizer.param_groups)
    return {**groups.values(optimizer, tracks), "lr": lrs}


def base_of(optimizer: torch.optim.Optimizer, tracks: Iterable[str] = ("lr",)) -> Row:
    """Return the base row: each group's `initial_lr`, in the kind of number that its lr is."""
    row = row_of(optimizer, tracks)
    found = {
        track: tuple(
            type(now)(float(group.get(INITIAL + track, now)))
            for group, now in zip(optimizer.param_groups, values, strict=True)
        )
        for track, values in row.items()
    }
    names = (group.get("name") for group in optimizer.param_groups)
    return Base(found, [name if isinstance(name, str) else None for name in names])


def number_of(value: Any) -> Real:
    """Return a number or tensor as the kind of number that torch computes it in."""
    if isinstance(value, torch.Tensor) and value.dtype != torch.float64:
        if value.dtype != torch.float32:
            raise TypeError(f"an lr is a tensor of {value.dtype}; it must be float32 or float64")
        return F32(value.item())
    return float(value)
