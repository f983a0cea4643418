"""From one level to another."""

from __future__ import annotations

import math
from collections.abc import Callable

from lrkeeper.schedules import checks
from lrkeeper.schedules.composable import eases
from lrkeeper.schedules.composable.closed_form import ClosedForm, Curve, Scope
from lrkeeper.schedules.composable.parts import ONCE, REACHED, Height, Length, height, length, level, span
from lrkeeper.schedules.schedule import definition

EASES = ("linear", "cosine", "polynomial", "power", "tanh", "exponential", "log", "geometric")
COUNTINGS = ("from_zero", "from_one", "inside", "to_last")


@definition("ramp")
class Ramp(ClosedForm):
    """Goes from one level to another: begin + (end - begin) · ease(p).

    p is the part of `over` that has passed, to the power of `warp`. The eases, of p:

    * linear: p
    * cosine: 1 - (½ (1 + cos πp)) ** power, half a wave
    * polynomial: 1 - (1 - p) ** power
    * power: p ** power; with 0.5 a decay is the 1 - sqrt of WSD schedules
    * tanh: ½ (1 + tanh(low (1 - p) + high p)), which begins and ends near the levels, not on them (timm)
    * exponential: 2 - 2 · ½ ** p (Megatron-LM's exponential decay)
    * log: ln(u + 1) / ln(over), u being the time; at most 1 (DeepSpeed's WarmupLR)
    * geometric: begin · (end / begin) ** p, in equal ratios

    Args:
        over: how long it takes, above 0; a number is of steps.
        begin: where it begins: by default at what the stage before has reached.
        end: where it ends: by default at the base value.
        ease: one of the above.
        power: the exponent of cosine (1), polynomial and power (2).
        low, high: where the tanh begins and ends.
        warp: the exponent of p before it is eased, above 0.
        counting: which part step u of a ramp over W steps has: "from_zero" u / W, "from_one" (u + 1) / W, "inside"
            (u + 1) / (W + 1), "to_last" u / (W - 1).
        after: "hold" the end, or "extend": the formula goes on.

    Raises:
        TypeError, ValueError: a field is of another type or out of its range.
    """

    over: Length
    begin: Height = REACHED
    end: Height = ONCE
    ease: str = "linear"
    power: float | None = None
    low: float = -7.0
    high: float = 3.0
    warp: float = 1.0
    counting: str = "from_zero"
    after: str = "hold"

    def check(self) -> None:
        for name in ("begin", "end"):
            object.__setattr__(self, name, level("Ramp", name, getattr(self, name)))
        over = span("Ramp", "over", self.over, above=0)
        object.__setattr__(self, "over", over)
        checks.one_of("Ramp", "ease", self.ease, EASES)
        if self.power is not None:
            checks.inside("Ramp", "power", self.power, above=0)
        for name in ("low", "high"):
            checks.number("Ramp", name, getattr(self, name), "a finite number")
        checks.inside("Ramp", "warp", self.warp, above=0)
        checks.one_of("Ramp", "counting", self.counting, COUNTINGS)
        checks.one_of("Ramp", "after", self.after, ("hold", "extend"))
        if over.unit == "steps":
            self._whole(over.amount)
        if self.ease == "polynomial" and self.after == "extend" and not self._power(2.0).is_integer():
            raise ValueError(
                f'Ramp: power is {self.power:g}; a polynomial that goes on past its end (after "extend") '
                "has values there only if it is a whole number"
            )

    def compile(self, scope: Scope) -> Curve:
        begin, end = (height(each, scope.base, scope.before) for each in (self.begin, self.end))
        ahead = 1.0 if self.counting in ("from_one", "inside") else 0.0
        whole = self._whole(length(self.over))
        last = math.inf if self.after == "extend" else whole
        part = _linear_part if self.warp == 1.0 else _warped(self.warp)
        if self.ease == "geometric":
            if begin <= 0.0 or end <= 0.0:
                raise ValueError(
                    f"Ramp: begin is {begin:g} and end is {end:g}; with the ease geometric both are above 0"
                )
            ratio = end / begin
            return lambda time: begin * ratio ** part(time + ahead, whole) if time + ahead < last else end
        if self.ease == "linear" and self.warp == 1.0:
            if abs(begin) <= abs(end):
                slope = end - begin
                return lambda time: begin + slope * ((time + ahead) / whole) if time + ahead < last else end
            drop = begin - end
            return lambda time: (
                end + drop * ((whole - (time + ahead)) / whole) if time + ahead < last else end
            )
        ease = self._ease(whole)
        # From the lower level on, so that no digits are lost there.
        rising = abs(begin) <= abs(end)
        low, rise, share = (begin, end - begin, ease.done) if rising else (end, begin - end, ease.left)
        reached = low + rise * share(1.0) if self.ease == "tanh" else end
        if self.ease == "log" and self.after == "hold":
            last = whole - 1.0
        return lambda time: low + rise * share(part(time + ahead, whole)) if time + ahead < last else reached

    def _whole(self, over: float) -> float:
        """Return what the part is of, in the clock's unit. Raises ValueError if it is too short."""
        whole = over + {"inside": 1.0, "to_last": -1.0}.get(self.counting, 0.0)
        if whole <= 0.0:
            raise ValueError(f'Ramp: over is {over:g}; with counting "to_last" use more than 1')
        if self.ease == "log" and whole <= 1.0:
            raise ValueError(f"Ramp: over is {over:g}; the ease log needs more than 1")
        return whole

    def _power(self, default: float) -> float:
        return default if self.power is None else float(self.power)

    def _ease(self, whole: float) -> eases.Ease:
        if self.ease == "cosine":
            return eases.cosine(self._power(1.0))
        if self.ease == "polynomial":
            return eases.polynomial(self._power(2.0))
        if self.ease == "power":
            return eases.raised(self._power(2.0))
        if self.ease == "tanh":
            return eases.tanh(self.low, self.high)
        if self.ease == "log":
            return eases.log(whole)
        return eases.EXPONENTIAL if self.ease == "exponential" else eases.LINEAR


def _linear_part(time: float, whole: float) -> float:
    return time / whole


def _warped(warp: float) -> Callable[[float, float], float]:
    return lambda time, whole: (time / whole) ** warp
