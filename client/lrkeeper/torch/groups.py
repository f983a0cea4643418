"""An optimizer's param groups: what they hold, and writing a row into them."""

from __future__ import annotations

import struct
from typing import Any, Literal

import torch

from lrkeeper.views import Group

_PACK = struct.Struct("<d").pack


def read(optimizer: torch.optim.Optimizer) -> tuple[Group, ...]:
    """Return the groups as a run knows them; `initial_lr` must have been set."""
    return tuple(
        Group(
            name=group["name"] if isinstance(group.get("name"), str) else None,
            number=_number(group["lr"]),
            initial={"lr": float(group["initial_lr"])},
            current={"lr": float(group["lr"])},
        )
        for group in optimizer.param_groups
    )


def values(optimizer: torch.optim.Optimizer) -> tuple[float, ...]:
    """Return each group's lr as a double."""
    return tuple(float(group["lr"]) for group in optimizer.param_groups)


def write(optimizer: torch.optim.Optimizer, row: tuple[float, ...]) -> list[Any]:
    """Make each group's lr the row's; return copies of what the groups then hold.

    A tensor stays that tensor, written in place. Where the bits are the same nothing is touched, so an
    object that torch put there stays.
    """
    held = []
    for group, value in zip(optimizer.param_groups, row, strict=True):
        lr = group["lr"]
        if isinstance(lr, torch.Tensor):
            if _PACK(lr.item()) != _PACK(value):
                lr.fill_(value)
            held.append(lr.clone())
        else:
            if _PACK(lr) != _PACK(value):
                group["lr"] = lr = value
            held.append(lr)
    return held


def _number(lr: Any) -> Literal["float64", "float32"]:
    if isinstance(lr, torch.Tensor) and lr.dtype != torch.float64:
        if lr.dtype != torch.float32:
            raise TypeError(f"a param group's lr is a tensor of {lr.dtype}; it must be float32 or float64")
        return "float32"
    return "float64"
