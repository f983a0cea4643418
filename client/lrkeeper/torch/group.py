"""One param group: the numbers that it has.

The track "momentum" is a group's "momentum", or the first of its "betas"; "beta2" is the second of them. Any
other one is the number that the group has by that key.
"""

from __future__ import annotations

from typing import Any

import torch

INITIAL = "initial_"
"""What stands in a group before a track's name for its base value, as in torch's "initial_lr"."""

BETAS = {"momentum": 0, "beta2": 1}


def value_of(group: dict[str, Any], track: str) -> float:
    """Return what a group has."""
    if track in BETAS and "betas" in group:
        return float(group["betas"][BETAS[track]])
    return float(group[track])


def put(group: dict[str, Any], track: str, value: float) -> None:
    """Write what a group has; a tensor in place."""
    betas = group.get("betas") if track in BETAS else None
    held = group[track] if betas is None else betas[BETAS[track]]
    if isinstance(held, torch.Tensor):
        held.fill_(value)
    elif betas is None:
        group[track] = value
    else:
        place = BETAS[track]
        group["betas"] = (*betas[:place], value, *betas[place + 1 :])


def tracks_of(group: dict[str, Any]) -> list[str]:
    """Return the tracks that a group has, those that are no numbers left out."""
    found = [key for key, value in group.items() if _is_number(value) and not key.startswith(INITIAL)]
    betas = group.get("betas", ())
    return found + [
        track for track, place in BETAS.items() if place < len(betas) and _is_number(betas[place])
    ]


def _is_number(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.numel() == 1 and value.is_floating_point()
    return isinstance(value, int | float) and not isinstance(value, bool)
