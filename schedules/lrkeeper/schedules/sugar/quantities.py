"""Numbers with units, as people write them: "2000ba", "1.5Mtok", "10%", "0.1x", "$peak"."""

from __future__ import annotations

import re
import reprlib
from decimal import Decimal
from math import isfinite
from typing import Any, NamedTuple

from lrkeeper.schedules.shape import DefinitionError

_QUANTITY = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?)?\s*(.*?)\s*", re.ASCII)
_PARAMETER = re.compile(r"\$(?:([A-Za-z0-9_]+)|\((.+)\))", re.ASCII)


class Quantity(NamedTuple):
    """A number, exact, if there is one, and what follows it."""

    number: Decimal | None
    unit: str


def quantity(text: str) -> Quantity:
    """Return a text's number and the unit after it."""
    match = _QUANTITY.fullmatch(text[:100])
    assert match is not None  # anything is a unit
    number, unit = match.groups()
    if number is None or not isfinite(float(number)):
        return Quantity(None, text if number else unit)
    return Quantity(Decimal(number), unit)


def parameter(text: str) -> str | None:
    """Return the parameter, or the expression of some, that a text means: "$peak", "$(total_steps - warmup_steps)"."""
    match = _PARAMETER.fullmatch(text.strip())
    return (match.group(1) or match.group(2).strip() or None) if match else None


def plain(number: Decimal) -> int | float:
    """Return a number as JSON has it: whole if it is whole."""
    value = float(number)
    return int(value) if value.is_integer() and abs(value) < 1 << 53 else value


def finite(value: Any, path: str, wanted: str) -> None:
    """Raise DefinitionError unless a value is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise DefinitionError(path, f"is {reprlib.repr(value)}; it must be {wanted}")
    try:
        good = isfinite(float(value))
    except OverflowError:
        good = False
    if not good:
        raise DefinitionError(path, f"is {reprlib.repr(value)}; it must be finite: {wanted}")
