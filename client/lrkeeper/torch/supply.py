"""The rows of a run that a scheduler holds: fetched in the background before they are needed."""

from __future__ import annotations

import logging
import random
import time
import weakref
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from dataclasses import replace
from functools import partial
from typing import TypeAlias

from lrkeeper import errors
from lrkeeper.client import Client
from lrkeeper.schedules import Schedule
from lrkeeper.schedules.cursor import FAILURES
from lrkeeper.schedules.given import NOTHING, Given
from lrkeeper.torch.ahead import AWAY, Ahead, foreseeable
from lrkeeper.torch.broadcast import asker, share, shares
from lrkeeper.torch.fetching import Fetching
from lrkeeper.torch.foretold import Foretold, most_foretold
from lrkeeper.torch.lane import Coming, Lane
from lrkeeper.torch.pace import MOST, Pace
from lrkeeper.torch.runs import Runs
from lrkeeper.torch.ticket import Ticket
from lrkeeper.views import Window
from lrkeeper.window import Ask, Stock

_log = logging.getLogger("lrkeeper")

_KEPT = 64
"""Steps that are held behind the present one, should the database have lost them: other ranks may be there."""

_LANES = 3
"""So many are remembered, and the steps that are in them."""

_PAUSE = 1.0  # seconds until the next ask in the background after one that failed
_PATIENCE = 2.0  # seconds that one of them goes on trying

_Found: TypeAlias = Window | tuple[Window, ...] | Lane

LOST = (errors.StoreChanged, errors.UnknownFence, errors.BranchNotFound, errors.RunNotFound)
"""What a database says that has been put back from an older backup."""


