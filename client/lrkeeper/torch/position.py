"""A scheduler's place on its run, as its state dict has it, and going where a state dict says."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from lrkeeper import errors
from lrkeeper.client import Client
from lrkeeper.schedules import Schedule
from lrkeeper.schedules.composable.parameters import filled
from lrkeeper.settings import RUN
from lrkeeper.torch import resuming
from lrkeeper.torch.ahead import AWAY
from lrkeeper.torch.holder import Holder, at_start
from lrkeeper.torch.outage import held_over
from lrkeeper.torch.ticket import Ticket, more_to_state, unopened

_LOOK_SECONDS = 3.0


class Position(Holder):
    """A scheduler's place on a run, and what its state dict says of it."""

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
            return at_start(opened.place, opened.groups)
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
