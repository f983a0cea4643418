"""A scheduler's hold on its run: opens it, takes one row after the other, keeps the place."""

from __future__ import annotations

import logging
import random
import time
import warnings
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lrkeeper import errors, views
from lrkeeper.client import Client
from lrkeeper.local import LocalRuns
from lrkeeper.schedules import Schedule
from lrkeeper.schedules.cursor import FAILURES
from lrkeeper.torch import groups, launch
from lrkeeper.torch.options import Options
from lrkeeper.torch.source import Runs, runs_of
from lrkeeper.torch.ticket import Ticket, unopened

if TYPE_CHECKING:
    import torch

_log = logging.getLogger("lrkeeper")


class Hold:
    """One scheduler's hold. Lives in a slot, so that torch's state dict does not see it.

    It makes no call before the run is needed: at the first `optimizer.step()`, `scheduler.step()` or
    `get_last_lr()`. A silent hold (a member of a composite) makes none at all.
    """

    def __init__(self, options: Options, definition: Callable[[Any], Schedule | str]) -> None:
        self.options = options
        self.silent = False
        self._definition = definition
        self._runs: Runs | None = None
        self._groups: tuple[views.Group, ...] = ()
        self._ticket: Ticket | None = None
        self._opened = False
        self._written: tuple[float, ...] | None = None
        self._hook: Any = None
        self._awake = False

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy stands where this one does, and opens the run for itself."""
        return _revive, (self.options, self._definition, self.silent, self._groups, self._ticket)

    # The scheduler's life.

    @property
    def begun(self) -> bool:
        """Whether the optimizer's groups have been read."""
        return bool(self._groups)

    @property
    def row(self) -> tuple[float, ...] | None:
        """The lr of each group at this place; None before the run is opened."""
        return None if self._ticket is None else self._ticket.values.row(self._ticket.step)["lr"]

    def begin(self, scheduler: Any) -> None:
        """Read the groups as they are at construction, see that the server answers, wait for the first step.

        Raises NotConfigured, ServerUnavailable, DeadlineExceeded.
        """
        self._groups = groups.read(scheduler.optimizer)
        launch.incarnation(self.options.incarnation)
        self._runs = runs_of(self.options.settings)
        self._listen(scheduler)

    def silence(self) -> None:
        """Leave the run to the composite that this scheduler is a member of."""
        self.silent = True
        self._stop_listening()

    def open(self, scheduler: Any) -> None:
        """Take the run, if that has not been done, and note the place.

        Raises what AcquireRun does, and SchedulerInUse.
        """
        if self._opened:
            if self._ticket is not None and not launch.has(self._ticket.place.run, self):
                raise errors.SchedulerInUse(
                    f"a later scheduler of this process has taken run {self._ticket.place.run!r}; "
                    "give every scheduler a run name of its own"
                )
            return
        start = self._start(scheduler)
        place = self._connected().acquire_run(start, patience=self.options.max_stall)
        self._opened = True
        self._ticket = Ticket(
            place=place,
            step=place.resume_step,
            values=place.values,
            revision=place.revision,
            schedule=place.schedule,
            cursor=place.cursor,
            cursor_step=place.cursor_step,
            groups=start.groups,
        )
        _say_where(place, resumed=start.checkpoint is not None)

    def wake(self, scheduler: Any) -> list[Any]:
        """Open the run and write the row of this place, whatever was restored in which order."""
        self.open(scheduler)
        self._awake = True
        return self.settle(scheduler)

    def take(self, scheduler: Any) -> None:
        """Move to the next step: nothing has moved if this raises.

        Raises what NextLr does; BadAnswer; and at the step that the schedule cannot reach, torch's
        exception there.
        """
        self.open(scheduler)
        self._stop_listening()
        self._note_local_change(scheduler)
        before = self._ticket
        assert before is not None
        step = before.step + 1
        window = self._window(before, step)
        if window.table is None:
            failure = window.failure
            assert failure is not None
            raise FAILURES.get(failure.type, RuntimeError)(
                f"step {step} of run {before.place.run!r} cannot be reached: {failure.message}"
            )
        self._ticket = Ticket(
            place=before.place,
            step=step,
            values=window.table,
            revision=window.revision,
            schedule=window.schedule or before.schedule,
            cursor=window.cursor,
            cursor_step=window.cursor_step,
            groups=before.groups,
        )

    def settle(self, scheduler: Any) -> list[Any]:
        """Write the row of this place into the optimizer; return copies of what the groups then hold."""
        row = self.row
        assert row is not None
        held = groups.write(scheduler.optimizer, row)
        self._written = groups.values(scheduler.optimizer)
        return held

    def finish(self) -> None:
        """Mark the run finished, if it was opened. Raises RunFenced."""
        runs = self._connected()
        if self._opened and self._ticket is not None and isinstance(runs, Client):
            runs.finish_run(self._ticket.place.run, fence=self._ticket.place.fence)

    # The state dict.

    def to_state(self) -> dict[str, Any]:
        """Return the place as primitives."""
        return unopened(self.options.run) if self._ticket is None else self._ticket.to_state()

    def load(self, scheduler: Any, state: Mapping[str, Any]) -> list[Any] | None:
        """Go to a state's place; return what `settle` does, None if the state has no place.

        The run is looked at, and taken at the first step: to load a checkpoint only to look at it takes
        no run away from a job. Raises BadCheckpoint, RunNotFound, GroupsDiffer.
        """
        ticket = Ticket.from_state(state)
        if ticket is None:
            return None
        if len(ticket.groups) != len(scheduler.optimizer.param_groups):
            raise errors.GroupsDiffer(
                f"the state dict is of {len(ticket.groups)} param groups; "
                f"the optimizer has {len(scheduler.optimizer.param_groups)}"
            )
        given = self.options.run
        if given is not None and given != ticket.place.run:
            raise errors.BadCheckpoint(
                f"the state dict is of run {ticket.place.run!r}, and the scheduler was given run={given!r}; "
                "leave run= out to go on with that run, or do not load the state to begin a new one"
            )
        self._look(ticket)
        before = self._ticket if self._opened else None
        if before is not None and before.place.run_uid == ticket.place.run_uid:
            # The same run: go back on it under this start's fence.
            ticket = replace(ticket, place=before.place, groups=before.groups)
        else:
            self._opened = False
            self._drop_empty(before)
        self._ticket = ticket
        held = self.settle(scheduler)
        self._written = None
        self._listen(scheduler)
        return held

    # Within.

    def _connected(self) -> Runs:
        if self._runs is None:
            self._runs = runs_of(self.options.settings)
        return self._runs

    def _start(self, scheduler: Any) -> views.Start:
        ticket = self._ticket
        incarnation = launch.incarnation(self.options.incarnation)
        rank, world_size = launch.world()
        given = ticket.place.run if ticket is not None else self.options.run
        local = isinstance(self._connected(), LocalRuns)
        create = ticket is not None and (local or self.options.on_missing == "create")
        return views.Start(
            run=launch.run_name(given, incarnation, self),
            incarnation=incarnation,
            groups=self._groups if ticket is None else ticket.groups,
            schedule=self._definition(scheduler),
            attempt=self.options.attempt,
            rank=rank,
            world_size=world_size,
            unit=self.options.unit,
            labels=self.options.labels,
            holder_labels=launch.labels(),
            on_existing=self.options.on_existing,
            checkpoint=None if ticket is None else ticket.checkpoint,
            origin=ticket.origin if ticket is not None and create else None,
        )

    def _look(self, ticket: Ticket) -> None:
        """See that the server has the ticket's run, without taking it."""
        runs = self._connected()
        if not isinstance(runs, Client) or self.options.on_missing == "create":
            return
        try:
            uid = runs.get_run(ticket.place.run).uid
        except errors.RunNotFound:
            uid = ""
        if uid != ticket.place.run_uid:
            raise errors.RunNotFound(
                f"run {ticket.place.run!r} (uid {ticket.place.run_uid}) of the state dict is not on the server "
                f"at {runs.server}: go to the server that has it, or say on_missing='create' to go on from the "
                "state dict on this one",
                run=ticket.place.run,
            )

    def _drop_empty(self, before: Ticket | None) -> None:
        """Delete the run that this scheduler opened before it was given a state, if it took no step."""
        runs = self._connected()
        if before is None or not isinstance(runs, Client):
            return
        if before.place.created and before.step == before.place.resume_step:
            with suppress(errors.RunNotFound):  # another rank has dropped it
                runs.delete_run(before.place.run, force=True)

    def _window(self, ticket: Ticket, step: int) -> views.Window:
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
                patience=self.options.max_stall,
            )
            failure = window.failure
            if window.table is not None or (failure is not None and failure.step <= step):
                return window
            if window.frontier <= frontier:
                if time.monotonic() > end:
                    raise errors.Stalled(
                        f"run {ticket.place.run!r} has stayed at step {frontier} for {self.options.max_stall:.0f} s, "
                        f"and this rank is at {ticket.step}: another rank is far behind"
                    )
                time.sleep(random.uniform(0.005, 0.05))  # noqa: S311
            frontier = window.frontier

    def _listen(self, scheduler: Any) -> None:
        """Wake at the next `optimizer.step()`.

        The hook stays until the scheduler's next step: it cannot be removed while it runs. Where torch took
        arguments that make no definition, it leaves the error to the scheduler's step, as torch does.
        """
        self._awake = False
        register = getattr(scheduler.optimizer, "register_step_pre_hook", None)
        if self._hook is not None or register is None:
            return
        seen = weakref.ref(scheduler)

        def before(_optimizer: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
            found = seen()
            if found is None:
                return
            hold: Hold = found._hold
            if not hold._awake and hold._definable(found):
                found._last_lr = hold.wake(found)

        self._hook = register(before)

    def _stop_listening(self) -> None:
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def _definable(self, scheduler: Any) -> bool:
        try:
            self._definition(scheduler)
        except TypeError:
            return False
        return True

    def _note_local_change(self, scheduler: Any) -> None:
        """Warn where another hand has written the optimizer's lr since this one did."""
        written, self._written = self._written, None
        if written is None:
            return
        for place, (ours, now) in enumerate(zip(written, groups.values(scheduler.optimizer), strict=False)):
            if ours != now:
                warnings.warn(
                    f"the lr of param group {place} was changed from {ours!r} to {now!r} by other code; the run's "
                    "values overwrite it. To change a live run use `lrkeeper run set-schedule`",
                    UserWarning,
                    stacklevel=4,
                )


def _revive(
    options: Options,
    definition: Callable[[Any], Schedule | str],
    silent: bool,
    read: tuple[views.Group, ...],
    ticket: Ticket | None,
) -> Hold:
    hold = Hold(options, definition)
    hold.silent, hold._groups, hold._ticket = silent, read, ticket
    return hold


def _say_where(place: views.Place, *, resumed: bool) -> None:
    if place.created:
        return
    edits = [
        f"revision {e.revision} from step {e.effective_step} ({e.author}: {e.reason})" for e in place.edits
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
