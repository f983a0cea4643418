"""Functions that depend on the step alone: they are called ahead of their steps, in the background."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from lrkeeper.client import Client
from lrkeeper.local import base_of_groups
from lrkeeper.schedules import Schedule
from lrkeeper.schedules.calling import CallingSchedule
from lrkeeper.schedules.composable.closed_form import counted
from lrkeeper.schedules.cursor import Cursor, extend
from lrkeeper.schedules.given import Calls, Given
from lrkeeper.schedules.numbers import Row, cast_row
from lrkeeper.torch.calling import factor
from lrkeeper.torch.ticket import Ticket
from lrkeeper.views import Window
from lrkeeper.window import Ask, each_step

_MOST = 256
"""No more steps are held: each has a row of its own in the database, and in a checkpoint."""

_BYTES, _BYTES_OF_A_STEP, _BYTES_OF_A_COLUMN = 256 << 10, 512, 64
"""All of them take about so much, in a checkpoint and in what repairs a database."""


def most_foretold(columns: int) -> int:
    """Return how many steps are held at most, of rows of so many columns."""
    return max(1, min(_MOST, _BYTES // (_BYTES_OF_A_STEP + _BYTES_OF_A_COLUMN * columns)))


@dataclass(frozen=True)
class Foretold:
    """A definition that this job has built, whose functions may be called at any time.

    Args:
        own: it.
        lrs: what the optimizer's groups have as lrs: on their kind hangs what torch computes with.
    """

    own: Schedule
    lrs: tuple[Any, ...]

    def ask(
        self,
        client: Client,
        ticket: Ticket,
        before: Window | Ticket,
        steps: Ask,
        *,
        revision: int,
        frontier: int,
        patience: float,
    ) -> tuple[Window, ...]:
        """Ask for steps with what they are told; return a window for each, none if nothing can be told.

        Args:
            client: asks the server.
            ticket: where the job is, with this definition.
            before: what has the row of the step before those, which is of this definition too.
            steps: which.
            revision: as of `Client.next_lr`, which may raise.
            frontier: as there.
            patience: as there.
        """
        base = base_of_groups(ticket.groups)
        told = self._given(_cursor_at(before, steps.from_step - 1, self.own, base), base, steps.count)
        if not told:
            return ()
        window = client.next_lr(
            ticket.place,
            steps.from_step,
            len(told),
            applied_step=ticket.step,
            revision=revision,
            given=told[0],
            ahead=told[1:],
            frontier=frontier,
            patience=patience,
        )
        return each_step(window, window.schedule or self.own, base)

    def _given(self, cursor: Cursor, base: Row, count: int) -> list[Given]:
        """Return what the steps after a cursor's are told, up to one at which a function raises, or gives no number.

        It will again, at that step.
        """
        found: list[Given] = []
        memory, row = cursor.memory, cursor.row
        for _ in range(count):
            calls = Calls(number=lambda result, group: factor(result, self.lrs[group]))
            try:
                memory, row = self.own.advance(memory, base, row, calls)
            except BaseException:
                break
            if any(map(math.isnan, calls.factors)):
                break
            found.append(Given(factors=tuple(calls.factors)))
        return found


def foretold_of(schedule: Schedule | None, lrs: tuple[Any, ...]) -> Foretold | None:
    """Return what can be told ahead of a definition; None where a function may depend on more than the step."""
    callers = [] if schedule is None else list(schedule.callers())
    if schedule is None or not callers:
        return None
    pure = all(isinstance(each, CallingSchedule) and each.pure for each in callers)
    told_more = schedule.takes_metric or counted(schedule)
    return Foretold(schedule, lrs) if pure and not told_more else None


def _cursor_at(held: Window | Ticket, step: int, schedule: Schedule, base: Row) -> Cursor:
    """Return the evaluator's state at a step whose row is held."""
    table = held.table if isinstance(held, Window) else held.values
    assert table is not None
    cursor = Cursor.from_json(held.cursor, base)
    cursor, _, _ = extend(schedule, base, cursor, step - cursor.step, held.given)
    return cursor._replace(row=cast_row(table.row(step), cursor.row))
