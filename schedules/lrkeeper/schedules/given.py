"""What a step learns from outside: a metric, an epoch, factors of functions, values another hand wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from lrkeeper.schedules.numbers import F32
from lrkeeper.v1 import run_pb2

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
    """

    metric: float | None = None
    epoch: float | None = None
    factors: tuple[float, ...] = ()
    seen: Mapping[str, tuple[float, ...]] | None = None

    def __bool__(self) -> bool:
        return self != NOTHING

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
        )

    @classmethod
    def from_json(cls, text: str) -> Given:
        """Read what `to_json` wrote."""
        values: dict[str, Any] = json.loads(text)
        if "factors" in values:
            values["factors"] = _factors(values["factors"], values.pop("float32_factors", ()))
        if "seen" in values:
            values["seen"] = {track: tuple(row) for track, row in values["seen"].items()}
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


class Inputs:
    """What is given, in the course of one evaluation: factors are drawn one by one."""

    def __init__(self, given: Given = NOTHING) -> None:
        self.metric = given.metric
        self._factors = iter(given.factors)

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
