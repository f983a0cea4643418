"""What torch's composites share: members on the same param groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Row
from lrkeeper.schedules.reduce_lr_on_plateau import ReduceLROnPlateau
from lrkeeper.schedules.schedule import Memory, Schedule, all_tracks
from lrkeeper.schedules.torch_schedule import Built, GroupKeys, TorchSchedule, with_base


class Composite(TorchSchedule):
    """A schedule of several torch schedules. Their constructors run in their order."""

    schedulers: Sequence[TorchSchedule]

    def check_members(self) -> None:
        """Check what torch's constructor checks of them too."""
        name = type(self).__name__
        if not self.schedulers:
            raise ValueError(f"{name}: schedulers is empty; it must have at least one")
        for place, scheduler in enumerate(self.schedulers):
            where = f"{name}: schedulers[{place}] is"
            if not isinstance(scheduler, TorchSchedule):
                what = scheduler.kind if isinstance(scheduler, Schedule) else repr(scheduler)
                raise TypeError(
                    f"{where} {what}; it must be a schedule of a torch class (to join others use .then())"
                )
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(f"{where} reduce_lr_on_plateau; it must be one whose steps need no metric")

    @property
    def moves(self) -> tuple[str, ...]:
        return all_tracks(self.schedulers)

    def writes(self) -> GroupKeys:
        return {key: value for member in self.schedulers for key, value in member.writes().items()}

    def reading(self, keys: GroupKeys) -> Self:
        return self.altered(schedulers=tuple(member.reading(keys) for member in self.schedulers))

    def construct_members(self, initial: Row | None, now: Row, inputs: Inputs) -> Built:
        """Build the members one after another; the memory is a list of theirs."""
        self.check_members()
        base = now if initial is None else initial
        memories: list[Memory] = []
        for member in self.schedulers:
            own = now if initial is None else initial
            memory, initial, now = member.construct(initial, now, inputs)
            memories.append(with_base(memory, own, base))
        assert initial is not None
        return Built(memories, initial, now)

    def to_epoch(self, memory: Any, base: Row, now: Row, epoch: float, inputs: Inputs) -> tuple[Memory, Row]:
        raise TypeError(f"{type(self).__name__} takes no epoch")

    def check_restart(self) -> None:
        """Raise torch's error where a composite is to start again inside a SequentialLR."""
        raise NotImplementedError(f"torch's {type(self).__name__} cannot start again inside a SequentialLR")
