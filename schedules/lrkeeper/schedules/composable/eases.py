"""How a ramp goes from its beginning to its end: what has been done at a part of the way, and what is left."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

Part: TypeAlias = Callable[[float], float]


class Ease(NamedTuple):
    """Both are given, as 1 minus the other loses digits where it is small."""

    done: Part
    left: Part


LINEAR = Ease(lambda p: p, lambda p: 1.0 - p)
EXPONENTIAL = Ease(lambda p: 2.0 - 2.0 * 0.5**p, lambda p: 2.0 * 0.5**p - 1.0)


def cosine(power: float) -> Ease:
    """Half a wave."""
    if power == 1.0:
        return Ease(
            lambda p: 0.5 * (1.0 - math.cos(math.pi * p)), lambda p: 0.5 * (1.0 + math.cos(math.pi * p))
        )

    def left(p: float) -> float:
        return math.pow(0.5 * (1.0 + math.cos(math.pi * p)), power)

    return Ease(lambda p: 1.0 - left(p), left)


def polynomial(power: float) -> Ease:
    """What is left, to a power. Past the end only whole powers have a value."""
    return Ease(lambda p: 1.0 - math.pow(1.0 - p, power), lambda p: math.pow(1.0 - p, power))


def raised(power: float) -> Ease:
    """What has been done, to a power."""
    return Ease(lambda p: math.pow(p, power), lambda p: 1.0 - math.pow(p, power))


def tanh(low: float, high: float) -> Ease:
    """A part of the hyperbolic tangent, which is not quite 0 at the beginning nor 1 at the end."""

    def at(p: float) -> float:
        return math.tanh(low * (1.0 - p) + high * p)

    return Ease(lambda p: 0.5 * (1.0 + at(p)), lambda p: 0.5 * (1.0 - at(p)))


def log(whole: float) -> Ease:
    """The logarithm of the time, of which `whole` has passed at the end."""
    longest = math.log(whole)

    def done(p: float) -> float:
        return math.log(p * whole + 1.0) / longest

    return Ease(done, lambda p: 1.0 - done(p))
