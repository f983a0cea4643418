"""Numbers of param groups that quick steps write: each knows whether another hand has written it since."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import torch

from lrkeeper.torch.group import BETAS


class Number:
    """A plain number of a group."""

    __slots__ = ("_group", "_held", "_key")

    def __init__(self, group: dict[str, Any], key: str) -> None:
        self._group, self._key, self._held = group, key, group[key]

    @property
    def unchanged(self) -> bool:
        """Whether the group has what was written last, the object itself."""
        return self._group[self._key] is self._held

    @property
    def value(self) -> float:
        """What was written last."""
        return float(self._held)

    @property
    def copy(self) -> Any:
        """What was written last, as `get_last_lr` gives it."""
        return self._held

    def put(self, value: float) -> None:
        """Write."""
        self._group[self._key] = self._held = value


class InTensor:
    """A number in a tensor of a group, which is written in place."""

    __slots__ = ("_group", "_held", "_key", "_value", "_version")

    def __init__(self, group: dict[str, Any], key: str) -> None:
        self._group, self._key, self._held = group, key, group[key]
        self._value, self._version = float(self._held), self._held._version

    @property
    def unchanged(self) -> bool:
        """Whether the group has the tensor, and nobody has written into it: torch counts that."""
        return self._group[self._key] is self._held and self._held._version == self._version

    @property
    def value(self) -> float:
        """What was written last."""
        return self._value

    @property
    def copy(self) -> Any:
        """A tensor of what was written last."""
        return self._held.clone()

    def put(self, value: float) -> None:
        """Write, unless it is there."""
        if value != self._value or not value:  # a zero has a sign
            self._held.fill_(value)
            self._value, self._version = value, self._held._version


class _Betas:
    """The betas of a group, as they were written last."""

    __slots__ = ("group", "held")

    def __init__(self, group: dict[str, Any]) -> None:
        self.group, self.held = group, group["betas"]


class InBetas:
    """One of the betas of a group, which are written as a new tuple."""

    __slots__ = ("_betas", "_place")

    def __init__(self, betas: _Betas, place: int) -> None:
        self._betas, self._place = betas, place

    @property
    def unchanged(self) -> bool:
        """Whether the group has the betas that were written last, the tuple itself."""
        return self._betas.group["betas"] is self._betas.held

    @property
    def value(self) -> float:
        """What was written last."""
        return float(self._betas.held[self._place])

    @property
    def copy(self) -> Any:
        """What was written last."""
        return self._betas.held[self._place]

    def put(self, value: float) -> None:
        """Write."""
        betas, place = self._betas, self._place
        betas.group["betas"] = betas.held = (*betas.held[:place], value, *betas.held[place + 1 :])


Cell: TypeAlias = Number | InTensor | InBetas


def cells_of(groups: Iterable[dict[str, Any]], tracks: Iterable[str]) -> list[Cell] | None:
    """Return the numbers of the groups, track by track; None where one is of another kind than these."""
    groups = list(groups)
    betas = [_Betas(group) if isinstance(group.get("betas"), tuple) else None for group in groups]
    found: list[Cell] = []
    for track in tracks:
        for group, pair in zip(groups, betas, strict=True):
            if track in BETAS and "betas" in group:
                if pair is None or type(pair.held[BETAS[track]]) not in (float, int):
                    return None
                found.append(InBetas(pair, BETAS[track]))
            elif isinstance(group[track], torch.Tensor):
                found.append(InTensor(group, track))
            elif type(group[track]) in (float, int):
                found.append(Number(group, track))
            else:
                return None
    return found
