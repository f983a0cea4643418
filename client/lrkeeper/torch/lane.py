"""Rows in a line, as steps are taken from memory: one thread takes them, another one lengthens the line.

Neither waits for the other, so each attribute is written by one of them only: `index`, `taken` and `closed` by the
training thread, all others by the background.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from lrkeeper.schedules.table import Table
from lrkeeper.torch.pace import Pace
from lrkeeper.views import Window

_BYTES = 1 << 20
"""A lane has no room for more, unless one answer is longer."""


class Lane:
    """Rows of consecutive steps, one after the other: a number for each track and param group.

    Args:
        columns: how many.
        first_step: of the first row.
        room: for how many rows.
        index: of the row that the job has.
    """

    __slots__ = (
        "_room",
        "arrived",
        "closed",
        "columns",
        "first_step",
        "index",
        "pace",
        "rows",
        "stop",
        "taken",
    )

    def __init__(self, columns: int, first_step: int, room: int, index: int) -> None:
        self.columns, self.first_step, self._room = columns, first_step, room
        self.rows = array("d", bytes(8 * columns * room))
        self.index, self.stop = index, 0
        self.arrived: deque[Window] = deque()
        """What its rows have come with, for the stock."""
        self.pace: Pace | None = None
        """Of the job, as the background has measured it last."""
        self.taken = False
        """Whether the job has come to it,"""
        self.closed = False
        """and whether it has let go of it."""

    @property
    def step(self) -> int:
        """The step whose row the job has."""
        return self.first_step + self.index

    @property
    def end_step(self) -> int:
        """The first step that is not there."""
        return self.first_step + self.stop

    def has_room(self, table: Table) -> bool:
        """Return whether a table's rows follow, and there is room for them."""
        return table.first_step == self.end_step and self.stop + table.count <= self._room

    def lengthen(self, table: Table) -> None:
        """Add a table's rows, for which there is room."""
        end = self.stop + table.count
        for place in range(self.columns):
            self.rows[self.stop * self.columns + place : end * self.columns : self.columns] = table.column(
                place
            )
        self.stop = end  # not before they are there


def lane_of(table: Table, step: int) -> Lane:
    """Return the rows of a table, for a job that is at a step: the one before its first."""
    lane = Lane(table.width, table.first_step, table.count, step - table.first_step)
    lane.lengthen(table)
    return lane


def lane_with_room(table: Table, times: int) -> Lane:
    """Return the rows of a table, for a job that comes to them, with room for so many times as many."""
    room = max(table.count, min(times * table.count, _BYTES // (8 * table.width)))
    lane = Lane(table.width, table.first_step, room, -1)
    lane.lengthen(table)
    return lane


class Coming(NamedTuple):
    """What comes in the background, for who goes on with it by itself."""

    look: Callable[[], object]
    """Returns what has come. Raises Empty."""
    go_on: Callable[[Lane], None]
    """Takes a lane that is gone on with."""
    take_back: Callable[[Any], None]
    """Takes anything else."""
