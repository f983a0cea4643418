"""Tensors among a torch scheduler's arguments, as the numbers that torch computes them in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import torch

from lrkeeper import schedules as S
from lrkeeper.schedules.numbers import F32, F64, kind_name

_NOT_KEPT: dict[type[S.Schedule], tuple[str, ...]] = {
    S.PolynomialLR: ("power",),  # how torch rounds float ** tensor is its vector library's affair
    S.ReduceLROnPlateau: ("min_lr",),  # torch puts this very tensor into the group, where others then write
}
_KINDS = {torch.float32: F32, torch.float64: F64}


def with_numbers(found: S.Schedule, optimizer: torch.optim.Optimizer) -> S.Schedule:
    """Return a definition with its tensors as numbers that compute as they do.

    Raises TypeError for tensors that are no number of float32 or float64, or that are numbers of steps; and
    where float32 meets float64, which torch computes in the wider of the two, and rounds where no definition says.
    """
    tensors = {}
    for name, (field, values) in _all_fields(found).items():
        if any(isinstance(value, torch.Tensor) for value in values):
            if name in _NOT_KEPT.get(type(found), ()) or not _is_kept(field, values):
                raise TypeError(
                    f"{type(found).__name__}: {name} is {getattr(found, name)!r}; it must hold no such tensor: "
                    "use a Python number"
                )
            numbers = tuple(map(_number, values))
            tensors[name] = numbers if isinstance(getattr(found, name), tuple) else numbers[0]
    if tensors:
        found = found.altered(**tensors)
    kinds = set(_kinds(found))
    lrs = [group["lr"] for group in optimizer.param_groups if isinstance(group["lr"], torch.Tensor)]
    if kinds and len(kinds | {str(lr.dtype).removeprefix("torch.") for lr in lrs}) > 1:
        raise TypeError(
            f"{type(found).__name__}: the tensors among its arguments, and the lr, are of float32 and of float64; "
            "they must be of one kind: use Python numbers"
        )
    return found


def _all_fields(found: S.Schedule) -> dict[str, tuple[str, tuple[Any, ...]]]:
    """Return each field's type and values, by name."""
    values = {field: getattr(found, field.name) for field in fields(found)}  # type: ignore[arg-type]
    return {
        field.name: (str(field.type), value if isinstance(value, tuple) else (value,))
        for field, value in values.items()
    }


def _is_kept(field: str, values: tuple[Any, ...]) -> bool:
    return field in ("float", "PerGroup") and all(
        value.dim() == 0 and value.dtype in _KINDS
        if isinstance(value, torch.Tensor)
        else isinstance(value, int | float)
        for value in values
    )


def _number(value: Any) -> Any:
    return _KINDS[value.dtype](value.item()) if isinstance(value, torch.Tensor) else value


def _kinds(found: S.Schedule) -> Iterator[str]:
    """Yield the kinds of the tensors that a definition has, members included."""
    for _, values in _all_fields(found).values():
        for value in values:
            if isinstance(value, S.Schedule):
                yield from _kinds(value)
            elif isinstance(value, float) and (name := kind_name(value)):
                yield name
