"""The hot path: steps whose rows are in memory, of param groups whose lr is a plain number.

What torch would do, and no more: each group's lr, the books, and a look whether another hand has written the groups.
Whatever is out of the ordinary is left to the slow way, before anything has changed.
"""

from __future__ import annotations

import sys
import weakref
from array import array
from collections.abc import Callable
from typing import Any, TypeAlias

from lrkeeper.schedules.table import Table

More: TypeAlias = Callable[["Quick"], bool]


class Quick:
    """Takes steps of one scheduler on the param groups as they are now.

    Args:
        optimizer: its groups have an lr that is a float or an int.
        step: where the scheduler stands.
        more: a method that gives it rows through `load`, and says whether it did.
    """

    __slots__ = ("_first", "_groups", "_index", "_more", "_optimizer", "_rows", "_stop", "_stride", "_was")

    def __init__(self, optimizer: Any, step: int, more: More) -> None:
        self._optimizer = optimizer
        self._groups = optimizer.param_groups
        self._more = weakref.WeakMethod(more)  # whom it belongs to holds this one
        self._was = [group["lr"] for group in self._groups]
        self._first, self._index, self._stop = step, 0, -1
        self._rows: Any = ()
        self._stride = 1

    def __reduce__(self) -> tuple[Any, ...]:
        return _nothing, ()  # a copy takes its first step the slow way

    @property
    def step(self) -> int:
        """The step whose row the groups have."""
        return self._first + self._index

    @property
    def written(self) -> tuple[float, ...]:
        """What was written into the groups last."""
        return tuple(map(float, self._was))

    def load(self, table: Table, step: int, stop: int) -> None:
        """Take rows from a table that has the step after `step`; ask again for step `stop`."""
        data = table.data
        if sys.byteorder == "big":
            swapped = array("d", data)
            swapped.byteswap()
            data = swapped.tobytes()
        self._rows = memoryview(data).cast("d")
        self._stride = table.count
        self._first = table.first_step
        self._index = step - table.first_step
        self._stop = min(stop, table.end_step) - table.first_step

    def end(self) -> None:
        """Take no more steps."""
        self._stop = -1

    def _has_more(self) -> bool:
        more = self._more()
        return more is not None and more(self)


class QuickFollower(Quick):
    """For a scheduler that computes nothing."""

    __slots__ = ()

    def take(self, scheduler: Any) -> bool:
        """Take a step; False, and nothing has changed, if it must be taken the slow way."""
        index = self._index + 1
        if index >= self._stop:
            if not self._has_more():
                return False
            index = self._index + 1
        groups = self._groups
        if self._optimizer.param_groups is not groups:
            return False
        was = self._was
        if len(groups) == len(was) == 1:
            group = groups[0]
            if group["lr"] is not was[0]:
                return False
            group["lr"] = value = self._rows[index]
            self._was = row = [value]
        else:
            row = self._rows[index :: self._stride].tolist()
            if len(groups) != len(row):
                return False
            for place, (group, before, value) in enumerate(zip(groups, was, row)):  # noqa: B905 - as long
                if group["lr"] is not before:
                    for written, again in zip(groups[:place], was, strict=False):
                        written["lr"] = again
                    return False
                group["lr"] = value
            self._was = row
        self._index = index
        scheduler.last_epoch += 1
        scheduler._step_count += 1
        scheduler._last_lr = row.copy()
        return True


class QuickDropIn(Quick):
    """For a torch scheduler whose books are kept by a `step` of torch's, which is given."""

    __slots__ = ("_torch_step",)

    def __init__(self, optimizer: Any, step: int, more: More, torch_step: Callable[[Any], None]) -> None:
        super().__init__(optimizer, step, more)
        self._torch_step = torch_step

    def take(self, scheduler: Any) -> bool:
        """Take a step; False, and nothing has changed, if it must be taken the slow way."""
        index = self._index + 1
        if index >= self._stop:
            if not self._has_more():
                return False
            index = self._index + 1
        groups, was = self._groups, self._was
        if self._optimizer.param_groups is not groups or len(groups) != len(was):
            return False
        for group, before in zip(groups, was):  # noqa: B905 - as long
            if group["lr"] is not before:
                return False
        epoch, count, last = scheduler.last_epoch, scheduler._step_count, scheduler._last_lr
        try:
            self._torch_step(scheduler)
        except BaseException:  # torch's books and the place on the run move together
            scheduler.last_epoch, scheduler._step_count, scheduler._last_lr = epoch, count, last
            for group, before in zip(groups, was, strict=False):
                group["lr"] = before
            raise
        if len(was) == 1:
            value = self._rows[index]
            lr = groups[0]["lr"]
            if lr != value or not value:
                lr = _written(groups[0], lr, value)
                scheduler._last_lr = [lr]
            self._was = [lr]
        else:
            row = self._rows[index :: self._stride].tolist()
            lrs = [group["lr"] for group in groups]
            if lrs != row or 0.0 in row:
                lrs = [_written(*each) for each in zip(groups, lrs, row, strict=True)]
                scheduler._last_lr = lrs.copy()
            self._was = lrs
        self._index = index
        return True


def _written(group: Any, lr: Any, value: float) -> Any:
    """Make a group hold a value; where the bits are the same, what torch put there stays."""
    if float(lr).hex() == value.hex():
        return lr
    group["lr"] = value
    return value


def _nothing() -> None:
    return None
