"""Asking for a run's next rows in the background, again and again, without a hand of the training thread."""

from __future__ import annotations

import logging
import random
from collections import deque
from dataclasses import replace
from typing import Protocol

from lrkeeper import errors
from lrkeeper.schedules import Schedule
from lrkeeper.schedules.composable.closed_form import counted
from lrkeeper.schedules.table import Table
from lrkeeper.torch.fetching import Followed, Later
from lrkeeper.torch.lane import Lane, lane_with_room
from lrkeeper.torch.pace import Pace
from lrkeeper.views import Window
from lrkeeper.window import ask_at

_log = logging.getLogger("lrkeeper")

_ROOM = 16
"""How many answers a lane has room for, if they are not long: in between the training thread has nothing to do."""

_PAUSE = 1.0  # seconds between tries that fail
_NEAR = 0.8  # of the way to the step at which to ask, it is looked again how far that is
_SHORTEST, _LONGEST = 0.002, 1.0  # seconds between two looks
_LOOKS = 128  # and no more of them in a window
_HURRIED = 0.01  # seconds: an answer that lasts no longer is looked after by the training thread

AWAY = (errors.ServerUnavailable, errors.DeadlineExceeded, errors.StorageUnavailable)
"""What passes by itself."""


class Call(Protocol):
    """NextLr for steps that are told nothing."""

    def __call__(
        self, from_step: int, count: int, *, applied_step: int, revision: int, frontier: int
    ) -> Window: ...


class Ahead(Followed):
    """One ask after the other, each when the job has half a window left.

    Called in the background, and used by nobody else. It gives rows as a lane, which it lengthens from then on: the
    lane says how far the job is. What is not to be gone on with unseen is given as it is, and is the last.

    Args:
        call: asks the server.
        step: where the job is.
        end: the first step that is not held.
        known: a revision and its definition.
        frontier: the highest that the run is known to have.
        pace: how many steps ahead to hold.
        horizon: the seconds that those should last.
    """

    def __init__(
        self,
        call: Call,
        step: int,
        end: int,
        known: tuple[int, Schedule],
        frontier: int,
        pace: Pace,
        horizon: float,
    ) -> None:
        self._call = call
        self._step = step
        self._end = end
        self._known = known
        self._frontier = frontier
        self._pace = pace
        self._horizon = horizon
        self._lane: Lane | None = None
        self._lanes: deque[Lane] = deque()  # the one in which the job is, and those that it comes to
        self._empty = 0  # asks in a row that gave no rows

    @property
    def goes_on(self) -> bool:
        """Whether there is a lane to lengthen."""
        return self._lane is not None and not self._lane.closed

    @property
    def wanted(self) -> bool:
        """Whether it is time to ask."""
        return self.goes_on and ask_at(self._end, self._at, self._pace.size) is not None

    @property
    def interval(self) -> float:
        """Seconds until it is worth to look again."""
        pace = self._pace
        steps = self._end - 1 - pace.size // 2 - self._at
        least = max(
            _SHORTEST, pace.size * pace.seconds / _LOOKS
        )  # where others hold the run back, it is time for long
        return min(max(_NEAR * steps * pace.seconds, least), _LONGEST)

    def __call__(self) -> Lane | Window | Later | None:
        """Ask; return rows, or nothing where the lane has them now; or when to be called again.

        Raises what NextLr does, but for what passes.
        """
        at = self._at
        if self._lane is not None:
            self._pace = self._lane.pace = self._pace.measured(at + 1, self._horizon)
        ask = ask_at(self._end, at, self._pace.size)
        if ask is None:
            return None  # the job has become slower
        try:
            window = self._call(*ask, applied_step=at, revision=self._known[0], frontier=self._frontier)
        except AWAY as error:
            _log.warning(
                "%s; the values up to step %d are here, and it is tried again meanwhile", error, self._end - 1
            )
            return Later(_PAUSE * random.uniform(0.5, 1.0))  # noqa: S311
        self._frontier = max(self._frontier, window.frontier)
        if window.table is None and window.failure is None and self._lane is not None:
            # Another rank is far behind, or this one, where answers are short and it stands still.
            self._empty = min(self._empty + 1, 10)
            return Later(random.uniform(0.5, 1.0) * min(_PAUSE, 0.1 * 2**self._empty))  # noqa: S311
        self._empty = 0
        if window.schedule is not None:
            self._known = window.revision, window.schedule
        elif window.revision == self._known[0]:
            window = replace(window, schedule=self._known[1])  # whoever has the row has its definition
        return self._given(window, window.table)

    @property
    def _at(self) -> int:
        """The step at which the job is; before it comes to the first lane, at which it was at last."""
        lanes = self._lanes
        while len(lanes) > 1 and lanes[1].taken:
            lanes.popleft()
        if lanes and lanes[0].taken:
            self._step = max(self._step, lanes[0].step)
        return self._step

    def _given(self, window: Window, table: Table | None) -> Lane | Window | None:
        lane, self._lane = self._lane, None
        if table is None or table.first_step != self._end or window.failure is not None:
            return window
        if lane is not None and lane.closed:
            return window
        if self._known[0] != window.revision or not foreseeable(self._known[1]):
            return window
        if self._pace.seconds * table.count < _HURRIED:
            return window
        self._end = table.end_step
        if lane is None or not lane.has_room(table):
            self._lane = lane_with_room(table, _ROOM)
            self._lanes.append(self._lane)
            self._lane.pace = self._pace
            self._lane.arrived.append(window)
            return self._lane
        self._lane = lane
        lane.arrived.append(window)  # before the job can come to it
        lane.lengthen(table)
        # The job may have let go of the lane before it had these.
        return window if lane.closed else None


def foreseeable(schedule: Schedule) -> bool:
    """Return whether the steps of a schedule learn nothing from the job, so that many can be asked for at once."""
    return not (schedule.takes_metric or any(schedule.callers()) or counted(schedule))
