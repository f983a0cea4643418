"""Schedules of Keras (`keras.optimizers.schedules`), in absolute values.

Source: Keras 3.15.1, which computes them in float32 by default, and a cosine always.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lrkeeper.schedules.composable.constant import Constant
from lrkeeper.schedules.composable.decay import Decay
from lrkeeper.schedules.composable.expression import Expression
from lrkeeper.schedules.composable.points import Points
from lrkeeper.schedules.composable.power import Power
from lrkeeper.schedules.composable.ramp import Ramp
from lrkeeper.schedules.composable.repeat import Repeat
from lrkeeper.schedules.composable.warp import Warp
from lrkeeper.schedules.importers.stages import Maker, choose, first_then, staged
from lrkeeper.schedules.importers.telling import tells
from lrkeeper.schedules.schedule import Schedule


@tells
def from_keras(name: str, **arguments: Any) -> Schedule:
    """Return the schedule of a class of Keras with the same arguments ("CosineDecay"); its `get_config` has them.

    Raises:
        ValueError: an unknown name.
        TypeError: an argument the class does not have.
    """
    arguments.pop("name", None)
    return choose("Keras", _MAKERS, name)(**arguments)


def _exponential(
    initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False
) -> Schedule:
    return Decay(decay_rate, decay_steps, begin=initial_learning_rate, staircase=staircase)


def _piecewise(boundaries: Sequence[float], values: Sequence[float]) -> Schedule:
    if boundaries and boundaries[0] <= 0:
        return first_then(Constant(values[0]), _piecewise(boundaries[1:], values[1:]))
    return Points(list(zip((0, *boundaries), values, strict=True)), interpolation="step", boundary="earlier")


def _polynomial(
    initial_learning_rate: float,
    decay_steps: int,
    end_learning_rate: float = 0.0001,
    power: float = 1.0,
    cycle: bool = False,
) -> Schedule:
    """With `cycle` the length becomes the next multiple of decay_steps again and again."""
    if not cycle:
        shape: dict[str, Any] = {} if power == 1 else {"ease": "polynomial", "power": float(power)}
        return Ramp(decay_steps, begin=initial_learning_rate, end=end_learning_rate, **shape)
    part = f"u / ({decay_steps!r} * max(1, ceil(u / {decay_steps!r})))"
    return Expression(
        f"{end_learning_rate!r} + ({initial_learning_rate!r} - {end_learning_rate!r}) * (1 - {part}) ** {power!r}"
    )


def _inverse_time(
    initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False
) -> Schedule:
    if decay_rate == 0:
        return Constant(initial_learning_rate)
    power = Power(decay_steps / decay_rate, begin=initial_learning_rate, power=1.0)
    return Warp(power, every=decay_steps) if staircase else power


def _cosine(
    initial_learning_rate: float,
    decay_steps: int,
    alpha: float = 0.0,
    warmup_target: float | None = None,
    warmup_steps: int = 0,
) -> Schedule:
    top = initial_learning_rate if warmup_target is None else warmup_target
    return staged(
        (
            "warmup",
            Ramp(warmup_steps or 1, begin=initial_learning_rate, end=top),
            0 if warmup_target is None else warmup_steps,
        ),
        ("decay", Ramp(decay_steps, begin=top, end=top * alpha, ease="cosine"), None),
    )


def _restarts(
    initial_learning_rate: float,
    first_decay_steps: int,
    t_mul: float = 2.0,
    m_mul: float = 1.0,
    alpha: float = 0.0,
) -> Schedule:
    fall = Ramp(
        first_decay_steps, begin=initial_learning_rate, end=initial_learning_rate * alpha, ease="cosine"
    )
    return Repeat(fall, first_decay_steps, growth=t_mul, gain=m_mul, gain_on="amplitude")


def _plateau(**_given: Any) -> Schedule:
    raise ValueError("ReduceLROnPlateau follows a metric: it is the kind plateau, and fires at the patience")


_MAKERS: Mapping[str, Maker] = {
    "ExponentialDecay": _exponential,
    "PiecewiseConstantDecay": _piecewise,
    "PolynomialDecay": _polynomial,
    "InverseTimeDecay": _inverse_time,
    "CosineDecay": _cosine,
    "CosineDecayRestarts": _restarts,
    "ReduceLROnPlateau": _plateau,
}
