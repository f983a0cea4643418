"""From one level to another."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

from lrkeeper.schedules import checks
from lrkeeper.schedules.composable.closed_form import ClosedForm, Curve, Scope
from lrkeeper.schedules.composable.parts import ONCE, REACHED, Level, Span, level, span
from lrkeeper.schedules.schedule import definition

Ease: TypeAlias = Callable[[float], float]

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
    * log: ln(u + 1) / ln(over), u being the time (DeepSpeed's WarmupLR)
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

    over: Span
    begin: Level = REACHED
    end: Level = ONCE
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
        object.__setattr__(self, "over", span("Ramp", "over", self.over, above=0))
        checks.one_of("Ramp", "ease", self.ease, EASES)
        if self.power is not None:
            checks.inside("Ramp", "power", self.power, above=0)
        for name in ("low", "high"):
            checks.number("Ramp", name, getattr(self, name), "a finite number")
        checks.inside("Ramp", "warp", self.warp, above=0)
        checks.one_of("Ramp", "counting", self.counting, COUNTINGS)
        checks.one_of("Ramp", "after", self.after, ("hold", "extend"))
        if self.counting == "to_last" and self.over.unit == "steps" and self.over.amount <= 1:
            raise ValueError(
                f'Ramp: over is {self.over.amount:g} steps; with counting "to_last" use more than 1'
            )
        if self.ease == "log" and self.over.unit == "steps" and self.over.amount <= 1:
            raise ValueError(f"Ramp: over is {self.over.amount:g} steps; the ease log needs more than 1")

    def compile(self, scope: Scope) -> Curve:
        begin, end = (each.on(scope.base, scope.before) for each in (self.begin, self.end))
        over = self.over.length
        ahead = 1.0 if self.counting in ("from_one", "inside") else 0.0
        whole = over + {"inside": 1.0, "to_last": -1.0}.get(self.counting, 0.0)
        if whole <= 0.0:
            raise ValueError(f"Ramp: over is {over:g}; it must be more")
        last = math.inf if self.after == "extend" else whole
        if self.ease == "linear" and self.warp == 1.0:
            slope = end - begin
            return lambda time: begin + slope * ((time + ahead) / whole) if time + ahead < last else end
        ease = self._ease(begin, end, whole)
        if self.ease == "geometric":
            return lambda time: ease((time + ahead) / whole) if time + ahead < last else end
        warp = self.warp

        def at(time: float) -> float:
            time += ahead
            if time >= last:
                return reached
            part = time / whole
            return begin + (end - begin) * ease(part if warp == 1.0 else part**warp)

        reached = begin + (end - begin) * ease(1.0) if self.ease == "tanh" else end
        return at

    def _ease(self, begin: float, end: float, whole: float) -> Ease:
        power = self.power
        if self.ease == "cosine":
            if power is None or power == 1.0:
                return lambda p: 0.5 * (1.0 - math.cos(math.pi * p))
            return lambda p: 1.0 - (0.5 * (1.0 + math.cos(math.pi * p))) ** power
        if self.ease == "polynomial":
            exponent = 2.0 if power is None else power
            return lambda p: 1.0 - (1.0 - p) ** exponent
        if self.ease == "power":
            exponent = 2.0 if power is None else power
            return lambda p: p**exponent
        if self.ease == "tanh":
            low, high = self.low, self.high
            return lambda p: 0.5 * (1.0 + math.tanh(low * (1.0 - p) + high * p))
        if self.ease == "exponential":
            return lambda p: 2.0 - 2.0 * 0.5**p
        if self.ease == "log":
            return lambda p: math.log(p * whole + 1.0) / math.log(whole)
        if self.ease == "geometric":
            if begin <= 0.0 or end <= 0.0:
                raise ValueError(
                    f"Ramp: begin is {begin:g} and end is {end:g}; with the ease geometric both are above 0"
                )
            warp = self.warp
            return lambda p: begin * (end / begin) ** (p**warp)
        return lambda p: p
