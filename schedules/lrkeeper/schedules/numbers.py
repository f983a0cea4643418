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
    scalar to float32. Division by zero gives infinity or nan, as a tensor's does. `scalar / tensor` is the
    reciprocal times the scalar; a power is rounded once, but for those that torch makes of products.
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
        return F32(_divided(float(self), to_float32(other)))

    def __rtruediv__(self, other: float) -> F32:
        return F32(_divided(1.0, float(self))) * other

    def __pow__(self, exponent: float) -> F32:  # type: ignore[override]  # never modulo anything
        if exponent == 3:
            return self * self * self
        if exponent == -2:
            return 1.0 / (self * self)
        return F32(_power(float(self), exponent))

    __radd__ = __add__
    __rmul__ = __mul__


class F64(float):
    """A float64 tensor among a schedule's arguments: a float, but that nothing raises for it.

    Source: torch's tensors of float64. A param group's lr needs no such kind: nothing is divided by it.
    """

    __slots__ = ()

    def __add__(self, other: float) -> F64:
        return F64(float(self) + other)

    def __sub__(self, other: float) -> F64:
        return F64(float(self) - other)

    def __rsub__(self, other: float) -> F64:
        return F64(other - float(self))

    def __mul__(self, other: float) -> F64:
        return F64(float(self) * other)

    def __truediv__(self, other: float) -> F64:
        return F64(_divided(float(self), float(other)))

    def __rtruediv__(self, other: float) -> F64:
        return F64(_divided(1.0, float(self))) * other

    def __pow__(self, exponent: float) -> F64:  # type: ignore[override]  # never modulo anything
        if exponent == 3:
            return self * self * self
        if exponent == -2:
            return 1.0 / (self * self)
        return F64(_power(float(self), exponent))

    __radd__ = __add__
    __rmul__ = __mul__


def _divided(dividend: float, divisor: float) -> float:
    if divisor != 0.0:
        return dividend / divisor
    if dividend == 0.0 or math.isnan(dividend):
        return math.nan
    return math.copysign(math.inf, dividend) * math.copysign(1.0, divisor)


def _power(base: float, exponent: float) -> float:
    """Return a power as a tensor has it, also where math.pow raises."""
    try:
        return math.pow(base, exponent)
    except (OverflowError, ValueError):
        if base < 0 and exponent % 1:
            return math.nan
        return math.copysign(math.inf, base) if exponent % 2 == 1 else math.inf


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


TENSORS: Mapping[str, type[F32] | type[F64]] = {"float32": F32, "float64": F64}
"""The kinds of number that tensors among a schedule's arguments are, by name."""


def kind_name(value: float) -> str:
    """Return the name of a tensor's kind; empty for a Python number."""
    return next((name for name, kind in TENSORS.items() if isinstance(value, kind)), "")


def of_kind(value: float, name: str) -> float:
    """Return a number in a kind by its name, as `kind_name` gives it."""
    return TENSORS[name](value) if name else value


def number(value: float) -> Real:
    """Return a float32 as it is, anything else as a float."""
    return value if type(value) is F32 else float(value)


def put(old: Real, new: float) -> Real:
    """Return what a param group holds when torch has put a number in an old one's place.

    Source: torch.optim.lr_scheduler._update_param_group_val: a tensor is filled, and keeps its kind; a Python
    number gives way to whatever comes, also to a tensor.
    """
    return F32(new) if type(old) is F32 else number(new)


def is_below(one: float, other: float) -> bool:
    """Compare as torch does: with a float32, in float32."""
    if type(one) is F32 or type(other) is F32:
        return to_float32(one) < to_float32(other)
    return one < other


def number_name(value: Real) -> str:
    """Return the name of a number's kind."""
    return "float32" if isinstance(value, F32) else "float64"


def kinds(row: Row, base: Row) -> dict[str, list[str]]:
    """Return the kinds of a row's numbers, by name, of the tracks where they are not those of the base."""
    found = {track: [number_name(value) for value in values] for track, values in row.items()}
    return {
        track: names
        for track, names in found.items()
        if names != [number_name(value) for value in base[track]]
    }


def of_kinds(row: Row, found: Mapping[str, Iterable[str]]) -> Row:
    """Return the row in the kinds that `kinds` has told. Raises KeyError, ValueError for others."""
    told = {
        track: tuple(NUMBERS[name](value) for name, value in zip(names, row[track], strict=True))
        for track, names in found.items()
    }
    return {**row, **told}


def cast_row(row: Mapping[str, Iterable[float]], like: Row) -> Row:
    """Return a row's values as the kinds of number that `like` has, in its order of tracks.

    Raises KeyError or ValueError if the row has other tracks or groups.
    """
    return {
        track: tuple(type(kind)(value) for kind, value in zip(kinds, row[track], strict=True))
        for track, kinds in like.items()
    }


def with_added(stored: Mapping[str, Sequence[float]], like: Row) -> Row:
    """Return a stored row as the kinds of number that `like` has, with its values for param groups added since."""
    return cast_row({track: (*values, *like[track][len(values) :]) for track, values in stored.items()}, like)
