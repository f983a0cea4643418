"""The hot path: steps whose rows are in memory.

What torch would do, and no more: each group's lr, the books, and a look whether another hand has written the groups.
Whatever is out of the ordinary is left to the slow way, before anything has changed.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from queue import Empty
from typing import Any, TypeAlias

from torch.optim.lr_scheduler import LRScheduler

from lrkeeper.torch.cells import Cell, cells_of
from lrkeeper.torch.groups import Held
from lrkeeper.torch.lane import Coming, Lane

_torch_step = LRScheduler.step

_ENDED = Lane(1, 0, 0, -1)

More: TypeAlias = Callable[["Quick"], bool]


class Quick:
    """Takes steps of one scheduler on the param groups as they are now.

    Args:
        optimizer: its groups have an lr that is a float or an int, unless a class says otherwise.
        step: where the scheduler stands.
        more: a method that gives it rows through `load`, and says whether it did.
    """

    __slots__ = ("_at", "_coming", "_groups", "_lane", "_more", "_was")

    def __init__(self, optimizer: Any, step: int, more: More) -> None:
        self._groups = optimizer.param_groups
        self._more = weakref.WeakMethod(more)  # whom it belongs to holds this one
        self._was = [group["lr"] for group in self._groups]
        self._lane, self._at = _ENDED, Lane(1, step, 0, 0)
        self._coming: Coming

    def __reduce__(self) -> tuple[Any, ...]:
        return _nothing, ()  # a copy takes its first step the slow way

    @property
    def step(self) -> int:
        """The step whose row the groups have."""
        return self._at.step

    @property
    def written(self) -> Held:
        """What was written into the groups last."""
        return {"lr": tuple(map(float, self._was))}

    def load(self, lane: Lane, coming: Coming) -> None:
        """Take steps from a lane; at its end go on with what is coming, or ask for more."""
        self._at.closed = True
        self._lane = self._at = lane
        self._coming = coming

    def end(self) -> None:
        """Ask for more before the next step. Any thread may call this."""
        self._lane = _ENDED

    def close(self) -> None:
        """Take no more steps."""
        self._lane = _ENDED
        self._at.closed = True

    def _goes_on(self) -> bool:
        """Go on with what has come. All that this touches is cold, so it touches little."""
        coming, lane = self._coming, self._lane
        if lane.index + 1 < lane.stop:
            return True  # it has become longer meanwhile
        try:
            found = coming.look()
        except Empty:
            return False
        if not isinstance(found, Lane) or found.first_step != lane.end_step:
            coming.take_back(found)
            return False
        self._lane = self._at = found
        lane.closed = found.taken = True
        coming.go_on(found)
        return True

    def _next_lane(self) -> Lane | None:
        """Return the lane that has the next step; None where that must be taken the slow way."""
        if not self._has_more():
            return None
        lane = self._lane  # of which it may have been told to let go, just now
        return lane if lane.index + 1 < lane.stop else None

    def _has_more(self) -> bool:
        if self._lane is not _ENDED and self._goes_on():  # otherwise someone wants it to ask
            return True
        more = self._more()
        return more is not None and more(self)


class QuickFollower(Quick):
    """For a scheduler that computes nothing."""

    __slots__ = ()

    def take(self, scheduler: Any) -> bool:
        """Take a step; False, and nothing has changed, if it must be taken the slow way."""
        lane = self._lane
        index = lane.index + 1
        if index >= lane.stop:
            if (more := self._next_lane()) is None:
                return False
            lane = more
            index = lane.index + 1
        groups = self._groups
        if scheduler.optimizer.param_groups is not groups:
            return False
        was = self._was
        if len(groups) == len(was) == 1:
            group = groups[0]
            if group["lr"] is not was[0]:
                return False
            group["lr"] = value = lane.rows[index]
            self._was = row = [value]
        elif len(groups) == len(was) == 2:
            first, second = groups
            if first["lr"] is not was[0] or second["lr"] is not was[1]:
                return False
            rows = lane.rows
            self._was = row = [rows[2 * index], rows[2 * index + 1]]
            first["lr"], second["lr"] = row
        else:
            start = index * lane.columns
            row = lane.rows[start : start + lane.columns].tolist()
            if len(groups) != len(row):
                return False
            for group, before, value in zip(groups, was, row):  # noqa: B905 - as long
                if group["lr"] is not before:
                    _put_back(groups, was, group)
                    return False
                group["lr"] = value
            self._was = row
        lane.index = index
        scheduler.last_epoch += 1
        scheduler._step_count += 1
        scheduler._last_lr = row.copy()
        return True


class QuickTracks(Quick):
    """For a scheduler that computes nothing, where the groups have more to be moved than an lr, or that is a tensor.

    Args:
        optimizer: its groups have these cells.
        step: as Quick's.
        more: as Quick's.
        tracks: what is moved, in the order of the rows.
        cells: the numbers, track by track.
    """

    __slots__ = ("_cells", "_lrs", "_these", "_tracks")

    def __init__(
        self, optimizer: Any, step: int, more: More, tracks: tuple[str, ...], cells: list[Cell]
    ) -> None:
        super().__init__(optimizer, step, more)
        self._these, self._tracks, self._cells = tuple(self._groups), tracks, cells
        first = tracks.index("lr") * len(self._these)
        self._lrs = cells[first : first + len(self._these)]

    @property
    def written(self) -> Held:
        """What was written into the groups last."""
        count, values = len(self._these), [cell.value for cell in self._cells]
        return {track: tuple(values[i * count : (i + 1) * count]) for i, track in enumerate(self._tracks)}

    def take(self, scheduler: Any) -> bool:
        """Take a step; False, and nothing has changed, if it must be taken the slow way."""
        lane = self._lane
        index = lane.index + 1
        if index >= lane.stop:
            if (more := self._next_lane()) is None:
                return False
            lane = more
            index = lane.index + 1
        groups, these, cells = scheduler.optimizer.param_groups, self._these, self._cells
        if groups is not self._groups or len(groups) != len(these) or lane.columns != len(cells):
            return False
        for group, this in zip(groups, these):  # noqa: B905 - as long
            if group is not this:
                return False
        for cell in cells:
            if not cell.unchanged:
                return False
        row = lane.rows[index * lane.columns : (index + 1) * lane.columns]
        for cell, value in zip(cells, row):  # noqa: B905 - as long
            cell.put(value)
        lane.index = index
        scheduler.last_epoch += 1
        scheduler._step_count += 1
        scheduler._last_lr = [cell.copy for cell in self._lrs]
        return True


class QuickDropIn(Quick):
    """For a torch scheduler whose books are kept by LRScheduler's own `step`.

    torch computes; where it comes to another number than the run's, the run's is written. Only the sign of a zero
    is torch's.
    """

    __slots__ = ()

    def take(self, scheduler: Any) -> bool:
        """Take a step; False, and nothing has changed, if it must be taken the slow way."""
        lane = self._lane
        index = lane.index + 1
        if index >= lane.stop:
            if (more := self._next_lane()) is None:
                return False
            lane = more
            index = lane.index + 1
        groups, was = self._groups, self._was
        if scheduler.optimizer.param_groups is not groups or len(groups) != len(was):
            return False
        for group, before in zip(groups, was):  # noqa: B905 - as long
            if group["lr"] is not before:
                return False
        epoch, count, last = scheduler.last_epoch, scheduler._step_count, scheduler._last_lr
        try:
            _torch_step(scheduler)
            lrs = scheduler._last_lr  # what torch has put into the groups
            row = lane.rows[index * lane.columns : (index + 1) * lane.columns].tolist()
            if lrs != row:
                lrs = scheduler._last_lr = [_written(*each) for each in zip(groups, lrs, row, strict=True)]
            self._was = lrs.copy()
            lane.index = index
        except BaseException:  # torch's books and the place on the run move together
            scheduler.last_epoch, scheduler._step_count, scheduler._last_lr = epoch, count, last
            for group, before in zip(groups, was, strict=False):
                group["lr"] = before
            self._was = was
            raise
        return True


class QuickDropInOfOne(Quick):
    """As QuickDropIn, for one param group, as most optimizers have: half as much to do."""

    __slots__ = ("_group", "_lr")

    def __init__(self, optimizer: Any, step: int, more: More) -> None:
        super().__init__(optimizer, step, more)
        (self._group,) = self._groups
        (self._lr,) = self._was

    @property
    def written(self) -> Held:
        """What was written into the group last."""
        return {"lr": (float(self._lr),)}

    def take(self, scheduler: Any) -> bool:
        """Take a step; False, and nothing has changed, if it must be taken the slow way."""
        lane = self._lane
        index = lane.index + 1
        if index >= lane.stop:
            if (more := self._next_lane()) is None:
                return False
            lane = more
            index = lane.index + 1
        group, before = self._group, self._lr
        if group["lr"] is not before:
            return False
        groups = scheduler.optimizer.param_groups
        if groups is not self._groups or len(groups) != 1 or groups[0] is not group:
            return False
        epoch, count, last = scheduler.last_epoch, scheduler._step_count, scheduler._last_lr
        try:
            _torch_step(scheduler)
            lr = group["lr"]
            value = lane.rows[index]
            if lr != value:
                lr = _written(group, lr, value)
                scheduler._last_lr = [lr]
            self._lr = lr
            lane.index = index
        except BaseException:  # torch's books and the place on the run move together
            scheduler.last_epoch, scheduler._step_count, scheduler._last_lr = epoch, count, last
            group["lr"] = self._lr = before
            raise
        return True


class QuickDropInOfTwo(Quick):
    """As QuickDropIn, for two param groups: with weight decay and without, as many optimizers have them."""

    __slots__ = ("_one", "_other", "_these")

    def __init__(self, optimizer: Any, step: int, more: More) -> None:
        super().__init__(optimizer, step, more)
        self._these = tuple(self._groups)
        self._one, self._other = self._was

    @property
    def written(self) -> Held:
        """What was written into the groups last."""
        return {"lr": (float(self._one), float(self._other))}

    def take(self, scheduler: Any) -> bool:
        """Take a step; False, and nothing has changed, if it must be taken the slow way."""
        lane = self._lane
        index = lane.index + 1
        if index >= lane.stop:
            if (more := self._next_lane()) is None:
                return False
            lane = more
            index = lane.index + 1
        one, other = self._these
        if one["lr"] is not self._one or other["lr"] is not self._other:
            return False
        groups = scheduler.optimizer.param_groups
        if groups is not self._groups or len(groups) != 2 or groups[0] is not one or groups[1] is not other:
            return False
        epoch, count, last = scheduler.last_epoch, scheduler._step_count, scheduler._last_lr
        try:
            _torch_step(scheduler)
            lrs, rows = scheduler._last_lr, lane.rows
            first, second = lrs
            if first != rows[2 * index] or second != rows[2 * index + 1]:
                first = lrs[0] = _written(one, first, rows[2 * index])
                second = lrs[1] = _written(other, second, rows[2 * index + 1])
            lane.index = index
            self._one, self._other = first, second
        except BaseException:  # torch's books and the place on the run move together
            scheduler.last_epoch, scheduler._step_count, scheduler._last_lr = epoch, count, last
            one["lr"], other["lr"] = self._one, self._other
            raise
        return True


Quicker: TypeAlias = QuickFollower | QuickTracks | QuickDropIn | QuickDropInOfOne | QuickDropInOfTwo

_DROP_INS: dict[int, type[QuickDropIn | QuickDropInOfOne | QuickDropInOfTwo]] = {
    1: QuickDropInOfOne,
    2: QuickDropInOfTwo,
}


def quick_of(
    optimizer: Any, step: int, more: More, tracks: tuple[str, ...], torch_step: Any
) -> Quicker | None:
    """Return what takes the steps of one scheduler on the param groups as they are; see Quick.

    `torch_step`: what the torch class of a drop-in does at a step; None: the scheduler computes nothing. Return None
    where that keeps more books than an LRScheduler's own, or moves more than plain lrs; or the groups hold something
    else than numbers and tensors.
    """
    lrs = [group["lr"] for group in optimizer.param_groups]
    plain = tracks == ("lr",) and all(type(lr) in (float, int) for lr in lrs)
    if torch_step is None:
        if plain:
            return QuickFollower(optimizer, step, more)
        cells = cells_of(optimizer.param_groups, tracks)
        return None if cells is None else QuickTracks(optimizer, step, more, tracks, cells)
    if torch_step is not _torch_step or not plain:
        return None
    return _DROP_INS.get(len(lrs), QuickDropIn)(optimizer, step, more)


def _put_back(groups: list[Any], lrs: list[Any], end: Any) -> None:
    """Have the groups before one of them hold again what they did."""
    for group, lr in zip(groups, lrs, strict=True):
        if group is end:
            return
        group["lr"] = lr


def _written(group: Any, lr: Any, value: float) -> Any:
    """Make a group hold a value; where the bits are the same, what torch put there stays."""
    if float(lr).hex() == value.hex():
        return lr
    group["lr"] = value
    return value


def _nothing() -> None:
    return None
