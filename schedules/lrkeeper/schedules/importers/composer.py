"""Schedulers of MosaicML Composer (`composer.optim.scheduler`): factors of the base lr. Source: Composer 0.32.1."""

from __future__ import annotations

import re
from collections import Counter, abc
from collections.abc import Mapping
from itertools import islice
from typing import Any, NamedTuple

from lrkeeper.schedules.composable.constant import Constant
from lrkeeper.schedules.composable.decay import Decay
from lrkeeper.schedules.composable.parts import Span
from lrkeeper.schedules.composable.ramp import Ramp
from lrkeeper.schedules.composable.repeat import Repeat
from lrkeeper.schedules.composable.steps import Steps
from lrkeeper.schedules.importers.stages import Maker, choose, span_of, staged, times
from lrkeeper.schedules.importers.telling import tells
from lrkeeper.schedules.schedule import Schedule
from lrkeeper.schedules.sequence import Sequence, Stage

_UNITS = {"ba": "steps", "sp": "samples", "tok": "tokens"}
_MOST_CYCLES = 100


@tells
def from_composer(
    name: str,
    *,
    max_duration: str,
    batches_per_epoch: int | None = None,
    scale_schedule_ratio: float = 1.0,
    **arguments: Any,
) -> Schedule:
    """Return the schedule of a scheduler class of Composer with the same arguments ("LinearWithWarmupScheduler").

    Times are texts such as "20ba", "3ep", "1e6tok", "0.5dur". Where epochs are in them, `batches_per_epoch` says how
    long one is. Several schedulers of a trainer are multiplied: `Product`.

    Raises:
        ValueError: an unknown name, a time that cannot be read, an epoch of unknown length.
        TypeError: an argument the class does not have.
    """
    clock = _Clock(max_duration, batches_per_epoch, scale_schedule_ratio)
    return choose("Composer", _MAKERS, name)(clock, **arguments)


class _Clock(NamedTuple):
    """How Composer reads times: a duration as a part of max_duration, an epoch as its batches; whole numbers."""

    max_duration: str
    batches_per_epoch: int | None
    ratio: float

    def span(self, time: str, *, scaled: bool = True) -> Span:
        amount, unit = _parsed(time)
        if unit == "dur":
            whole, unit = _parsed(self.max_duration)
            amount, scaled = amount * whole, False
        if unit == "ep":
            amount, unit = amount * self._epoch(), "ba"
        if unit not in _UNITS:
            raise ValueError(f"{time!r} is a time in {unit!r}; use ep, ba, sp, tok or dur")
        return span_of(int(amount * self.ratio) if scaled else int(amount), _UNITS[unit])

    def _epoch(self) -> int:
        if self.batches_per_epoch is None:
            raise ValueError("batches_per_epoch is needed: a time is in epochs")
        return self.batches_per_epoch


def _parsed(time: str) -> tuple[float, str]:
    found = re.fullmatch(r"\s*([0-9.eE+_-]*[0-9.])\s*([a-z]+)\s*", time)
    if found is None:
        raise ValueError(f"{time!r} is no time: a number and its unit, as in '20ba'")
    return float(found[1]), found[2]


def _step(clock: _Clock, step_size: str, gamma: float = 0.1) -> Schedule:
    return Decay(gamma, clock.span(step_size))


def _multi_step(clock: _Clock, milestones: abc.Sequence[str], gamma: float = 0.1) -> Schedule:
    drops = Counter(map(clock.span, milestones))
    each = sorted(drops, key=lambda span: span.amount)
    return Steps(each, [float(gamma) ** drops[span] for span in each])


def _constant(clock: _Clock, alpha: float = 1.0, t_max: str = "1dur") -> Schedule:
    end = clock.span(t_max)
    return staged(("alpha", Constant(times(alpha)), end.amount), ("end", Constant(), None), unit=end.unit)


def _linear(clock: _Clock, alpha_i: float = 1.0, alpha_f: float = 0.0, t_max: str = "1dur") -> Schedule:
    return Ramp(clock.span(t_max), begin=times(alpha_i), end=times(alpha_f))


def _exponential(clock: _Clock, gamma: float, decay_period: str = "1ep") -> Schedule:
    return Decay(gamma, clock.span(decay_period), staircase=False)


def _cosine(clock: _Clock, t_max: str = "1dur", alpha_f: float = 0.0) -> Schedule:
    return Ramp(clock.span(t_max), begin=times(1), end=times(alpha_f), ease="cosine")


