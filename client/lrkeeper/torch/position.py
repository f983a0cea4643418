"""A scheduler's place on its run: takes the run, asks for one step after the other, goes where a state dict says.

Knows neither the scheduler nor the optimizer.
"""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from lrkeeper import errors, views
from lrkeeper.client import Client
from lrkeeper.local import LocalRuns
from lrkeeper.schedules import Schedule
from lrkeeper.schedules.composable.parameters import filled
from lrkeeper.schedules.given import Given
from lrkeeper.settings import RUN
from lrkeeper.torch import launch, resuming
from lrkeeper.torch.broadcast import agreed, asker, shares
from lrkeeper.torch.fetching import Fetching
from lrkeeper.torch.options import Options
from lrkeeper.torch.outage import Outage, held_over
from lrkeeper.torch.quick import Quick
from lrkeeper.torch.remembering import remembered
from lrkeeper.torch.runs import Runs
from lrkeeper.torch.source import check_answers
from lrkeeper.torch.supply import AWAY
from lrkeeper.torch.ticket import Ticket, more_to_state, unopened
from lrkeeper.torch.walk import Walk

_log = logging.getLogger("lrkeeper")

_LOOK_SECONDS = 3.0


class Position(Walk):
    """A scheduler's place on a run, which it takes. `ticket` is None until the run is opened or a state is loaded."""

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

    def definition(self, schedule: Schedule | str) -> Schedule:
        """Return a definition with its parameters' numbers, of a stored schedule by its name.

        Raises NotConfigured, ScheduleNotFound; TypeError or ValueError where a number is missing or wrong.
        """
        if isinstance(schedule, Schedule):
            return filled(schedule, self.options.parameters)
        runs = self._connected()
        if not isinstance(runs, Client):
            raise errors.NotConfigured(
                f"schedule {schedule!r} is kept on a server, and LRKEEPER_MODE=off has none: give the "
                "definition itself, such as S.StepLR(step_size=30)"
            )
        return filled(runs.get_schedule(schedule).schedule, self.options.parameters)

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
            _at_start(place, groups), one_by_one=self.ticket is not None and self.ticket.one_by_one
        )
        self._settle(place)

    def frees_next(self, given: Given) -> bool:
        """See to it that the next step is not committed yet; False if its values cannot be left any more.

        Those that this start has had committed ahead can, where no rank has had them yet: the run goes on from here on
        a branch of its own. Others stay: the job goes through them again. And so do those that are held where the
        server is away.

        Raises what AcquireRun does.
        """
        ticket, runs = self.ticket, self._connected()
        if ticket is None or not self.is_next_committed:
            return True
        held = self._supply.at(ticket.step + 1)
        if held is not None and held.given == given:
            return True  # it is committed with what is given: torch did not follow when it was
        ahead = ticket.step >= self._furthest and self._outage is None
        if not ahead or not self._opened or not isinstance(runs, Client) or launch.world()[1] > 1:
            return False
        start = self._start(self._definition or ticket.schedule, ticket.groups, None)
        start = replace(start, origin=None, on_resume="exact", leaves_plan=True, remembered=None)
        try:
            place = runs.acquire_run(start, patience=self._patience)
        except AWAY as error:
            _log.warning("%s; other code has changed the param groups, and the run cannot follow", error)
            return False
        self.ticket = self._left = replace(_at_start(place, ticket.groups), one_by_one=True)
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

    # Copies, and the state dict.

    @property
    def carried(self) -> Ticket | None:
        """The place with the rows held from there on, for a copy."""
        ticket = self.ticket
        if ticket is None:
            return None
        place = replace(ticket.place, frontier=max(ticket.place.frontier, self._supply.frontier))
        return replace(ticket, place=place, ahead=self._supply.from_step(ticket.step + 1))

    def carry(self, ticket: Ticket | None) -> None:
        """Stand where another position does; the run is taken at the next step."""
        self.ticket = ticket
        if ticket is not None:
            self._supply.begin(ticket.place.frontier, ticket.ahead)

    def to_state(self) -> dict[str, Any]:
        """Return the position as primitives."""
        ticket = self.ticket
        if ticket is None:
            return unopened(self.options.run)
        return {
            **ticket.to_state(),
            "frontier": max(ticket.place.frontier, self._supply.frontier),
            **more_to_state(self._supply.from_step(ticket.step + 1), self.deviation),
        }

    def read(self, state: Mapping[str, Any], groups: int) -> Ticket | None:
        """Return the place that a state is of, for `go`; None: before the run was opened. Nothing changes.

        The run is looked at, not taken. Raises BadCheckpoint, GroupsDiffer, RunNotFound, WrongBranch.
        """
        ticket = Ticket.from_state(state)
        opened = self.ticket if self._opened else None
        if ticket is None:
            if opened is None:
                return None
            if opened.place.resume_step != 0:
                raise errors.BadCheckpoint(
                    f"the state dict was saved before its run was opened, and the scheduler is on run "
                    f"{opened.place.run!r}, which it resumed at step {opened.place.resume_step}"
                )
            return _at_start(opened.place, opened.groups)
        if not 0 < len(ticket.groups) <= groups:  # more may have come since the last step
            raise errors.GroupsDiffer(
                f"the state dict is of {len(ticket.groups)} param groups; the optimizer has {groups}"
            )
        given = self.options.run
        named = given or (self._reserved if os.environ.get(RUN) else "")
        if named and named != ticket.place.run and resuming.is_fork(self._connected(), named, ticket):
            place = replace(ticket.place, run=named)
            return replace(ticket, place=place, ahead=(), deviation=None)  # those are of the other run
        if given is not None and given != ticket.place.run:
            raise errors.BadCheckpoint(
                f"the state dict is of run {ticket.place.run!r}, and the scheduler was given run={given!r}; "
                "leave run= out to go on with that run, or do not load the state to begin a new one"
            )
        branches = self._look(ticket)
        if opened is None or opened.place.run_uid != ticket.place.run_uid:
            return ticket
        if opened.place.branch != ticket.place.branch:
            if ticket.place.branch in branches:
                return ticket  # a branch of the run's timeline: it is taken again there
            raise errors.WrongBranch(
                f"the state dict lies at step {ticket.step} of branch {ticket.place.branch}; run "
                f"{ticket.place.run!r} is on branch {opened.place.branch}"
            )
        return replace(ticket, place=opened.place, groups=opened.groups)  # back, under this start's fence

    def go(self, ticket: Ticket | None) -> None:
        """Stand where `read` said. Another run is taken at the next step."""
        before = self.ticket if self._opened else None
        if before is None or ticket is None or before.place.run_uid != ticket.place.run_uid:
            self._opened = False
            self._drop_empty(before)
        elif before.place.branch != ticket.place.branch:
            self._opened = False
        self.ticket = ticket
        self._wanted, self._carried, self._outage = None, False, None
        self._left, self._refused = None, None
        if ticket is not None and ticket.deviation is not None:
            self._outage = held_over(ticket)
        self._supply.begin(self._supply.frontier if self._opened else 0, ticket.ahead if ticket else ())

    def leave(self, ticket: Ticket) -> None:
        """Stand at a ticket's place; its run is taken again at the next step."""
        self._opened, self.ticket, self._left = False, ticket, None
        self._supply.begin(0)

    # Within.

    def more(self, quick: Quick) -> bool:
        """See to it that a quick step has rows to take; False too if a later scheduler has the run."""
        return self._is_held and super().more(quick)

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
            self.ticket = _at_start(place, start.groups)
        elif _line(place) == _line(before.place):
            # Rows of the same branch are the same ones.
            held = self._supply.from_step(before.step + 1)
            if before.step > asked.step:  # the job has gone on meanwhile, perhaps by quick steps: those go on
                self._ticket = replace(before, place=place)
            else:
                self.ticket = replace(_at_start(place, start.groups), one_by_one=before.one_by_one)
        elif before.step > asked.step:
            raise errors.WrongBranch(
                f"run {place.run!r} is on branch {place.branch} now, and the job has gone on from its checkpoint at "
                f"step {asked.step} to step {before.step} with the rows of branch {before.place.branch}; start it "
                "again from the checkpoint",
                run=place.run,
            )
        else:
            self.ticket = replace(_at_start(place, start.groups), one_by_one=before.one_by_one)
        launch.take_run(place.run, self)
        self._opened = True
        if self._outage is not None:
            self._outage.since = replace(self._outage.since, place=place)
        self._settle(place, held)
        _say_where(place, resumed=asked is not None, shared=start.world_size > 1)
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

    def _look(self, ticket: Ticket) -> tuple[int, ...]:
        """See that the server has the ticket's run, without taking it; return the branches of its timeline."""
        runs = self._connected()
        if not isinstance(runs, Client) or self.options.on_missing == "create":
            return ()
        found = None
        try:
            with suppress(errors.RunNotFound):
                found = runs.get_run(ticket.place.run, patience=min(self.options.max_stall, _LOOK_SECONDS))
        except AWAY:
            if not ticket.ahead and ticket.deviation is None:
                raise
            return ()  # the job can go on without for a while; the server is asked again then
        if found is None or ticket.place.run_uid not in (found.uid, resuming.forked_from(found)):
            raise errors.RunNotFound(
                f"run {ticket.place.run!r} (uid {ticket.place.run_uid}) of the state dict is not on the server "
                f"at {runs.server}: go to the server that has it, or say on_missing='create' to go on from the "
                "state dict on this one",
                run=ticket.place.run,
            )
        return tuple(each.branch for each in found.lineage)

    def _drop_empty(self, before: Ticket | None) -> None:
        """Delete the run that was opened before a state was given, if it took no step."""
        runs = self._connected()
        if before is None or not isinstance(runs, Client):
            return
        if before.place.created and before.step == before.place.resume_step:
            with suppress(errors.RunNotFound):  # another rank has dropped it
                found = runs.get_run(before.place.run)
                if found.uid == before.place.run_uid and found.frontier == found.origin_step + 1:
                    runs.delete_run(before.place.run, force=True)


