"""An optimizer's param groups: what they hold, and writing a row into them.

The track "momentum" is a group's "momentum", or the first of its "betas".
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

import torch

from lrkeeper.views import Group

Held: TypeAlias = Mapping[str, tuple[float, ...]]
"""Track → one double for each param group."""

_PACK = struct.Struct("<d").pack


def read(optimizer: torch.optim.Optimizer, tracks: Iterable[str] = ("lr",)) -> tuple[Group, ...]:
    """Return the groups as a run knows them. A group without torch's `initial_lr` has its lr as its base."""
    found = []
    for group in optimizer.param_groups:
        current = {track: _value(group, track) for track in tracks}
        found.append(
            Group(
                name=group["name"] if isinstance(group.get("name"), str) else None,
                number=_number(group["lr"]),
                initial={**current, "lr": float(group.get("initial_lr", group["lr"]))},
                current=current,
            )
        )
    return tuple(found)


def tracks(optimizer: torch.optim.Optimizer) -> tuple[str, ...]:
    """Return the tracks that all groups have: the lr, and the momentum where there is any."""
    found = all("betas" in group or "momentum" in group for group in optimizer.param_groups)
    return ("lr", "momentum") if found else ("lr",)


def values(
    optimizer: torch.optim.Optimizer, tracks: Iterable[str] = ("lr",), first: int | None = None
) -> Held:
    """Return what the groups hold; `first`: only so many of them, from the first on."""
    found = optimizer.param_groups[:first]
    return {track: tuple(_value(group, track) for group in found) for track in tracks}


def same_bits(one: Held, other: Held) -> bool:
    """Return whether two rows of the same groups are equal bit for bit: 0.0 is not -0.0, nan is nan."""
    return all(
        len(values) == len(other[track]) and all(map(_same, values, other[track]))
        for track, values in one.items()
    )


def _same(one: float, other: float) -> bool:
    return _PACK(one) == _PACK(other)


def write(optimizer: torch.optim.Optimizer, row: Held) -> list[Any]:
    """Make the groups hold the row; return copies of the lrs they then hold.

    A tensor stays that tensor, written in place. Where the bits are the same nothing is touched, so an
    object that torch put there stays. Groups beyond the row's are left alone: they have been added since.
    """
    for group, momentum in zip(optimizer.param_groups, row.get("momentum", ()), strict=False):
        if _PACK(_value(group, "momentum")) != _PACK(momentum):
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum
    held = []
    for group, value in zip(optimizer.param_groups, row["lr"], strict=False):
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


def _value(group: dict[str, Any], track: str) -> float:
    if track == "momentum" and "betas" in group:
        return float(group["betas"][0])
    return float(group[track])


def _number(lr: Any) -> Literal["float64", "float32"]:
    if isinstance(lr, torch.Tensor) and lr.dtype != torch.float64:
        if lr.dtype != torch.float32:
            raise TypeError(f"a param group's lr is a tensor of {lr.dtype}; it must be float32 or float64")
        return "float32"
    return "float64"
