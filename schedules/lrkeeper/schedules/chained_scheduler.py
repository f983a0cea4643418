"""torch.optim.lr_scheduler.ChainedScheduler."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lrkeeper.schedules.composite import Composite
from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Row
from lrkeeper.schedules.schedule import Memory, definition
from lrkeeper.schedules.torch_schedule import RESTART, STEP, Built, Move, TorchSchedule


@definition("chained_scheduler")
class ChainedScheduler(Composite):
    """Schedulers one on top of another: at every step each goes on from the lr that the one before left.

    Source: torch.optim.lr_scheduler.ChainedScheduler, with its bookkeeping: as the first member of a
    SequentialLR it is stepped once during construction, as a later one it fails at its milestone.

    Args:
        schedulers: schedules of torch's classes, at least one.

    Raises:
        TypeError: a scheduler is not one of torch's classes.
        ValueError: there is none, or one that needs a metric.
    """

    schedulers: Sequence[TorchSchedule]

    def check(self) -> None:
        object.__setattr__(self, "schedulers", tuple(self.schedulers))
        self.check_members()

    # Memory: the members' memories.

    def take_back(self, memory: Any) -> Memory:
        return [member.undo(inner) for member, inner in zip(self.schedulers, memory, strict=True)]

    def construct(self, initial: Row | None, now: Row, inputs: Inputs) -> Built:
        return self.construct_members(initial, now, inputs)

    def move(self, memory: Any, base: Row, now: Row, inputs: Inputs, move: Move) -> tuple[Memory, Row]:
        if move == RESTART:
            self.check_restart()
        moved = []
        for member, inner in zip(self.schedulers, memory, strict=True):
            inner, now = member.go(inner, base, now, inputs, STEP)
            moved.append(inner)
        return moved, now
