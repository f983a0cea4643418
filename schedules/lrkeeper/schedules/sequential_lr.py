"""torch.optim.lr_scheduler.SequentialLR."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from lrkeeper.schedules import checks
from lrkeeper.schedules.composite import Composite
from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Row, Steps
from lrkeeper.schedules.schedule import Memory, definition
from lrkeeper.schedules.torch_schedule import INITIAL, RESTART, STEP, Built, Move, TorchSchedule, written


@definition("sequential_lr")
class SequentialLR(Composite):
    """Schedulers one after another; at a milestone torch sets the lr back to the next one's own start.

    For those with a closed form that is its value at step 0; others make their step 0 from the lr that
    was reached. To go on from the value reached use `first.then(second, at=20)`.

    Source: torch.optim.lr_scheduler.SequentialLR, with its bookkeeping: members are built, undone, and
    the one of step 0 is stepped again; a composite that is a later member fails at its milestone, as
    it does in torch (2.9 and later).

    Args:
        schedulers: schedules of torch's classes, at least one.
        milestones: the steps at which the next scheduler takes over; one fewer than schedulers.

    Raises:
        TypeError: a scheduler is not one of torch's classes.
        ValueError: the milestones do not increase, or are not one fewer than the schedulers; or a
            scheduler needs a metric.
    """

    schedulers: Sequence[TorchSchedule]
    milestones: Sequence[Steps]

    def check(self) -> None:
        object.__setattr__(self, "schedulers", tuple(self.schedulers))
        object.__setattr__(self, "milestones", tuple(self.milestones))
        self.check_members()
        checks.milestones("SequentialLR", "milestones", self.milestones, at_least=0)

    def check_members(self) -> None:
        super().check_members()
        if len(self.milestones) != len(self.schedulers) - 1:
            raise ValueError(
                f"SequentialLR: milestones has {len(self.milestones)} entries; "
                f"it must have one fewer than the {len(self.schedulers)} schedulers"
            )

    # Memory: last_epoch, and the members' memories.

    def take_back(self, memory: Any) -> Memory:
        last_epoch, inner = memory
        return [last_epoch, [member.undo(m) for member, m in zip(self.schedulers, inner, strict=True)]]

    def construct(self, initial: Row | None, now: Row, inputs: Inputs) -> Built:
        base = now if initial is None else initial
        built = self.construct_members(initial, now, inputs)
        memory = self.take_back([0, built.memory])
        row = written(built.row, "lr", built.initial["lr"])
        memory, row = self.reading(self.writes())._move(0, INITIAL, memory, base, row, inputs)
        return Built(memory, built.initial, row)

    def move(self, memory: Any, base: Row, now: Row, inputs: Inputs, move: Move) -> tuple[Memory, Row]:
        if move == RESTART:
            self.check_restart()
        last_epoch = memory[0] + 1
        index = bisect_right(self.milestones, last_epoch)
        takes_over = index > 0 and self.milestones[index - 1] == last_epoch
        return self._move(last_epoch, RESTART if takes_over else STEP, memory, base, now, inputs)

    def _move(
        self, last_epoch: int, move: Move, memory: Any, base: Row, now: Row, inputs: Inputs
    ) -> tuple[Memory, Row]:
        """Make the move with the member that is in force at `last_epoch`."""
        inner = memory[1]
        index = bisect_right(self.milestones, last_epoch)
        moved, row = self.schedulers[index].go(inner[index], base, now, inputs, move)
        return [last_epoch, [*inner[:index], moved, *inner[index + 1 :]]], row
