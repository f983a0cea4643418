"""A scheduler's hold on its run: when the run is opened, and what is written into the optimizer."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from lrkeeper import errors, views
from lrkeeper.schedules import Schedule
from lrkeeper.torch import groups
from lrkeeper.torch.options import Options
from lrkeeper.torch.position import Position
from lrkeeper.torch.ticket import Ticket

if TYPE_CHECKING:
    import torch


class Hold:
    """One scheduler's hold. Lives in a slot, so that torch's state dict does not see it.

    It makes no call before the run is needed: at the first `optimizer.step()`, `scheduler.step()` or
    `get_last_lr()`. A silent hold (a member of a composite) makes none at all.
    """

    def __init__(self, options: Options, definition: Callable[[Any], Schedule | str]) -> None:
        self.position = Position(options)
        self.silent = False
        self._definition = definition
        self._groups: tuple[views.Group, ...] = ()
        self._first: tuple[float, ...] = ()  # the row at construction
        self._written: tuple[float, ...] | None = None
        self._hook: Any = None
        self._awake = False

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy stands where this one does, and opens the run for itself."""
        facts = (self.silent, self._groups, self._first)
        return _revive, (self.position.options, self._definition, facts, self.position.ticket)

    @property
    def begun(self) -> bool:
        """Whether the optimizer's groups have been read."""
        return bool(self._groups)

    @property
    def opened(self) -> bool:
        """Whether there is a place on a run."""
        return self.position.ticket is not None

    def begin(self, scheduler: Any) -> None:
        """Read the groups as they are at construction, see that the server answers, wait for the first step.

        Raises NotConfigured, ServerUnavailable, DeadlineExceeded.
        """
        self._groups = groups.read(scheduler.optimizer)
        self.position.prepare()
        self._listen(scheduler)

    def built(self, scheduler: Any) -> None:
        """Note what the groups hold when the scheduler has been built."""
        self._first = self._written = groups.values(scheduler.optimizer)

    def silence(self) -> None:
        """Leave the run to the composite that this scheduler is a member of."""
        self.silent = True
        self.position.give_up()
        self._stop_listening()

    def wake(self, scheduler: Any) -> list[Any]:
        """Open the run and write the row of this place, whatever was restored in which order."""
        self._check_groups(scheduler)
        self.position.open(self._definition(scheduler), self._groups)
        self._note_local_change(scheduler)
        self._awake = True
        return self.settle(scheduler)

    def definable(self, scheduler: Any) -> bool:
        """Whether there is a definition: torch takes arguments that make none, and fails at the first step."""
        try:
            self._definition(scheduler)
        except TypeError:
            return False
        return True

    def take(self, scheduler: Any) -> Ticket:
        """Move to the next step, and return the place before: nothing has moved if this raises."""
        self._check_groups(scheduler)
        self.position.open(self._definition(scheduler), self._groups)
        before = self.position.ticket
        assert before is not None
        self._stop_listening()
        self._note_local_change(scheduler)
        self.position.ticket = self.position.next()
        return before

    def go_back(self, place: Ticket) -> None:
        """Stand at a place again that `take` left: torch did not follow."""
        self.position.ticket = place

    def settle(self, scheduler: Any) -> list[Any]:
        """Write the row of this place into the optimizer; return copies of what the groups then hold."""
        held = groups.write(scheduler.optimizer, self.position.row or self._first)
        self._written = groups.values(scheduler.optimizer)
        return held

    def read(self, scheduler: Any, state: Mapping[str, Any]) -> Ticket | None:
        """Return the place that a state is of; see Position.read."""
        return self.position.read(state, len(scheduler.optimizer.param_groups))

    def go(self, scheduler: Any, ticket: Ticket | None) -> list[Any]:
        """Stand at the place that `read` returned, write its row, and again at the next optimizer step."""
        self.position.go(ticket)
        held = self.settle(scheduler)
        self._written = None  # the optimizer may be restored after this
        self._listen(scheduler)
        return held

    # Within.

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
            if not hold._awake and hold.definable(found):
                found._last_lr = hold.wake(found)

        self._hook = register(before)

    def _stop_listening(self) -> None:
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def _check_groups(self, scheduler: Any) -> None:
        ticket = self.position.ticket
        present, kept = len(scheduler.optimizer.param_groups), len(ticket.groups if ticket else self._groups)
        if present != kept:
            run = f"run {ticket.place.run!r}" if ticket else "the run"
            raise errors.GroupsDiffer(
                f"the optimizer has {present} param groups; {run} has {kept}: "
                "groups that are added or taken away in training are not kept yet"
            )

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
    facts: tuple[bool, tuple[views.Group, ...], tuple[float, ...]],
    ticket: Ticket | None,
) -> Hold:
    hold = Hold(options, definition)
    hold.silent, hold._groups, hold._first = facts
    hold.position.ticket = ticket
    return hold
