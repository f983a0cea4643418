"""From step to step on a run: with rows from memory, or from the server, or without it if need be."""

from __future__ import annotations

import logging
import weakref
from contextlib import suppress
from dataclasses import replace

from lrkeeper import errors
from lrkeeper.client import Client
from lrkeeper.schedules.given import NOTHING, Given
from lrkeeper.torch import launch
from lrkeeper.torch.ahead import AWAY
from lrkeeper.torch.foretold import Foretold
from lrkeeper.torch.lane import lane_of
from lrkeeper.torch.options import Options
from lrkeeper.torch.outage import Deviation, Outage, Plan, plan_for
from lrkeeper.torch.quick import Quick
from lrkeeper.torch.runs import Runs
from lrkeeper.torch.source import runs_of
from lrkeeper.torch.supply import LOST, Supply, failure_of, hangs_on
from lrkeeper.torch.ticket import Ticket
from lrkeeper.views import Window

_log = logging.getLogger("lrkeeper")

_GRACE = 10.0
"""Seconds that a step waits for a server before it goes on without, where it may."""


class Walk:
    """Where a scheduler stands on its run, and the steps from there. Knows neither the scheduler nor the optimizer."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._runs: Runs | None = None
        self._ticket: Ticket | None = None
        self._furthest = 0  # the last step whose values the job has had
        self._supply = Supply(options.seconds_ahead, options.max_stall, weakref.WeakMethod(self.interrupt))
        self._quick: Quick | None = None
        self._outage: Outage | None = None
        self._unreported: list[Deviation] = []
        self._refused: Exception | None = None  # what came in the background, for the next step to raise

    @property
    def ticket(self) -> Ticket | None:
        """The place; None until the run is opened or a state dict is loaded."""
        quick = self._quick
        if quick is not None and self._ticket is not None and quick.step != self._ticket.step:
            window = self._supply.at(quick.step)
            assert window is not None
            self._ticket = self._ticket.moved(quick.step, window)
            self._furthest = max(self._furthest, quick.step)
        return self._ticket

    @ticket.setter
    def ticket(self, ticket: Ticket | None) -> None:
        self.rest()
        self._ticket = ticket
        if ticket is not None:
            self._furthest = max(self._furthest, ticket.step)

    @property
    def row(self) -> dict[str, tuple[float, ...]] | None:
        """The values of each group here, by track."""
        ticket = self.ticket
        return None if ticket is None else ticket.values.row(ticket.step)

    @property
    def is_next_committed(self) -> bool:
        """Whether the next step is known to be committed: it is gone through again, held, or a rank is ahead."""
        ticket = self.ticket
        return ticket is not None and ticket.step + 1 < max(ticket.place.frontier, self._supply.frontier)

    def foretell(self, foretold: Foretold | None) -> None:
        """Note what the job can tell of its steps ahead of them."""
        self._supply.foretold = foretold

    @property
    def next_is_foretold(self) -> bool:
        """Whether the next step has been told ahead, and its row is held: what it is told now comes too late."""
        ticket = self.ticket
        if ticket is None or self._supply.foretold is None:
            return False
        return self._supply.at(ticket.step + 1) is not None

    def rest(self) -> Quick | None:
        """End the quick steps, if there were any; return what took them."""
        quick = self._quick
        if quick is not None:
            self._ticket = self.ticket
            self._quick = None
            quick.close()
        return quick

    def interrupt(self) -> None:
        """Have the next step look whether all is as it was. Any thread may call this."""
        quick = self._quick
        if quick is not None:
            quick.end()

    def quicken(self, quick: Quick) -> bool:
        """Let the next steps be taken from memory, as far as they are held. False if none is."""
        self._quick = quick
        if self._feed(quick):
            return True
        self._quick = None
        return False

    def more(self, quick: Quick) -> bool:
        """See to it that a quick step has rows to take; False if it must be taken the slow way."""
        if quick is not self._quick or self._outage is not None:
            return False
        self.look_ahead(before_step=True)
        return quick is self._quick and self._feed(quick)

    def _feed(self, quick: Quick) -> bool:
        ticket = self.ticket
        if ticket is None or self._outage is not None or self._refused is not None:
            return False
        window = self._supply.at(ticket.step + 1)
        if window is None or window.table is None:
            return False
        end = min(window.table.end_step, self._supply.next_look(ticket.step, soon=not self._taken_already))
        end = min(max(end, ticket.step + 2), window.table.end_step)
        quick.load(lane_of(window.table.cut(ticket.step + 1, end), ticket.step), self._supply.coming)
        return True

    def look_ahead(self, *, before_step: bool = False) -> None:
        """Take in what has come in the background, and ask for more if it is time.

        It is, before a step or after it. Never raises: what is refused is raised by the next step, before it moves.
        """
        try:
            self._look_ahead(before_step=before_step)
        except errors.LrkeeperError as error:
            self._refused = error.with_traceback(None)  # its frames would keep the scheduler alive

    def next(self, given: Given = NOTHING) -> Ticket:
        """Return the ticket of the next step, which is given this; the position stays.

        Raises what NextLr does; BadAnswer; Stalled; and at the step that the schedule cannot reach, torch's
        exception there.
        """
        if self._refused is not None:
            refused, self._refused = self._refused, None
            try:
                raise refused
            finally:
                del refused  # or error and frame hold each other
        ticket = self.ticket
        assert ticket is not None
        if given.seen is not None or given.epoch is not None:
            ticket = replace(ticket, one_by_one=True)
        runs = self._connected()
        window = None
        error: Exception | None = None
        if self._outage is not None:
            try:
                window = self._back(runs, ticket, given, self._outage)
            except LOST as lost:
                ticket = self._take_again(ticket, lost)
                self._outage.since = replace(self._outage.since, place=ticket.place)
        else:
            try:
                try:
                    window = self._supply.take(runs, ticket, given, self._patience)
                except LOST as lost:
                    ticket = self._take_again(ticket, lost)
                    window = self._supply.take(runs, ticket, given, self._patience)
            except AWAY as away:
                if self.plan == "wait":
                    raise
                error = away
                self._outage = Outage(self.plan, ticket)
        if window is None:
            assert self._outage is not None
            window = self._outage.next(runs, ticket, given, error)
        elif self._unreported:
            self._report(runs)
        if window.table is None:
            raise failure_of(window, ticket)
        return ticket.moved(ticket.step + 1, window)

    @property
    def plan(self) -> Plan:
        """What a step does that has no row and no server. Raises ValueError if the ranks could part."""
        together = launch.world()[1] == 1 or self.options.synchronised == "broadcast"
        return plan_for(self.options.outage, together=together)

    @property
    def deviation(self) -> Deviation | None:
        """What has been used instead of the run's rows up to here, if that has not ended."""
        return None if self._outage is None else self._outage.deviation

    # Within.

    @property
    def _patience(self) -> float:
        """How many seconds a step waits for a server."""
        return self.options.max_stall if self.plan == "wait" else min(_GRACE, self.options.max_stall)

    @property
    def _taken_already(self) -> bool:
        """Whether the run is taken: rows from a checkpoint may come before that."""
        return True

    def _connected(self) -> Runs:
        if self._runs is None:
            self._runs = runs_of(self.options.settings, broadcast=self.options.synchronised == "broadcast")
        return self._runs

    def _look_ahead(self, *, before_step: bool) -> None:
        ticket = self.ticket
        if ticket is None or self._outage is not None:
            return
        self._supply.look_ahead(self._connected(), ticket, ticket.step + before_step)
        if self._supply.lost:
            self._supply.lost = False
            with suppress(errors.LrkeeperError):  # it comes again when the rows have run out
                self._ticket = self._take_again(ticket, None)

    def _take_again(self, ticket: Ticket, lost: Exception | None) -> Ticket:
        """Return the ticket once the run has been taken again from a database that has lost some of it."""
        if lost is not None:
            raise lost
        return ticket

    def _back(self, runs: Runs, ticket: Ticket, given: Given, outage: Outage) -> Window | None:
        """Return the row of the next step if the server is back, once the run has the steps since."""
        try:
            for before, told in (*outage.untold(hangs_on), (ticket, given)):
                if hangs_on(before.schedule, told) and self._supply.frontier <= before.step:
                    # Only the next step is given anything: those before it come first.
                    self._supply.retry(runs, replace(before, step=before.step - 1, one_by_one=True), NOTHING)
                window = self._supply.retry(runs, before, told)
        except AWAY:
            return None
        except errors.RunFenced:
            self._end_outage(runs)
            raise
        _log.warning("run %r answers again at step %d", ticket.place.run, ticket.step + 1)
        self._end_outage(runs)
        return window

    def _end_outage(self, runs: Runs) -> None:
        assert self._outage is not None
        if (deviation := self._outage.deviation) is not None:
            self._unreported.append(deviation)
        self._outage = None
        self._report(runs)

    def _report(self, runs: Runs) -> None:
        """Tell the run what was used instead of its rows; what cannot be told now is told later."""
        if not isinstance(runs, Client):
            return
        with suppress(*AWAY):
            while self._unreported:
                place, table, kind, _ = self._unreported[0]
                try:
                    runs.report_deviation(place, table, kind)
                except AWAY:
                    raise
                except errors.LrkeeperError as error:  # the training is not at fault
                    _log.error(
                        "run %r has no record of what was used instead of its values from step %d to %d: %s",
                        place.run,
                        table.first_step,
                        table.end_step - 1,
                        error,
                    )
                del self._unreported[0]