class Supply:
    """What is held of a run's timeline from a ticket's step on. Belongs to the training thread.

    Where rank 0 asks for all, a step that is not held is one at which all ranks meet: they hold the same rows.

    Args:
        horizon: seconds of values to hold; 0: one step at a time.
        max_stall: seconds a step waits for a rank that is far behind.
        alarm: a method that is called in the background once a call there has failed.
    """

    def __init__(
        self, horizon: float, max_stall: float, alarm: weakref.WeakMethod[Callable[[], None]]
    ) -> None:
        self._horizon = horizon
        self._max_stall = max_stall
        self._alarm = alarm
        self._stock = Stock()
        self._fetching: Fetching[_Found] = Fetching(alarm)
        self._lanes: deque[Lane] = deque(maxlen=_LANES)  # those that the job has gone over to
        self._pace = Pace(1)
        self._known: tuple[int, Schedule] | None = None
        self._not_before = 0.0
        self._frontier = 0
        self._fenced: errors.RunFenced | None = None
        self.foretold: Foretold | None = None
        """What the job can tell of its steps ahead of them, where they are told something."""
        self.lost = False
        """Whether a call in the background was answered by a database that has lost the run, or some of it."""

    def begin(self, frontier: int = 0, windows: tuple[Window, ...] = ()) -> None:
        """Hold only these: the branch, or the fence, is another one now."""
        self._ask_anew()
        self._stock.clear()
        self._known = None
        for window in windows:
            self._add(window)
        self._fenced = None
        self._frontier = max([frontier, *(window.frontier for window in windows)])

    def go_on(self, frontier: int) -> None:
        """Hold what is held, and ask as one that has the run anew: its database had lost some of it."""
        self._ask_anew()
        self._frontier = frontier

    @property
    def frontier(self) -> int:
        """The highest that the run is known to have."""
        self._enter()
        return self._frontier

    @property
    def end(self) -> int:
        """The first step that is not held."""
        self._enter()
        return self._stock.end

    @property
    def held(self) -> tuple[Window, ...]:
        """All rows that are held, in order of steps."""
        self._enter()
        return tuple(self._stock)

    @property
    def is_asked_ahead(self) -> bool:
        """Whether the server may have committed more meanwhile: steps are asked for in the background."""
        return self._fetching.busy

    def at(self, step: int) -> Window | None:
        """Return what has a step's row, if it is held."""
        self._enter()
        return self._stock.at(step)

    @property
    def coming(self) -> Coming:
        """What comes in the background, for quick steps.

        They go over to a lane that begins where the one before ends. Otherwise `look_ahead` sees what there is.
        """
        return Coming(self._fetching.look, self._lanes.append, self._fetching.take_back)

    def from_step(self, step: int) -> tuple[Window, ...]:
        """Return the rows held from a step on."""
        found = []
        end = step
        for window in self.held:
            table = window.table
            assert table is not None
            if table.first_step > end:
                break
            if table.end_step > step:
                end = table.end_step
                found.append(replace(window, table=table.cut(max(step, table.first_step), table.end_step)))
        return tuple(found)

    def take(self, runs: Runs, ticket: Ticket, given: Given, patience: float) -> Window:
        """Return what has the row of the step after a ticket's; without a table, it says why there is none.

        Waits where it is not held. Raises what NextLr does.
        """
        step = ticket.step + 1
        self._collect(runs)
        if (held := self._stock.at(step)) is not None:
            return held  # committed: whatever the step is given comes too late
        told = hangs_on(ticket.schedule, given)
        self._pace = self._pace.measured(step, self._horizon)
        self._known = self._known or (ticket.revision, ticket.schedule)
        before = time.monotonic()
        window = share(runs, lambda: self._obtained(runs, ticket, given, patience, told=told))
        self._pace = replace(self._pace, at=self._pace.at + time.monotonic() - before)  # not the job's time
        self._add(window)
        return self._stock.at(step) or window

    def retry(self, runs: Runs, ticket: Ticket, given: Given) -> Window:
        """Return what `take` does if the server is back; hardly waits otherwise.

        Raises what NextLr does: one of `AWAY` as long as there is no answer.
        """
        step = ticket.step + 1

        def tried() -> Window:
            found = self._collected()
            if found is None:
                self._fetching.start(self._call(runs, ticket, step, 1, given, _PATIENCE))
                pace = (time.monotonic() - self._pace.at) / max(1, step - self._pace.step)
                found = self._window_of(self._fetching.wait(min(1.0, 0.1 * pace)))
            if isinstance(found, AWAY) or found is None:
                raise errors.ServerUnavailable("the lrkeeper server cannot be reached yet")
            if isinstance(found, Exception):
                raise found
            return found

        if (held := self.at(step)) is not None:
            return held
        self._add(share(runs, tried))
        return self.take(runs, ticket, given, _PATIENCE)

    def look_ahead(self, runs: Runs, ticket: Ticket, arriving: int) -> None:
        """Collect what has come, and ask for more in the background if it is time. Never waits.

        `arriving`: the step that the job comes to by this call of the scheduler's `step`.
        """
        self._collect(runs)
        self._stock.forget_before(ticket.step - _KEPT)
        if self._fetching.busy or time.monotonic() < self._not_before or not isinstance(asker(runs), Client):
            return
        if self._fenced is not None:
            return
        foretold = self._foretold_of(ticket)
        if not self._looks_ahead(ticket) and (foretold is None or shares(runs)):
            return
        most = MOST if foretold is None else most_foretold(ticket.values.width)
        if self._stock.ask(ticket.step, min(most, self._pace.size)) is None:
            return
        self._pace = self._pace.measured(arriving, self._horizon)
        ask = self._stock.ask(ticket.step, min(most, self._pace.size))
        if ask is None:
            return
        if foretold is not None:
            self._fetching.start(self._call_foretold(runs, ticket, ask, foretold))
        elif shares(runs):  # nobody may go on with it alone
            self._fetching.start(self._call(runs, ticket, *ask, NOTHING, _PATIENCE))
        else:
            self._fetching.start(self._ahead(runs, ticket))

    def next_look(self, step: int, *, soon: bool) -> int:
        """Return the step before which to look ahead again: none of those before needs it, unless `soon`."""
        end = self.end
        if not soon:
            if self._fetching.busy:
                return end
            half = end - 1 - self._pace.size // 2
            if half > step:
                return half + 1
        return min(end, step + max(1, (end - step) // 8))

    # Within.

    def _looks_ahead(self, ticket: Ticket) -> bool:
        return self._horizon > 0 and not ticket.one_by_one and foreseeable(ticket.schedule)

    def _foretold_of(self, ticket: Ticket) -> Foretold | None:
        """Return what is told ahead at a place; None if nothing is."""
        found = self.foretold
        if found is None or self._horizon <= 0 or ticket.one_by_one or ticket.schedule != found.own:
            return None
        ends_with = ticket.schedule if self._known is None else self._known[1]  # where the rows held end
        return found if ends_with == found.own else None

    def _call_foretold(
        self, runs: Runs, ticket: Ticket, ask: Ask, foretold: Foretold
    ) -> partial[tuple[Window, ...]]:
        client, last = asker(runs), ask.from_step - 1
        before = ticket if ticket.step == last else self._stock.at(last)
        assert isinstance(client, Client)
        assert before is not None
        return partial(
            copy_context().run,  # decimal's precision, say
            foretold.ask,
            client,
            ticket,
            before,
            ask,
            revision=self._known[0] if self._known else ticket.revision,
            frontier=max(self._frontier, ticket.place.frontier),
            patience=_PATIENCE,
        )

    def _ask_anew(self) -> None:
        """Forget what has been asked, and what stood against asking."""
        self._enter()
        for lane in self._lanes:
            lane.closed = True
        self._lanes.clear()  # what still comes to them is not wanted any more
        self._fetching = Fetching(self._alarm)
        self._not_before, self.lost = 0.0, False

    def _enter(self) -> None:
        """Put the rows into the stock that have come to the lanes."""
        for lane in tuple(self._lanes):
            self._empty(lane)

    def _empty(self, lane: Lane) -> None:
        if lane.pace is not None and lane.pace.at > self._pace.at:
            self._pace = lane.pace
        while lane.arrived:
            self._add(lane.arrived.popleft())

    def _window_of(self, found: _Found | Exception | None) -> Window | Exception | None:
        """Return what came; a lane is nobody's then, and its rows are in the stock, as those of many windows."""
        if isinstance(found, tuple):
            for each in found:
                self._add(each)
            if not found:  # a function has nothing to say of the next step, and will say so at it
                self._not_before = time.monotonic() + _PAUSE
            return found[-1] if found else None
        if not isinstance(found, Lane):
            return found
        found.closed = True
        window = found.arrived[0]
        self._empty(found)
        return window

    def _collected(self) -> Window | Exception | None:
        """Return what has come in the background, once."""
        self._enter()
        return self._window_of(self._fetching.collect())

    def _collect(self, runs: Runs) -> None:
        """Take in what has come in the background; where all ranks must hold the same, only at a common step."""
        while not shares(runs) and (found := self._collected()) is not None:
            self._take_in(found)

    def _take_in(self, found: Window | Exception) -> None:
        if isinstance(found, Window):
            self._add(found)
            if found.failure is not None:
                self._not_before = time.monotonic() + _PAUSE  # there are no more, but for an edit
            elif found.table is None:
                self._not_before = time.monotonic() + random.uniform(0.05, 0.2)  # noqa: S311
        else:
            # Whatever it is, it comes again, and is raised, when the rows have run out.
            self._not_before = time.monotonic() + _PAUSE
            self.lost = isinstance(found, LOST)
            self._note_fenced(found)
            _log.warning(
                "%s; the values up to step %d are here, and it is tried again meanwhile",
                found,
                self._stock.end - 1,
            )

    def _note_fenced(self, found: Exception) -> None:
        """A start that has lost its run never takes it back, whatever the database becomes after that."""
        if isinstance(found, errors.RunFenced):
            self._fenced = errors.RunFenced(str(found), **found.details)

    def _add(self, window: Window) -> None:
        self._frontier = max(self._frontier, window.frontier)
        if window.table is None:
            return
        if window.schedule is not None:
            self._known = window.revision, window.schedule
        elif self._known is not None and self._known[0] == window.revision:
            window = replace(window, schedule=self._known[1])
        self._stock.add(window)

    def _ahead(self, runs: Runs, ticket: Ticket) -> Ahead:
        client = asker(runs)
        assert client is not None
        return Ahead(
            partial(client.next_lr, ticket.place, patience=_PATIENCE),
            ticket.step,
            self._stock.end,
            self._known or (ticket.revision, ticket.schedule),
            max(self._frontier, ticket.place.frontier),
            self._pace,
            self._horizon,
        )

    def _call(
        self, runs: Runs, ticket: Ticket, from_step: int, count: int, given: Given, patience: float
    ) -> partial[Window]:
        ask = asker(runs)
        assert ask is not None
        return partial(
            ask.next_lr,
            ticket.place,
            from_step,
            count,
            applied_step=ticket.step,
            revision=self._known[0] if self._known else ticket.revision,
            given=given,
            frontier=max(self._frontier, ticket.place.frontier),
            patience=patience,
        )

    def _obtained(self, runs: Runs, ticket: Ticket, given: Given, patience: float, *, told: bool) -> Window:
        """Return the rows that are under way, or ask for them until there is an answer.

        A frontier far behind comes nearer with every call; but where another rank is far behind, the run
        waits for it, and so does this one.
        """
        step, frontier = ticket.step + 1, -1
        if self._fenced is not None:
            raise errors.RunFenced(str(self._fenced), **self._fenced.details)
        if self._fetching.busy and not told and self._stock.end == step:
            before = time.monotonic()
            found = self._window_of(self._fetching.wait(min(patience, _PATIENCE)))
            if isinstance(found, Window) and found.table is not None and found.table.first_step == step:
                return found
            self._fetching = Fetching(self._alarm)  # it asks for what is asked for here
            patience = max(min(patience, 1.0), patience - (time.monotonic() - before))
        self._known = ticket.revision, ticket.schedule
        ahead = not told and isinstance(runs, Client) and self._looks_ahead(ticket)
        count = self._pace.size if ahead else 1
        call = self._call(runs, ticket, step, count, given if count == 1 else NOTHING, patience)
        end = time.monotonic() + self._max_stall
        while True:
            try:
                window = call()
            except errors.RunFenced as fenced:
                self._note_fenced(fenced)
                raise
            failure = window.failure
            if window.table is not None:
                return window
            if failure is not None and failure.step <= step:
                if count == 1 or not given:
                    return window
                count, frontier = 1, -1  # an edit may have made the schedule one that needs it
                call = self._call(runs, ticket, step, count, given, patience)
                continue
            if window.frontier <= frontier:
                if time.monotonic() > end:
                    raise errors.Stalled(
                        f"run {ticket.place.run!r} has stayed at step {frontier} for "
                        f"{self._max_stall:.0f} s, and this rank is at {ticket.step}: another rank is far behind"
                    )
                time.sleep(random.uniform(0.005, 0.05))  # noqa: S311
            frontier = window.frontier


def hangs_on(schedule: Schedule, given: Given) -> bool:
    """Return whether a step's values hang on what it is given."""
    if not given:
        return False
    if given.epoch is not None or given.seen is not None or given.factors:
        return True
    return not foreseeable(schedule)


def failure_of(window: Window, ticket: Ticket) -> Exception:
    """Return the exception of a step that the schedule cannot reach: torch's own there."""
    failure = window.failure
    assert failure is not None
    return FAILURES.get(failure.type, RuntimeError)(
        f"step {ticket.step + 1} of run {ticket.place.run!r} cannot be reached: {failure.message}"
    )
