"""Taking a run for a scheduler, and keeping it: while the server is away, and where a database was put back."""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace
from functools import partial

from lrkeeper import errors, views
from lrkeeper.client import Client
from lrkeeper.local import LocalRuns
from lrkeeper.schedules import Schedule
from lrkeeper.schedules.given import Given
from lrkeeper.torch import launch, resuming
from lrkeeper.torch.ahead import AWAY
from lrkeeper.torch.broadcast import agreed, asker, shares
from lrkeeper.torch.fetching import Fetching
from lrkeeper.torch.options import Options
from lrkeeper.torch.outage import Outage
from lrkeeper.torch.quick import Quick
from lrkeeper.torch.remembering import remembered
from lrkeeper.torch.runs import Runs
from lrkeeper.torch.source import check_answers
from lrkeeper.torch.ticket import Ticket
from lrkeeper.torch.walk import Walk

_log = logging.getLogger("lrkeeper")

_LOOK_SECONDS = 3.0


class Holder(Walk):
    """A walk on a run that is taken for it. `ticket` is None until then, or until a state is loaded."""

    def __init__(self, options: Options) -> None:
        super().__init__(options)
        self._opened = False
        self._reserved = ""
        self._taking: Fetching[views.Place] = Fetching()
        self._wanted: views.Start | None = None
        self._definition: Schedule | str | None = None
        self._brought: tuple[views.Group, ...] = ()
        self._left: Ticket | None = None  # the step at which the run has last left its branch, on the new one
        self._carried = False  # whether it has gone on with a checkpoint's rows before the run was taken

    def prepare(self) -> None:
        """See whether the server answers, and set a name aside for a run that was given none.

        Raises NotConfigured; ValueError where the options do not go together.
        """
        incarnation = launch.incarnation(self.options.incarnation)
        runs = self._connected()
        if isinstance(runs, Client):
            _ = self.plan  # whether there is one
        try:
            check_answers(runs)
        except AWAY as error:
            warnings.warn(
                f"{error}; unless a checkpoint is loaded that carries the next values, the first step waits for it "
                f"up to {self.options.max_stall:.0f} s",
                UserWarning,
                stacklevel=7,
            )
        if self.options.run is None:
            self._reserved = launch.reserve_name(incarnation, self)

    def give_up(self) -> None:
        """Let go of the name: another scheduler has the run."""
        launch.release_name(self._reserved, self)

    @property
    def opened(self) -> bool:
        """Whether the run has been taken."""
        return self._opened

    def check_held(self) -> None:
        """Raise SchedulerInUse if a later scheduler has the run."""
        if self._opened and self.ticket is not None and not launch.has_run(self.ticket.place.run, self):
            raise errors.SchedulerInUse(
                f"a later scheduler of this process has taken run {self.ticket.place.run!r}; "
                "give every scheduler a run name of its own"
            )

    def open(
        self, schedule: Schedule | str, groups: tuple[views.Group, ...], origin: views.Origin | None
    ) -> None:
        """Take the run; `origin` is where a new one begins.

        Where a checkpoint has the next rows and the server is away, the run is not taken yet: `opened` says so.

        Raises what AcquireRun does.
        """
        self._definition, self._brought = schedule, groups
        start = self._wanted or self._start(schedule, groups, origin)
        place = self._taken(start)
        if place is None:
            self._wanted = start  # the job goes on, and takes the run where it has come from
            return
        self._arrive(place, start)

    def grow(self, schedule: Schedule | str, groups: tuple[views.Group, ...]) -> None:
        """Go on from this step with these param groups: those so far, and more.

        Raises what AcquireRun does.
        """
        self._definition = schedule
        start = self._start(schedule, groups, None)
        start = replace(start, groups=groups, on_resume="exact", adds_groups=True, remembered=None)
        if isinstance(self._connected(), Client):
            start = replace(start, origin=None)
        place = self._connected().acquire_run(start, patience=self.options.max_stall)
        self.ticket = self._left = replace(
            at_start(place, groups), one_by_one=self.ticket is not None and self.ticket.one_by_one
        )
        self._settle(place)

    def frees_next(self, given: Given) -> bool:
        """See to it that the next step is not committed yet; False if its values cannot be left any more.

        Those that this start has had committed ahead can, where no rank has had them yet: the run goes on from here on
        a branch of its own. So it does where they are asked for, and may be committed by now. Others stay: the job
        goes through them again. And so do those that are held where the server is away.

        Raises what AcquireRun does.
        """
        asked = self._supply.is_asked_ahead  # looked at first: an answer that comes after this is seen below
        ticket, runs = self.ticket, self._connected()
        committed = self.is_next_committed
        if ticket is None or not (committed or asked):
            return True
        held = self._supply.at(ticket.step + 1)
        if held is not None and held.given == given:
            return True  # it is committed with what is given: torch did not follow when it was
        ahead = ticket.step >= self._furthest and self._outage is None
        if not ahead or not self._opened or not isinstance(runs, Client) or launch.world()[1] > 1:
            return not committed
        start = self._start(self._definition or ticket.schedule, ticket.groups, None)
        start = replace(start, origin=None, on_resume="exact", leaves_plan=True, remembered=None)
        try:
            place = runs.acquire_run(start, patience=self._patience)
        except AWAY as error:
            _log.warning("%s; other code has changed the param groups, and the run cannot follow", error)
            return not committed
        self.ticket = self._left = replace(at_start(place, ticket.groups), one_by_one=True)
        self._settle(place)
        return True

    def return_to(self, ticket: Ticket | None) -> None:
        """Stand at a ticket's step again; where the run has left its branch there, on the new one."""
        left = self._left
        is_there = ticket is not None and left is not None and left.step == ticket.step
        self.ticket = left if is_there else ticket

    def finish(self) -> None:
        """Mark the run finished, if it was opened. Raises RunFenced."""
        runs = self._connected()
        if self._opened and self._outage is not None:
            self._end_outage(runs)
        if self._opened and self.ticket is not None and isinstance(runs, Client) and asker(runs) is not None:
            runs.finish_run(self.ticket.place.run, fence=self.ticket.place.fence)

    def more(self, quick: Quick) -> bool:
        """See to it that a quick step has rows to take; False too if a later scheduler has the run."""
        return self._is_held and super().more(quick)

    # Within.

    @property
    def _is_held(self) -> bool:
        return not self._opened or self._ticket is None or launch.has_run(self._ticket.place.run, self)

    @property
    def _taken_already(self) -> bool:
        return self._opened

    def _look_ahead(self, *, before_step: bool) -> None:
        if self._opened:
            super()._look_ahead(before_step=before_step)
            return
        start, ticket = self._wanted, self.ticket
        if start is None or ticket is None or self._supply.at(ticket.step + 1) is None:
            return
        if not shares(self._connected()) and (place := self._taken(start)) is not None:
            self._arrive(place, start)

    def _back(self, runs: Runs, ticket: Ticket, given: Given, outage: Outage) -> views.Window | None:
        return super()._back(runs, ticket, given, outage) if self._opened else None

    def _taken(self, start: views.Start) -> views.Place | None:
        """Take the run; None if it has to wait for the server, and there is something to go on with meanwhile."""
        runs, ticket = self._connected(), self.ticket
        if ticket is None or start.on_resume != "exact" or not isinstance(runs, Client):
            return runs.acquire_run(start, patience=self.options.max_stall)
        goes_on = self._outage is not None and self.plan != "wait"
        if not goes_on and self._supply.at(ticket.step + 1) is None:
            return self._taken_at_last(runs, start, ticket)
        first, self._carried = not self._carried, True
        if shares(runs):
            return self._taken_together(runs, start, first=first)
        found = self._fetched(runs, start, _LOOK_SECONDS if first else 0.0)
        if isinstance(found, AWAY):
            _log.warning(
                "run %r cannot be taken yet (%s); the job goes on with what its checkpoint has, and it is tried again "
                "meanwhile",
                start.run,
                found,
            )
            return None
        if isinstance(found, Exception):
            raise found
        return found

    def _taken_at_last(self, runs: Client, start: views.Start, ticket: Ticket) -> views.Place | None:
        """Take the run where there is nothing to go on with; after a checkpoint's rows there is what is planned."""
        plan = self.plan if self._carried else "wait"
        try:
            patience = self._patience if self._carried else self.options.max_stall
            return runs.acquire_run(start, patience=patience)
        except AWAY:
            if plan == "wait":
                raise
            self._outage = self._outage or Outage(plan, ticket)
            return None

    def _taken_together(self, runs: Client, start: views.Start, *, first: bool) -> views.Place | None:
        """Take the run where rank 0 asks for all; only at steps at which all of them are here."""
        if self._outage is None and not first:
            return None  # some may take this step from memory: they meet when the rows have run out
        ready = first or agreed(
            runs, lambda alone: not isinstance(self._fetched(alone, start, 0.0), (*AWAY, type(None)))
        )
        try:
            return runs.acquire_run(start, patience=_LOOK_SECONDS) if ready else None
        except AWAY:
            return None

    def _fetched(self, runs: Client, start: views.Start, seconds: float) -> views.Place | Exception | None:
        """Return what has come of taking the run in the background; begin with it, and wait a while."""
        found = self._taking.collect()
        if found is None:
            self._taking.start(partial(runs.acquire_run, start, patience=_LOOK_SECONDS))
            found = self._taking.wait(seconds)
        return found

    def _arrive(self, place: views.Place, start: views.Start) -> None:
        """Stand on the run that was taken.

        Raises WrongBranch where it has left the branch whose rows the job has gone on with.
        """
        before, asked = self.ticket, start.checkpoint
        self._wanted, self._taking = None, Fetching()
        held: tuple[views.Window, ...] = ()
        if before is None or asked is None or place.resume_step != asked.step:
            self.ticket = at_start(place, start.groups)
        elif _line(place) == _line(before.place):
            # Rows of the same branch are the same ones.
            held = self._supply.from_step(before.step + 1)
            if before.step > asked.step:  # the job has gone on meanwhile, perhaps by quick steps: those go on
                self._ticket = replace(before, place=place)
            else:
                self.ticket = replace(at_start(place, start.groups), one_by_one=before.one_by_one)
        elif before.step > asked.step:
            raise errors.WrongBranch(
                f"run {place.run!r} is on branch {place.branch} now, and the job has gone on from its checkpoint at "
                f"step {asked.step} to step {before.step} with the rows of branch {before.place.branch}; start it "
                "again from the checkpoint",
                run=place.run,
            )
        else:
            self.ticket = replace(at_start(place, start.groups), one_by_one=before.one_by_one)
        launch.take_run(place.run, self)
        self._opened = True
        if self._outage is not None:
            self._outage.since = replace(self._outage.since, place=place)
        self._settle(place, held)
        resuming.say_where(place, resumed=asked is not None, shared=start.world_size > 1)
        resuming.tell(start, place, before, self._brought)

    def _settle(self, place: views.Place, held: tuple[views.Window, ...] = ()) -> None:
        self._furthest = place.frontier - 1  # those below were had before, by whomever
        self._supply.begin(place.frontier, held)

    def _take_again(self, ticket: Ticket, lost: Exception | None) -> Ticket:
        """Return the ticket once the run has been taken again, with what this job remembers of it.

        Raises what AcquireRun does; `lost` where there is nothing to remember.
        """
        windows = self._supply.held
        told = remembered(ticket, windows, max(ticket.place.frontier, self._supply.frontier), held=True)
        runs = self._connected()
        if told is None or not self._opened or not isinstance(runs, Client):
            return super()._take_again(ticket, lost)
        start = self._start(self._definition or ticket.schedule, ticket.groups, None)
        start = replace(start, checkpoint=ticket.checkpoint, on_resume="exact", remembered=told)
        place = runs.acquire_run(start, patience=self.options.max_stall if lost else _LOOK_SECONDS)
        self._supply.go_on(place.frontier)
        return replace(ticket, place=place)

    def _start(
        self, schedule: Schedule | str, groups: tuple[views.Group, ...], origin: views.Origin | None
    ) -> views.Start:
        ticket = self.ticket
        incarnation = launch.incarnation(self.options.incarnation)
        if ticket is not None:
            name = ticket.place.run
        elif self.options.run is not None:
            name = self.options.run
        else:
            self._reserved = self._reserved or launch.reserve_name(incarnation, self)  # a copy has none
            name = self._reserved
        rank, world_size = launch.world()
        if ticket is not None:
            carries = self.options.on_missing == "create" or self.options.resume == "checkpoint"
            origin = ticket.origin if carries or isinstance(self._connected(), LocalRuns) else None
        return views.Start(
            run=name,
            incarnation=incarnation,
            groups=groups if ticket is None else ticket.groups,
            schedule=schedule,
            attempt=self.options.attempt,
            rank=rank,
            world_size=world_size,
            unit=self.options.unit,
            labels=self.options.labels,
            holder_labels=launch.labels(),
            on_existing=self.options.existing,
            checkpoint=None if ticket is None else ticket.checkpoint,
            origin=origin,
            parameters=self.options.parameters,
            on_resume=self.options.resume,
            remembered=self._remembered(),
        )

    def _remembered(self) -> views.Remembered | None:
        """Return what the checkpoint remembers of its run: the database may have been put back since."""
        ticket = self.ticket
        if ticket is None or self.options.resume == "checkpoint":
            return None
        return remembered(ticket, self._supply.from_step(ticket.step), ticket.place.frontier, held=False)


def _line(place: views.Place) -> tuple[str, str, int]:
    """Return what rows must have in common to be the same ones at the same steps."""
    return place.store_epoch, place.run_uid, place.branch


def at_start(place: views.Place, groups: tuple[views.Group, ...]) -> Ticket:
    """Return the ticket of the place that a start was given."""
    return Ticket(
        place=place,
        step=place.resume_step,
        values=place.values,
        revision=place.revision,
        schedule=place.schedule,
        cursor=place.cursor,
        cursor_step=place.cursor_step,
        groups=groups,
        given=place.given,
    )
