"""An optimizer's param groups: what they hold, and writing a row into them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Any, Literal, TypeAlias

import torch

from lrkeeper.torch.group import INITIAL, put, tracks_of, value_of
from lrkeeper.views import Group

Held: TypeAlias = Mapping[str, tuple[float, ...]]
"""Track → one double for each param group."""

_PACK = struct.Struct("<d").pack


def read(optimizer: torch.optim.Optimizer, tracks: Iterable[str] = ("lr",)) -> tuple[Group, ...]:
    """Return the groups as a run knows them. A group without an `initial_lr` has its lr as its base; others alike."""
    found = []
    for group in optimizer.param_groups:
        current = {track: value_of(group, track) for track in tracks}
        found.append(
            Group(
                name=group["name"] if isinstance(group.get("name"), str) else None,
                number=_number(group["lr"]),
                initial={track: float(group.get(INITIAL + track, now)) for track, now in current.items()},
                current=current,
            )
        )
    return tuple(found)


def tracks(optimizer: torch.optim.Optimizer) -> tuple[str, ...]:
    """Return the tracks that all groups have, the lr first."""
    found = [set(tracks_of(group)) for group in optimizer.param_groups]
    return ("lr", *sorted(set.intersection(*found) - {"lr"}))


def check(optimizer: torch.optim.Optimizer, tracks: Iterable[str], first: int = 0) -> None:
    """Raise ValueError or TypeError unless the groups, from one on, have all these tracks, as numbers."""
    for place, group in list(enumerate(optimizer.param_groups))[first:]:
        there = tracks_of(group)
        for track in tracks:
            if track == "lr" or track in there:  # every group has one, of whatever kind torch takes
                continue
            if track in group:
                raise TypeError(
                    f"param group {place} has {track}={group[track]!r}; the schedule moves it, so it must be a number"
                )
            advice = (
                " (of a torch class with cycle_momentum this must be False)" if track == "momentum" else ""
            )
            raise ValueError(
                f"the schedule moves {track}{advice}, and param group {place} of the {type(optimizer).__name__} "
                f"has only {', '.join(sorted(there))}"
            )


def keep_initial(optimizer: torch.optim.Optimizer, tracks: Iterable[str]) -> None:
    """Note the groups' present values as their base, as torch does with `initial_lr`; not where one is noted.

    They come with the optimizer's state dict, so a job that loads that first still begins from the same base.
    """
    for group in optimizer.param_groups:
        for track in tracks:
            if track != "lr":
                group.setdefault(INITIAL + track, value_of(group, track))


def kept_initial(optimizer: torch.optim.Optimizer) -> tuple[str, ...]:
    """Return the tracks whose base the first group has noted."""
    return tuple(key.removeprefix(INITIAL) for key in optimizer.param_groups[0] if key.startswith(INITIAL))


def values(
    optimizer: torch.optim.Optimizer, tracks: Iterable[str] = ("lr",), first: int | None = None
) -> Held:
    """Return what the groups hold; `first`: only so many of them, from the first on."""
    found = optimizer.param_groups[:first]
    return {track: tuple(value_of(group, track) for group in found) for track in tracks}


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
    for track, column in row.items():
        if track != "lr":
            for group, value in zip(optimizer.param_groups, column, strict=False):
                if _PACK(value_of(group, track)) != _PACK(value):
                    put(group, track, value)
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


def _number(lr: Any) -> Literal["float64", "float32"]:
    if isinstance(lr, torch.Tensor) and lr.dtype != torch.float64:
        if lr.dtype != torch.float32:
            raise TypeError(f"a param group's lr is a tensor of {lr.dtype}; it must be float32 or float64")
        return "float32"
    return "float64"
