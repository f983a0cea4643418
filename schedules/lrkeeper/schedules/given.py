"""What a step learns from outside: a metric, an epoch, factors of functions, values another hand wrote."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from lrkeeper.schedules.numbers import F32
from lrkeeper.v1 import run_pb2

AXES = ("epochs", "samples", "tokens")
"""What schedules can count besides steps."""


class NotTold(ValueError):
    """A step's values hang on progress that the step was not told."""


Functions: TypeAlias = Sequence[Callable[[Any], Any]]
"""One function for each param group, or one for all of them."""


@dataclass(frozen=True)
class Given:
    """The inputs of one step. They are stored with it: its values follow from them and the row before.

    Args:
        metric: what `step(metric)` was given.
        epoch: what `step(epoch)` was given.
        factors: what the functions of LambdaLR, MultiplicativeLR and CyclicLR returned, in the order in
            which torch calls them. Factors, never lrs; a float32 among them is an `F32`.
        seen: what the param groups held, where another hand has written them since the step before:
            track → one number for each group. The recursion goes on from these.
        progress: how many epochs, samples and tokens the job has behind it, by those names. Totals of the run.
    """

    metric: float | None = None
    epoch: float | None = None
    factors: tuple[float, ...] = ()
    seen: Mapping[str, tuple[float, ...]] | None = None
    progress: Mapping[str, float] | None = None

    def __bool__(self) -> bool:
        return self is not NOTHING and self != NOTHING  # nearly always it is that one

    def to_json(self) -> str:
        """Return the inputs as text; `from_json` gives the same bits back."""
        found = {k: v for k, v in vars(self).items() if v not in (None, ())}
        if float32 := self._float32():
            found["float32_factors"] = float32
        return json.dumps(found, separators=(",", ":"))

    def to_message(self) -> run_pb2.Given:
        """Return the inputs as they are sent."""
        message = run_pb2.Given(
            metric=self.metric, epoch=self.epoch, factors=self.factors, float32_factors=self._float32()
        )
        for track, values in (self.seen or {}).items():
            message.seen.add(track=track, values=values)
        for axis, total in (self.progress or {}).items():
            setattr(message.progress, axis, total)
        return message

    @classmethod
    def from_message(cls, message: run_pb2.Given) -> Given:
        """Read what `to_message` wrote. A whole epoch is an int again."""
        epoch: float | None = message.epoch if message.HasField("epoch") else None
        if epoch is not None and epoch.is_integer():
            epoch = int(epoch)
        return cls(
            metric=message.metric if message.HasField("metric") else None,
            epoch=epoch,
            factors=_factors(message.factors, message.float32_factors),
            seen={s.track: tuple(s.values) for s in message.seen} or None,
            progress={field.name: total for field, total in message.progress.ListFields()} or None,
        )

    @classmethod
    def from_json(cls, text: str) -> Given:
        """Read what `to_json` wrote. Raises ValueError, TypeError or AttributeError for other text."""
        values: dict[str, Any] = json.loads(text)
        if "factors" in values:
            values["factors"] = _factors(values["factors"], values.pop("float32_factors", ()))
        if "seen" in values:
            values["seen"] = {track: tuple(row) for track, row in values["seen"].items()}
        for axis, total in values.get("progress", {}).items():
            if problem := progress_problem(axis, total):
                raise ValueError(problem)
        return cls(**values)

    def _float32(self) -> list[int]:
        return [place for place, factor in enumerate(self.factors) if isinstance(factor, F32)]


def _factors(values: Iterable[float], float32: Iterable[int]) -> tuple[float, ...]:
    found = list(values)
    for place in float32:
        if place < len(found):
            found[place] = F32(found[place])
    return tuple(found)


NOTHING = Given()


def progress_problem(axis: str, total: float) -> str | None:
    """Say what is wrong with a total; None if nothing is."""
    if axis not in AXES:
        return f"{axis} is not known; a job can tell {', '.join(AXES)}"
    if not math.isfinite(total) or total < 0:
        return f"{axis} is {total!r}; it must be a finite number, at least 0"
    return None


def falling(before: Mapping[str, float], now: Mapping[str, float]) -> tuple[str, str] | None:
    """Return which total has gone down since it was told before, and what is wrong; None if none has."""
    for axis, total in now.items():
        if total < before.get(axis, 0.0):
            return axis, (
                f"{axis} is {total!r}, and the run had {before[axis]!r} before: totals of the run do not go down"
            )
    return None


class Inputs:
    """What is given, in the course of one evaluation: factors are drawn one by one."""

    def __init__(self, given: Given = NOTHING) -> None:
        self.metric = given.metric
        self._factors = iter(given.factors)
        self._progress = given.progress or {}

    def progress(self, axis: str, step: int) -> float:
        """Return how many epochs, samples or tokens the job has behind it at a step: none at step 0.

        Raises NotTold where the step was not told.
        """
        found = 0.0 if step == 0 else self._progress.get(axis)
        if found is None:
            raise NotTold(
                f"the schedule counts {axis}, and step {step} was not told how many the run has behind it: "
                f"use step({axis}=…)"
            )
        return found

    def factor(self, functions: Functions, group: int, at: float) -> float:
        """Return the next factor: what a param group's function gave at an epoch, or a cycle.

        Raises ValueError where the step was given too few.
        """
        for factor in self._factors:
            return factor
        raise ValueError("the step needs more factors of its functions than it was given")


class Calls(Inputs):
    """What is given where the functions are at hand: they are called, and `factors` is what they returned.

    Args:
        given: what else is given.
        number: (result of a function, param group) → the number that torch computes with.
    """

    def __init__(
        self, given: Given = NOTHING, number: Callable[[Any, int], float] = lambda r, _: float(r)
    ) -> None:
        super().__init__(given)
        self._number = number
        self.factors: list[float] = []
        self.raised = False
        """Whether a function has raised."""

    def factor(self, functions: Functions, group: int, at: float) -> float:
        try:
            factor = self._number(functions[group if len(functions) > 1 else 0](at), group)
        except BaseException:
            self.raised = True
            raise
        self.factors.append(factor)
        return factor


NO_INPUTS = Inputs()
"""Nothing is given. Shared: there is nothing in it to draw."""
