"""What a client holds of its run's timeline, and how far ahead it asks: rules without a clock, a thread or a wire."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

from lrkeeper.errors import BadAnswer
from lrkeeper.schedules import Schedule
from lrkeeper.schedules.cursor import Cursor, extend
from lrkeeper.schedules.numbers import Row, cast_row
from lrkeeper.views import Window

GROWTH = 4
"""How many times as long as the last one a window may be: the first steps of a job tell little of its pace."""


class Ask(NamedTuple):
    """The steps to ask for next: `count` from `from_step`."""

    from_step: int
    count: int  # type: ignore[assignment]  # hides tuple.count


def window_size(horizon: float, seconds_a_step: float, before: int, most: int) -> int:
    """Return how many steps ahead to hold: the horizon's worth, at least 1 and at most `most`.

    Args:
        horizon: seconds to hold values for.
        seconds_a_step: the measured pace.
        before: the size so far, from which it grows step by step.
        most: how many steps one answer may have.
    """
    if horizon <= 0:
        return 1
    wanted = horizon / seconds_a_step if seconds_a_step > 0 else most
    return int(max(1, min(most, before * GROWTH, wanted)))


def ask_at(end: int, step: int, size: int) -> Ask | None:
    """Return what to ask for at a step: at half a window or less, so much that a whole one is held.

    Args:
        end: the first step that is not held.
        step: where the job is.
        size: how many steps ahead to hold.
    """
    held = end - 1 - step
    if size == 1 or held < 0 or held > size // 2:
        return None
    return Ask(end, size - held)


def each_step(window: Window, schedule: Schedule, base: Row) -> tuple[Window, ...]:
    """Return one window for each row of a window whose steps learned something; another one stays as it is.

    Each has the evaluator's state before its step, which follows from the run's rows, whatever is computed here.

    Args:
        window: an answer.
        schedule: the definition that its rows were evaluated with.
        base: the groups' base values.
    """
    table = window.table
    if table is None or not window.learned:
        return (window,)
    found: list[Window] = []
    cursor = Cursor.from_json(window.cursor, base)
    for step, given in enumerate(window.learned, start=table.first_step):
        found.append(
            replace(
                window,
                table=table.cut(step, step + 1),
                failure=window.failure if step == table.end_step - 1 else None,
                cursor=cursor.to_json(base),
                cursor_step=step - 1,
                given=given,
                learned=(),
            )
        )
        cursor, rows, _ = extend(schedule, base, cursor, 1, given)
        if not rows:
            break  # the rest is asked for again, when it is needed
        cursor = cursor._replace(row=cast_row(table.row(step), cursor.row))
    return tuple(found)


class Stock:
    """Committed rows of one branch that a client holds, in order of steps without gap.

    All rows of one of its windows have one revision, and the evaluator's state that comes with a window leads to
    each of its rows.
    """

    def __init__(self, windows: tuple[Window, ...] = ()) -> None:
        self._windows: deque[Window] = deque()
        self.end = 0
        """The first step that is not held."""
        for window in windows:
            self.add(window)

    def add(self, window: Window) -> None:
        """Take in an answer's rows; those that are held already are left out.

        Raises BadAnswer where the answer has other bits for a step that is held.
        """
        table = window.table
        if table is None:
            return
        if not self._windows or table.first_step > self.end:
            self._windows.clear()
        elif table.first_step < self.end:
            self._compare(window)
            if table.end_step <= self.end:
                return
            window = replace(window, table=table.cut(self.end, table.end_step))
        self._windows.append(window)
        self.end = table.end_step

    def at(self, step: int) -> Window | None:
        """Return the window that has a step, if it is held."""
        for window in self._windows:
            if window.table is not None and window.table.first_step <= step < window.table.end_step:
                return window
        return None

    def forget_before(self, step: int) -> None:
        """Let go of windows that end at or before a step."""
        while self._windows and (table := self._windows[0].table) is not None and table.end_step <= step:
            self._windows.popleft()

    def clear(self) -> None:
        """Let go of all."""
        self._windows.clear()
        self.end = 0

    def ask(self, step: int, size: int) -> Ask | None:
        """Return what to ask for at a step, as `ask_at` does."""
        return ask_at(self.end, step, size)

    def __iter__(self) -> Iterator[Window]:
        return iter(self._windows)

    def _compare(self, window: Window) -> None:
        assert window.table is not None
        for held in self._windows:
            assert held.table is not None
            first = max(held.table.first_step, window.table.first_step)
            end = min(held.table.end_step, window.table.end_step)
            if first < end and held.table.cut(first, end).data != window.table.cut(first, end).data:
                raise BadAnswer(
                    f"the server gave other values for steps {first} to {end - 1} than it gave before"
                )
