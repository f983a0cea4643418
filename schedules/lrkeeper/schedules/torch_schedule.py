"""What torch's own schedulers do besides a step: the moves their composites make with them.

A torch scheduler's memory is its `last_epoch`, an int, unless it overrides all of these.
"""

from __future__ import annotations

from typing import Any

from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import Row
from lrkeeper.schedules.schedule import Memory, Schedule


class TorchSchedule(Schedule):
    """A schedule that follows a torch class bit for bit, also as a member of a torch composite."""

    def closed_form(self, epoch: int, base: Row) -> Row:
        """Return torch's `_get_closed_form_lr()` at `epoch`.

        Raises NotImplementedError where torch has none and no `get_lr()` either.
        """
        raise NotImplementedError

    def constructed(self) -> Memory:
        """Return the memory that torch's constructor leaves."""
        return 0

    def undo(self, memory: Any) -> Memory:
        """Take back a construction, as SequentialLR does with every member (`recursive_undo`)."""
        return memory - 1

    def restart(self, memory: Any, base: Row, now: Row, inputs: Inputs) -> tuple[Memory, Row]:
        """Go to epoch 0, as SequentialLR makes a member at its milestone (`_update_lr(0)`)."""
        return 0, {**now, **self.closed_form(0, base)}