def _line(place: views.Place) -> tuple[str, str, int]:
    """Return what rows must have in common to be the same ones at the same steps."""
    return place.store_epoch, place.run_uid, place.branch


def _at_start(place: views.Place, groups: tuple[views.Group, ...]) -> Ticket:
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


def _say_where(place: views.Place, *, resumed: bool, shared: bool) -> None:
    if place.created:
        return
    edits = [
        f"revision {e.revision} from step {e.effective_step} ({e.author}: {e.reason})"
        for e in _in_force(place)
    ]
    begun = shared and place.fence == 1  # by another rank of this start
    how = "resumed" if resumed else "begun" if begun else "begun again"
    _log.log(
        logging.INFO if (resumed or begun) and not edits else logging.WARNING,
        "run %r %s at step %d; steps below %d have their values already%s",
        place.run,
        how,
        place.resume_step,
        place.frontier,
        f"; edits in force: {', '.join(edits)}" if edits else "",
    )


def _in_force(place: views.Place) -> list[views.Edit]:
    """Return the edits that rule some step from the place on: a later one ends those at its step or above."""
    ruling: list[views.Edit] = []
    for edit in place.edits:
        while ruling and ruling[-1].effective_step >= edit.effective_step:
            ruling.pop()
        ruling.append(edit)
    return [
        edit
        for edit, after in zip(ruling, [*ruling[1:], None], strict=False)
        if after is None or after.effective_step > place.resume_step
    ]
