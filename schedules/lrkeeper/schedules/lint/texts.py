"""Lengths as a schedule file says them."""

from __future__ import annotations

_SHORT = {"steps": "ba", "epochs": "ep", "samples": "sp", "tokens": "tok", "fraction": "dur"}


def text(unit: str, amount: float) -> str:
    """Return a length as it is written in a schedule file."""
    return f"{amount:.15g}{_SHORT[unit]}"


def same(one: float, other: float) -> bool:
    """Return whether two lengths are the same, but for rounding."""
    return abs(one - other) <= 1e-9 * max(abs(one), abs(other))
