"""torch.optim.lr_scheduler.SequentialLR."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from lrkeeper.schedules import checks
from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Row, Steps
from lrkeeper.schedules.schedule import Memory, Schedule, definition
from lrkeeper.schedules.torch_schedule import TorchSchedule


@definition("sequential_lr")
class SequentialLR(TorchSchedule):
    """Schedulers one after another; at a milestone torch sets the lr back to the next one's own start.

    For StepLR and MultiStepLR that is the base lr. To go on from the value reached use
    `first.then(second, at=20)`.

    Source: torch.optim.lr_scheduler.SequentialLR, with its bookkeeping: members are built, undone, and
    the one of step 0 is stepped again; a composite that is a later member fails at its milestone, as
    it does in torch (2.9 and later).

    Args:
        schedulers: schedules of torch's classes, at least one.
        milestones: the steps at which the next scheduler takes over; one fewer than schedulers.

    Raises:
        TypeError: a scheduler is not one of torch's classes.
        ValueError: the milestones do not increase, or are not one fewer than the schedulers.
    """

    schedulers: Sequence[TorchSchedule]
    milestones: Sequence[Steps]

    def check(self) -> None:
        object.__setattr__(self, "schedulers", tuple(self.schedulers))
        object.__setattr__(self, "milestones", tuple(self.milestones))
        self._check_members()
        checks.milestones("SequentialLR", "milestones", self.milestones, at_least=0)

    def _check_members(self) -> None:
        """Check what torch's constructor checks too."""
        if not self.schedulers:
            raise ValueError("SequentialLR: schedulers is empty; it must have at least one")
        for place, scheduler in enumerate(self.schedulers):
            if not isinstance(scheduler, TorchSchedule):
                what = scheduler.kind if isinstance(scheduler, Schedule) else repr(scheduler)
                raise TypeError(
                    f"SequentialLR: schedulers[{place}] is {what}; it must be a schedule of a torch class "
                    "(to join others use .then())"
                )
        if len(self.milestones) != len(self.schedulers) - 1:
            raise ValueError(
                f"SequentialLR: milestones has {len(self.milestones)} entries; "
                f"it must have one fewer than the {len(self.schedulers)} schedulers"
            )

    # Memory: last_epoch, and the members' memories.

    def constructed(self) -> Memory:
        return self.start({"lr": ()}, {"lr": ()})[0]

    def undo(self, memory: Any) -> Memory:
        last_epoch, inner = memory
        return [last_epoch, [member.undo(m) for member, m in zip(self.schedulers, inner, strict=True)]]

    def start(self, base: Row, now: Row) -> tuple[Memory, Row]:
        self._check_members()
        inner = [member.undo(member.constructed()) for member in self.schedulers]
        index = bisect_right(self.milestones, 0)
        inner[index], row = self.schedulers[index].advance(
            inner[index], base, {**now, "lr": base["lr"]}, Inputs()
        )
        return [0, inner], row

    def advance(self, memory: Any, base: Row, now: Row, inputs: Inputs) -> tuple[Memory, Row]:
        last_epoch, inner = memory
        last_epoch += 1
        index = bisect_right(self.milestones, last_epoch)
        member = self.schedulers[index]
        move = member.restart if index > 0 and self.milestones[index - 1] == last_epoch else member.advance
        moved, row = move(inner[index], base, now, inputs)
        return [last_epoch, [*inner[:index], moved, *inner[index + 1 :]]], row

    def closed_form(self, epoch: int, base: Row) -> Row:
        raise NotImplementedError("torch's SequentialLR cannot start again inside a SequentialLR")