def _restarts(clock: _Clock, t_0: str, t_mult: float = 1.0, alpha_f: float = 0.0) -> Schedule:
    """Cycles have whole lengths, rounded down: unless `t_mult` is whole they are listed, the first hundred."""
    first = clock.span(t_0)

    def fall(length: float) -> Ramp:
        over = span_of(length, first.unit)
        return Ramp(over, begin=times(1), end=times(alpha_f), ease="cosine")

    if float(t_mult).is_integer():
        return Repeat(fall(first.amount), first, growth=float(t_mult))
    lengths = list(islice(_rounded(first.amount, t_mult), _MOST_CYCLES))
    stages = [(f"cycle {place}", fall(length), length) for place, length in enumerate(lengths)]
    return staged(*stages, unit=first.unit)


def _rounded(length: float, growth: float) -> abc.Iterator[float]:
    while length >= 1:
        yield length
        length = int(growth * length)


def _polynomial(clock: _Clock, power: float, t_max: str = "1dur", alpha_f: float = 0.0) -> Schedule:
    end = times(alpha_f)
    return Ramp(clock.span(t_max), begin=times(1), end=end, ease="polynomial", power=float(power))


def _multi_step_warmed(
    clock: _Clock,
    t_warmup: str,
    milestones: abc.Sequence[str],
    gamma: float = 0.1,
    scale_warmup: bool = False,
) -> Schedule:
    """The drops are at the times of the whole: the lr jumps after a warmup that goes on beyond the first."""
    over, steps = clock.span(t_warmup, scaled=False), _multi_step(clock, milestones, gamma)
    if over.amount == 0:
        return steps
    rise = _rise(clock, t_warmup, 1.0, scale_warmup)
    return Sequence([Stage(rise, over=over, label="warmup"), Stage(steps, clock="outer", label="decay")])


def _constant_warmed(
    clock: _Clock, t_warmup: str, alpha: float = 1.0, t_max: str = "1dur", scale_warmup: bool = False
) -> Schedule:
    return _warmed(clock, t_warmup, t_max, scale_warmup, alpha, alpha)


def _linear_warmed(
    clock: _Clock,
    t_warmup: str,
    alpha_i: float = 1.0,
    alpha_f: float = 0.0,
    t_max: str = "1dur",
    scale_warmup: bool = False,
) -> Schedule:
    return _warmed(clock, t_warmup, t_max, scale_warmup, alpha_i, alpha_f)


def _cosine_warmed(
    clock: _Clock, t_warmup: str, t_max: str = "1dur", alpha_f: float = 0.0, scale_warmup: bool = False
) -> Schedule:
    return _warmed(clock, t_warmup, t_max, scale_warmup, 1.0, alpha_f, ease="cosine")


def _polynomial_warmed(
    clock: _Clock,
    t_warmup: str,
    power: float = 2.0,
    t_max: str = "1dur",
    alpha_f: float = 0.0,
    scale_warmup: bool = False,
) -> Schedule:
    shape = {"ease": "polynomial", "power": float(power)}
    return _warmed(clock, t_warmup, t_max, scale_warmup, 1.0, alpha_f, **shape)


def _warmed(
    clock: _Clock, t_warmup: str, t_max: str, scale_warmup: bool, top: float, low: float, **shape: Any
) -> Schedule:
    """A scaled warmup is a shorter ramp in a stage of the unscaled length; the top is held meanwhile."""
    warmup, end = clock.span(t_warmup, scaled=False), clock.span(t_max)
    if warmup.unit != end.unit:
        raise ValueError(f"t_warmup is {t_warmup!r} and t_max {t_max!r}; they must have the same unit")
    rest = end.amount - warmup.amount
    fall: Schedule = Constant(times(top))
    if rest > 0:
        fall = Ramp(span_of(rest, end.unit), begin=times(top), end=times(low), **shape)
    rise = _rise(clock, t_warmup, top, scale_warmup)
    return staged(("warmup", rise, warmup.amount), ("decay", fall, None), unit=end.unit)


def _rise(clock: _Clock, t_warmup: str, top: float, scale_warmup: bool) -> Schedule:
    over = clock.span(t_warmup, scaled=scale_warmup)
    return Ramp(over, begin=0.0, end=times(top)) if over.amount else Constant(times(top))


_MAKERS: Mapping[str, Maker] = {
    "StepScheduler": _step,
    "MultiStepScheduler": _multi_step,
    "ConstantScheduler": _constant,
    "LinearScheduler": _linear,
    "ExponentialScheduler": _exponential,
    "CosineAnnealingScheduler": _cosine,
    "CosineAnnealingWarmRestartsScheduler": _restarts,
    "PolynomialScheduler": _polynomial,
    "MultiStepWithWarmupScheduler": _multi_step_warmed,
    "ConstantWithWarmupScheduler": _constant_warmed,
    "LinearWithWarmupScheduler": _linear_warmed,
    "CosineAnnealingWithWarmupScheduler": _cosine_warmed,
    "PolynomialWithWarmupScheduler": _polynomial_warmed,
}
