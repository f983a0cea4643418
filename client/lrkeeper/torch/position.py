"""A scheduler's place on its run: takes the run, asks for one step after the other, goes where a state dict says.

Knows neither the scheduler nor the optimizer.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from lrkeeper import errors, views
from lrkeeper.client import Client
from lrkeeper.local import LocalRuns
from lrkeeper.schedules import Schedule
from lrkeeper.schedules.composable.parameters import filled
from lrkeeper.schedules.cursor import FAILURES
from lrkeeper.schedules.given import NOTHING, Given
from lrkeeper.torch import launch, resuming
from lrkeeper.torch.options import Options
from lrkeeper.torch.source import Runs, runs_of
from lrkeeper.torch.ticket import Ticket, unopened

_log = logging.getLogger("lrkeeper")

_LOOK_SECONDS = 3.0


class Position:
    """Where a scheduler stands. `ticket` is None until the run is opened or a state dict is loaded."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.ticket: Ticket | None = None
        self._opened = False
        self._frontier = 0  # the highest that the run is known to have
        self._reserved = ""
        self._runs: Runs | None = None

    def prepare(self) -> None:
        """See that the server answers, and set a name aside for a run that was given none.

        Raises NotConfigured, ServerUnavailable, DeadlineExceeded.
        """
        incarnation = launch.incarnation(self.options.incarnation)
        self._runs = runs_of(self.options.settings)
        if self.options.run is None:
            self._reserved = launch.reserve_name(incarnation, self)

    def give_up(self) -> None:
        """Let go of the name: another scheduler has the run."""
        launch.release_name(self._reserved, self)

    @property
    def row(self) -> dict[str, tuple[float, ...]] | None:
        """The values of each group here, by track."""
        return None if self.ticket is None else self.ticket.values.row(self.ticket.step)

    @property
    def opened(self) -> bool:
        """Whether the run has been taken."""
        return self._opened

    @property
    def is_next_committed(self) -> bool:
        """Whether the next step is known to be committed: it is gone through again, or a rank is ahead."""
        ticket = self.ticket
        return ticket is not None and ticket.step + 1 < max(ticket.place.frontier, self._frontier)

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
        if self.ticket is not None and not launch.has_run(self.ticket.place.run, self):
            raise errors.SchedulerInUse(
                f"a later scheduler of this process has taken run {self.ticket.place.run!r}; "
                "give every scheduler a run name of its own"
            )

    def open(
        self, schedule: Schedule | str, groups: tuple[views.Group, ...], origin: views.Origin | None
    ) -> None:
        """Take the run; `origin` is where a new one begins.

        Raises what AcquireRun does.
        """
        start = self._start(schedule, groups, origin)
        place = self._connected().acquire_run(start, patience=self.options.max_stall)
        resuming.tell(start, place, self.ticket, groups)
        launch.take_run(place.run, self)
        self._opened = True
        self.ticket = _at_start(place, start.groups)
        _say_where(place, resumed=start.checkpoint is not None)

    def grow(self, schedule: Schedule | str, groups: tuple[views.Group, ...]) -> None:
        """Go on from this step with these param groups: those so far, and more.

        Raises what AcquireRun does.
        """
        start = replace(self._start(schedule, groups, None), groups=groups, adds_groups=True)
        if isinstance(self._connected(), Client):
            start = replace(start, origin=None)
        place = self._connected().acquire_run(start, patience=self.options.max_stall)
        self._frontier = place.frontier
        self.ticket = _at_start(place, groups)

    def next(self, given: Given = NOTHING) -> Ticket:
        """Return the ticket of the next step, which is given this; the position stays.

        Raises what NextLr does; BadAnswer; Stalled; and at the step that the schedule cannot reach, torch's
        exception there.
        """
        ticket = self.ticket
        assert ticket is not None
        step = ticket.step + 1
        window = self._window(ticket, step, given)
        self._frontier = max(self._frontier, window.frontier)
        if window.table is None:
            failure = window.failure
            assert failure is not None
            raise FAILURES.get(failure.type, RuntimeError)(
                f"step {step} of run {ticket.place.run!r} cannot be reached: {failure.message}"
            )
        return replace(
            ticket,
            step=step,
            values=window.table,
            revision=window.revision,
            schedule=window.schedule or ticket.schedule,
            cursor=window.cursor,
            cursor_step=window.cursor_step,
            given=window.given,
        )

    def finish(self) -> None:
        """Mark the run finished, if it was opened. Raises RunFenced."""
        runs = self._connected()
        if self._opened and self.ticket is not None and isinstance(runs, Client):
            runs.finish_run(self.ticket.place.run, fence=self.ticket.place.fence)

    # The state dict.

    def to_state(self) -> dict[str, Any]:
        """Return the position as primitives."""
        return unopened(self.options.run) if self.ticket is None else self.ticket.to_state()

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
        if given is not None and given != ticket.place.run:
            if resuming.is_fork(self._connected(), given, ticket):
                return replace(ticket, place=replace(ticket.place, run=given))
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
            self._opened, self._frontier = False, 0
            self._drop_empty(before)
        elif before.place.branch != ticket.place.branch:
            self._opened, self._frontier = False, 0
        self.ticket = ticket

    def leave(self, ticket: Ticket) -> None:
        """Stand at a ticket's place; its run is taken again at the next step."""
        self._opened, self.ticket = False, ticket

    # Within.

    def _connected(self) -> Runs:
        if self._runs is None:
            self._runs = runs_of(self.options.settings)
        return self._runs

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
            carries = self.options.on_missing == "create" or self.options.on_resume == "checkpoint"
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
            on_existing=self.options.on_existing,
            checkpoint=None if ticket is None else ticket.checkpoint,
            origin=origin,
            parameters=self.options.parameters,
            on_resume=self.options.on_resume,
        )

    def _look(self, ticket: Ticket) -> tuple[int, ...]:
        """See that the server has the ticket's run, without taking it; return the branches of its timeline."""
        runs = self._connected()
        if not isinstance(runs, Client) or self.options.on_missing == "create":
            return ()
        found = None
        with suppress(errors.RunNotFound):
            found = runs.get_run(ticket.place.run, patience=min(self.options.max_stall, _LOOK_SECONDS))
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

    def _window(self, ticket: Ticket, step: int, given: Given) -> views.Window:
        """Return one step's row.

        A frontier far behind comes nearer with every call; but where another rank is far behind, the run
        waits for it, and so does this one.
        """
        frontier = -1
        end = time.monotonic() + self.options.max_stall
        while True:
            window = self._connected().next_lr(
                ticket.place,
                step,
                applied_step=ticket.step,
                revision=ticket.revision,
                given=given,
                patience=self.options.max_stall,
            )
            failure = window.failure
            if window.table is not None or (failure is not None and failure.step <= step):
                return window
            if window.frontier <= frontier:
                if time.monotonic() > end:
                    raise errors.Stalled(
                        f"run {ticket.place.run!r} has stayed at step {frontier} for "
                        f"{self.options.max_stall:.0f} s, and this rank is at {ticket.step}: another rank is far behind"
                    )
                time.sleep(random.uniform(0.005, 0.05))  # noqa: S311
            frontier = window.frontier


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


def _say_where(place: views.Place, *, resumed: bool) -> None:
    if place.created:
        return
    edits = [
        f"revision {e.revision} from step {e.effective_step} ({e.author}: {e.reason})"
        for e in _in_force(place)
    ]
    how = "resumed" if resumed else "begun again"
    _log.log(
        logging.WARNING if edits or not resumed else logging.INFO,
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
