"""Going on without a server: rows that are not the run's, so that they are recorded as deviations afterwards."""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from lrkeeper.local import base_of_groups
from lrkeeper.schedules import Schedule
from lrkeeper.schedules.cursor import Cursor, extend
from lrkeeper.schedules.given import NOTHING, Given
from lrkeeper.schedules.numbers import Row, cast_row
from lrkeeper.schedules.table import Table
from lrkeeper.torch.broadcast import share
from lrkeeper.torch.runs import Runs
from lrkeeper.torch.ticket import Ticket
from lrkeeper.views import DeviationKind, Place, Window

_log = logging.getLogger("lrkeeper")

_LOUD_EVERY = 60.0

Plan = Literal["wait", "hold", "forecast"]


class Deviation(NamedTuple):
    """What was used instead of a run's rows, by whom."""

    place: Place
    table: Table
    kind: DeviationKind
    given: tuple[Given, ...] = ()
    """What each of the steps was given."""


def plan_for(on_outage: str, *, together: bool) -> Plan:
    """Return what to do when no server can be reached and the rows have run out.

    `together`: the ranks cannot part, because there is one, or because one decides for all.

    Raises ValueError where they could.
    """
    if on_outage in ("hold", "forecast") and not together:
        raise ValueError(
            f"on_outage is {on_outage!r}, and there are several ranks, which ask each by itself: one that cannot reach "
            "the server would part from the others; say sync='broadcast', or on_outage='wait'"
        )
    if on_outage == "auto":
        return "forecast" if together else "wait"
    return on_outage  # type: ignore[return-value]


@dataclass
class Outage:
    """Steps after `since`, the last one that has the run's row. It lasts until the run answers again."""

    kind: DeviationKind
    since: Ticket
    rows: list[Row] = field(default_factory=list)
    given: list[Given] = field(default_factory=list)
    _cursor: Cursor | None = None
    _said: float = 0.0

    @property
    def deviation(self) -> Deviation | None:
        """What has been used instead of the run's rows."""
        if not self.rows:
            return None
        table = Table.from_rows(self.since.step + 1, self.rows)
        return Deviation(self.since.place, table, self.kind, tuple(self.given))

    def untold(self, hangs_on: Callable[[Schedule, Given], bool]) -> Iterator[tuple[Ticket, Given]]:
        """Yield the steps whose rows hang on what they were given: the run has to be told, one after the other.

        Each with the ticket of the step before it.
        """
        for place, given in enumerate(self.given):
            if hangs_on(self.since.schedule, given):
                step = self.since.step + place
                yield replace(self.since, step=step), given

    def next(self, runs: Runs, ticket: Ticket, given: Given, error: Exception | None) -> Window:
        """Return what stands for the row of the step after a ticket's: on all ranks the same."""
        self._say(ticket, error)
        reached = ticket.step - self.since.step
        del self.rows[reached:], self.given[reached:]  # of a step that was not made in the end
        window = share(runs, lambda: self._made(ticket, given))
        if window.table is not None:
            self.rows.append(dict(window.table.row(ticket.step + 1)))
            self.given.append(given)
        return window

    def _made(self, ticket: Ticket, given: Given) -> Window:
        row, failure = dict(given.seen or ticket.values.row(ticket.step)), None
        if self.kind == "forecast":
            base = base_of_groups(ticket.groups)
            cursor = self._cursor
            if cursor is None or cursor.step != ticket.step:
                cursor = self._reached(base)
            cursor, rows, failure = extend(ticket.schedule, base, cursor, 1, given)
            if rows:
                self._cursor = cursor
                row = {track: tuple(map(float, values)) for track, values in rows[0].items()}
        return Window(
            table=Table.from_rows(ticket.step + 1, [row]) if failure is None else None,
            revision=ticket.revision,
            frontier=0,
            failure=failure,
            cursor=self.since.cursor,
            cursor_step=self.since.cursor_step,
            schedule=ticket.schedule,
            given=self.since.given,
        )

    def _reached(self, base: Row) -> Cursor:
        """Return the evaluation as far as the rows go: where the run has a row, it is that, whatever is computed."""
        since = self.since
        cursor = Cursor.from_json(since.cursor, base)
        cursor, _, _ = extend(since.schedule, base, cursor, since.step - cursor.step, since.given)
        if since.values.first_step == since.step:
            cursor = cursor._replace(step=since.step, row=cast_row(since.values.row(since.step), cursor.row))
        for given in self.given:
            cursor, _, _ = extend(since.schedule, base, cursor, 1, given)
        if self.rows:
            step = since.step + len(self.rows)
            cursor = cursor._replace(step=step, row=cast_row(self.rows[-1], cursor.row))
        return cursor

    def _say(self, ticket: Ticket, error: Exception | None) -> None:
        now = time.monotonic()
        if self._said and now - self._said < _LOUD_EVERY:
            return
        what = (
            "the last values are held" if self.kind == "hold" else "the schedule last known is gone on with"
        )
        text = (
            f"step {ticket.step + 1} of run {ticket.place.run!r} has no value from the server"
            f"{f' ({error})' if error else ''}: {what}; it will be recorded as a deviation"
        )
        if not self._said:
            warnings.warn(text, UserWarning, stacklevel=7)
        _log.warning("%s", text)
        self._said = now


def held_over(ticket: Ticket) -> Outage:
    """Return the outage that a checkpoint was taken in; `ticket` is its place."""
    kind, table, given = ticket.deviation or ("hold", ticket.values, ())
    since = replace(ticket, step=table.first_step - 1, deviation=None, ahead=())
    rows: list[Row] = [dict(table.row(step)) for step in range(table.first_step, table.end_step)]
    return Outage(kind, since, rows, [*given, *[NOTHING] * (len(rows) - len(given))])
