"""The schedules of the simulation: the value at a step tells the definition's number and the step."""

from __future__ import annotations

from random import Random

from lrkeeper import schedules as S
from lrkeeper.schedules import Schedule

BASES = (1.0, 0.5, 0.25)
"""Base values of the param groups: powers of two, so that a product has the bits of its other factor."""


def a_definition(kind: str, number: int, random: Random) -> Schedule:
    """Return a definition of a kind that has this number, as no other has."""
    if kind == "tokens":
        return S.Expression(f"base * ({number} + tokens / 1073741824)")
    if kind == "exponential" and random.random() < 0.7:
        return S.ExponentialLR(gamma=1 - number / 1024)
    return S.Expression(f"base * ({number} + step / 1048576)")
