"""The numbers a param group computes in: Python floats, or float32 as torch's float32 tensors do."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias, cast

_FLOAT32 = struct.Struct("<f")


def to_float32(value: float) -> float:
    """Return the float32 nearest to `value`; infinity beyond float32's range, as a cast gives."""
    try:
        return cast(float, _FLOAT32.unpack(_FLOAT32.pack(value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


class F32(float):
    """A float32: every operation rounds, and the other operand is rounded first.

    Source: torch computes `tensor * scalar` of a float32 tensor in float32, after casting the Python
    scalar to float32. Division by zero gives infinity or nan, as a tensor's does.
    """

    __slots__ = ()

    def __new__(cls, value: float) -> F32:
        return super().__new__(cls, to_float32(value))

    def __add__(self, other: float) -> F32:
        return F32(float(self) + to_float32(other))

    def __sub__(self, other: float) -> F32:
        return F32(float(self) - to_float32(other))

    def __rsub__(self, other: float) -> F32:
        return F32(to_float32(other) - float(self))

    def __mul__(self, other: float) -> F32:
        return F32(float(self) * to_float32(other))

    def __truediv__(self, other: float) -> F32:
        divisor = to_float32(other)
        if divisor != 0.0:
            return F32(float(self) / divisor)
        if self == 0.0 or math.isnan(self):
            return F32(math.nan)
        return F32(math.copysign(math.inf, self) * math.copysign(1.0, divisor))

    __radd__ = __add__
    __rmul__ = __mul__


Real: TypeAlias = float | F32
"""One hyperparameter of one param group."""

Steps: TypeAlias = float
"""A number of steps, or a step. Whole ones are ints; torch takes others too."""

Row: TypeAlias = Mapping[str, tuple[Real, ...]]
"""The values at one step: track → one number for each param group."""


class Base(dict[str, tuple[Real, ...]]):
    """The base row, with what a schedule of several hyperparameters asks of it besides the values.

    Args:
        values: track → one number for each param group.
        names: the param groups' names; None where a group has none.
        totals: how long it all goes on, by what is counted ("steps"), where that is known.
    """

    def __init__(
        self,
        values: Row,
        names: Sequence[str | None] = (),
        totals: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(values)
        self.names = tuple(names)
        self.totals = totals or {}


def names_of(base: Row) -> tuple[str | None, ...]:
    """Return the names of a base row's param groups; None for each where it has no names."""
    names = base.names if isinstance(base, Base) else ()
    return names or (None,) * len(base["lr"])


def totals_of(base: Row) -> Mapping[str, float]:
    """Return how long it all goes on, by what is counted, as far as a base row says."""
    return base.totals if isinstance(base, Base) else {}


NUMBERS: Mapping[str, Callable[[float], Real]] = {"float64": float, "float32": F32}
"""The kinds of number by name."""


def number_name(value: Real) -> str:
    """Return the name of a number's kind."""
    return "float32" if isinstance(value, F32) else "float64"


def cast_row(row: Mapping[str, Iterable[float]], like: Row) -> Row:
    """Return a row's values as the kinds of number that `like` has, in its order of tracks.

    Raises KeyError or ValueError if the row has other tracks or groups.
    """
    return {
        track: tuple(type(kind)(value) for kind, value in zip(kinds, row[track], strict=True))
        for track, kinds in like.items()
    }
