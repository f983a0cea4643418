"""A scheduler's hold on its run: when the run is opened, what it is told, and what is written into the optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from lrkeeper import errors, views
from lrkeeper.schedules import Schedule
from lrkeeper.schedules.cursor import Cursor
from lrkeeper.schedules.given import Given
from lrkeeper.schedules.numbers import Row
from lrkeeper.schedules.table import Table
from lrkeeper.schedules.torch_schedule import per_group_numbers
from lrkeeper.torch import groups
from lrkeeper.torch.calling import calls, factors_of_next
from lrkeeper.torch.changes import Changes
from lrkeeper.torch.foretold import foretold_of
from lrkeeper.torch.optimizer_steps import OptimizerSteps
from lrkeeper.torch.options import Options
from lrkeeper.torch.position import Position
from lrkeeper.torch.quick import Quicker, quick_of
from lrkeeper.torch.ticket import Ticket
from lrkeeper.torch.waking import Waking

Definition = Callable[[Any], Schedule | str]
Mark = tuple[Ticket | None, groups.Held | None, bool]
Memory = Callable[[Any], Any]


_FACTS = (
    "silent",
    "begun",
    "calls",
    "steps",
    "_own",
    "_start",
    "_tracks",
    "_groups",
    "_first",
    "_changes",
    "_brought",
)


class Hold:
    """One scheduler's hold. Lives in a slot, so that torch's state dict does not see it.

    It makes no call before the run is needed: at the first `optimizer.step()`, `scheduler.step()` or
    `get_last_lr()`. A silent hold (a member of a composite) makes none at all.

    Args:
        options: how the run is used.
        definition: returns a scheduler's definition. Raises TypeError if it has none.
        memory: returns the evaluator's memory that a scheduler's books amount to, from which a new run goes
            on; None: the run begins as its definition does.
    """

    def __init__(self, options: Options, definition: Definition, memory: Memory | None = None) -> None:
        self.position = Position(options)
        self.silent = False
        self.begun = False
        self.calls = False
        """Whether the scheduler calls functions of the job's."""
        self.steps = OptimizerSteps() if options.counts == "after_optimizer_step" else None
        """What says whether a call of the scheduler's `step` counts; None: each does."""
        self._definition = definition
        self._memory = memory
        self._own: Schedule | None = None
        self._start: str | None = None
        self._tracks: tuple[str, ...] = ("lr",)
        self._groups: tuple[views.Group, ...] = ()
        self._before: tuple[views.Group, ...] = ()
        self._first: groups.Held | None = None  # the row at construction; None: what the optimizer will hold
        self._changes = Changes()
        self._brought: Schedule | str | None = None
        self._waking = Waking()

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy stands where this one does, and opens the run for itself."""
        self.rest()
        facts = {name: getattr(self, name) for name in _FACTS}
        return _revive, (
            self.position.options,
            self._definition,
            self._memory,
            facts,
            self.position.carried,
        )

    @property
    def tracks(self) -> tuple[str, ...]:
        """The tracks of the run."""
        return self._tracks

    @property
    def definition_is_given(self) -> bool:
        """Whether the definition is not read from torch's books, which then say nothing of the run."""
        return self._memory is None

    @property
    def opened(self) -> bool:
        """Whether there is a place on a run."""
        return self.position.ticket is not None

    @property
    def settled(self) -> bool:
        """Whether the place is known: with on_resume="server" the run has to be taken for that."""
        return self.opened and (self.position.opened or self.position.options.resume != "server")

    @property
    def opens_alone(self) -> bool:
        """Whether this rank may open the run when it likes: where rank 0 asks for all, they have to meet for that."""
        return self.position.options.synchronised == "each"

    def begin(self, scheduler: Any) -> None:
        """See that the server answers, and wait for the first step.

        Raises NotConfigured, ServerUnavailable, DeadlineExceeded.
        """
        self.begun = True
        self._before = groups.read(scheduler.optimizer, groups.tracks(scheduler.optimizer))
        self.position.prepare()
        self._waking.listen(scheduler)

    def built(self, scheduler: Any, *, calls: bool = False) -> None:
        """Note what the groups hold when the scheduler has been built."""
        self.calls = calls
        self._tracks = self._tracks_of(scheduler)
        groups.check(scheduler.optimizer, self._tracks)
        self._groups = self._read(scheduler)
        self.begins_with(scheduler)

    def begins_with(self, scheduler: Any) -> None:
        """Note the row that was written into the groups for step 0."""
        self._first = self._changes.written = groups.values(scheduler.optimizer, self._tracks)

    def begins_at(self, schedule: Schedule, cursor: Cursor, base: Row) -> None:
        """Note a definition whose functions this process calls, and what they have made of step 0."""
        self._own, self._start = schedule, cursor.to_json(base)

    def silence(self) -> None:
        """Leave the run to the composite that this scheduler is a member of."""
        self.silent = True
        self.position.give_up()
        self._waking.stop()

    def wake(self, scheduler: Any) -> list[Any]:
        """Open the run and write the row of this place, whatever was restored in which order.

        A change that other code has made since the scheduler was built is left to `take`.
        """
        moved_in = self._first is None
        self._open(scheduler)
        self._waking.awake = True
        last_lr: list[Any] = scheduler._last_lr
        if self._adopts and self._changed(scheduler) is not None:
            return last_lr
        self._changes.overrule(self._held(scheduler))
        held = self.settle(scheduler)
        return last_lr if moved_in and self._changes.written == self._first else held

    def definable(self, scheduler: Any) -> bool:
        """Whether there is a definition: torch takes arguments, and groups, that make none, and fails at a step."""
        try:
            self._defined(scheduler)
        except (TypeError, KeyError):
            return False
        return True

    def open(self, scheduler: Any) -> None:
        """Open the run, if it is not: before torch's books go on."""
        self._open(scheduler)
        self._waking.stop()

    def groups_added(self, scheduler: Any) -> bool:
        """Whether the optimizer has param groups that the run does not have yet."""
        return len(scheduler.optimizer.param_groups) > self._kept

    def grow(self, scheduler: Any) -> None:
        """Go on with the groups that were added: they are scheduled from the next step on."""
        ticket = self.position.ticket
        assert ticket is not None
        groups.check(scheduler.optimizer, self._tracks, first=self._kept)
        noted = set(groups.kept_initial(scheduler.optimizer)).intersection(self._tracks)
        groups.keep_initial(scheduler.optimizer, noted)
        added = groups.read(scheduler.optimizer, self._tracks)[self._kept :]
        self._check_numbers(ticket, len(ticket.groups) + len(added))
        self._changes.added(groups.values(scheduler.optimizer, self._tracks))
        self.position.grow(self._defined(scheduler), (*ticket.groups, *added))

    def learn(self, scheduler: Any, told: Given) -> Given:
        """Return what the next step is given: what it was told, and what other code has written into the groups."""
        if not self._adopts:
            self._changes.overrule(self._held(scheduler))
        elif (changed := self._changed(scheduler)) is not None:
            told = replace(told, seen=changed)
        if (told.seen is not None or told.epoch is not None) and not self.position.frees_next(told):
            self._changes.too_late = told.seen is not None
            return replace(told, seen=None)
        return told

    def call(self, scheduler: Any, given: Given) -> Given:
        """Return what the next step is given, with what the definition's functions return for it.

        A definition that someone has given the run since is not this process's.
        """
        ticket = self.position.ticket
        assert ticket is not None
        if self._own is None or ticket.schedule != self._own:
            return given
        if self.position.next_is_foretold:
            return given  # the functions were called for it
        inputs = calls(scheduler.optimizer, given)
        return replace(given, factors=factors_of_next(self._own, ticket, inputs, given))

    def take(self, given: Given) -> None:
        """Move to the next step: nothing has moved if this raises."""
        ticket = self.position.ticket = self.position.next(given)
        if given.seen is not None and ticket.given.seen != given.seen:
            self._changes.too_late = True  # another rank's report decided
        self._changes.written = None

    def rest(self) -> None:
        """End the quick steps: note where they have led."""
        quick = self.position.rest()
        if quick is not None:
            self._changes.written = quick.written

    def quicken(self, scheduler: Any, torch_step: Any) -> Quicker | None:
        """Return what takes the next steps from memory, if they are there and nothing stands against it."""
        lrs = [group["lr"] for group in scheduler.optimizer.param_groups]
        self.position.foretell(foretold_of(self._own, tuple(lrs)))
        self.position.look_ahead()
        ticket = self.position.ticket
        assert ticket is not None
        if self.calls or self._own is not None or self.groups_added(scheduler):
            return None
        computes, tracks = None if self.definition_is_given else torch_step, ticket.values.tracks
        quick = quick_of(scheduler.optimizer, ticket.step, self.position.more, tracks, computes)
        return quick if quick is not None and self.position.quicken(quick) else None

    def mark(self) -> Mark:
        """Return where this stands, for `return_to`."""
        return self.position.ticket, self._changes.written, self._changes.too_late

    def return_to(self, mark: Mark) -> None:
        """Stand there again: torch did not follow, or the run did not move."""
        ticket, self._changes.written, self._changes.too_late = mark
        self.position.return_to(ticket)

    def settle(self, scheduler: Any) -> list[Any]:
        """Write the row of this place into the optimizer; return copies of the lrs the groups then hold."""
        row = self.position.row or self._first or self._held(scheduler)
        if (ticket := self.position.ticket) is not None and self._changes.too_late:
            self._changes.tell_too_late(self._held(scheduler), ticket, row)
        held = groups.write(scheduler.optimizer, row)
        self._changes.written = self._held(scheduler)
        return held

    def read(self, scheduler: Any, state: Mapping[str, Any]) -> Ticket | None:
        """Return the place that a state is of; see Position.read.

        Raises GroupsDiffer too where the param groups do not have what the run moves.
        """
        ticket = self.position.read(state, len(scheduler.optimizer.param_groups))
        if ticket is not None:
            try:
                groups.check(scheduler.optimizer, ticket.values.tracks)
            except (TypeError, ValueError) as error:
                raise errors.GroupsDiffer(
                    f"the state dict is of run {ticket.place.run!r}: {error}"
                ) from error
        return ticket

    def go(self, scheduler: Any, ticket: Ticket | None) -> list[Any]:
        """Stand at the place that `read` returned, write its row, and again at the next optimizer step."""
        self.position.go(ticket)
        if ticket is not None:
            self._tracks = ticket.values.tracks
        held = self.settle(scheduler)
        self._changes.written = None  # the optimizer may be restored after this
        self._waking.listen(scheduler)
        return held

    def move_in(self, scheduler: Any) -> None:
        """Begin a run where torch's books stand now, with what the optimizer holds when it is opened."""
        self.position.go(None)
        self._tracks = self._tracks_of(scheduler)
        self._first = self._changes.written = None
        self._waking.listen(scheduler)

    # Within.

    @property
    def _adopts(self) -> bool:
        return self.position.options.on_local_change == "adopt"

    def _check_numbers(self, ticket: Ticket, count: int) -> None:
        """Raise GroupsDiffer where a given definition has numbers for each param group, and not for so many."""
        if not self.definition_is_given:
            return  # torch may look at its own numbers only later, and they may be added to until then
        for field, numbers in per_group_numbers(ticket.schedule):
            if len(numbers) not in (0, 1, count):
                raise errors.GroupsDiffer(
                    f"{field} of run {ticket.place.run!r} has {len(numbers)} numbers, and the optimizer {count} param "
                    "groups: give it one number for all of them, or begin a new run with one for each"
                )

    def _defined(self, scheduler: Any) -> Schedule | str:
        """Return the definition; as it last was where groups have been added that lack what a member reads there."""
        try:
            self._brought = self._definition(scheduler)
        except KeyError:
            if self._brought is None:
                raise
        return self._brought

    def _tracks_of(self, scheduler: Any) -> tuple[str, ...]:
        try:
            definition = self._defined(scheduler)
        except TypeError:
            return ("lr",)
        return self.position.definition(definition).moves

    def _read(self, scheduler: Any) -> tuple[views.Group, ...]:
        """Return the groups as the run shall know them: their base values, and those before torch's first step.

        The latter are what another definition would begin with. Where they are not known, the base is.
        """
        found = groups.read(scheduler.optimizer, self._tracks)
        before = [group.current for group in self._before] or [group.initial for group in found]
        return tuple(
            replace(group, current={track: current[track] for track in self._tracks})
            for group, current in zip(found, before, strict=True)
        )

    def _open(self, scheduler: Any) -> None:
        if self.position.opened:
            self._check_groups(scheduler)
            self.position.check_held()
            return
        if self._first is not None:
            self._check_groups(scheduler)
        definition = self._defined(scheduler)
        before = self.position.ticket
        if before is not None:
            self.position.open(definition, self._groups, None)
            self._follow(scheduler, before)
            return
        if self._first is None:
            self._first = groups.values(scheduler.optimizer, self._tracks)
            self._before = ()
            self._groups = self._read(scheduler)
        origin = None
        if self._memory is not None:
            assert isinstance(definition, Schedule)
            step = step_of(scheduler)
            cursor = Cursor(step, self._memory(scheduler), self._first)
            row = Table.from_rows(step, [self._first])
            origin = views.Origin(definition, cursor.to_json(self._first), step, row)
        elif self._start is not None:
            assert self._own is not None
            origin = views.Origin(self._own, self._start, 0, Table.from_rows(0, [self._first]))
        self.position.open(definition, self._groups, origin)
        ticket = self.position.ticket
        if self.definition_is_given and ticket is not None and ticket.step and not scheduler.last_epoch:
            # The run was forked, or moved in, at a step: the job's loop counts on from there.
            scheduler.last_epoch, scheduler._step_count = ticket.step, ticket.step + 1

    def _follow(self, scheduler: Any, before: Ticket) -> None:
        """Stand where the run goes on, also if that is another step than the state's.

        Raises ResumeRefused where torch keeps books, which are those of the state's step.
        """
        ticket = self.position.ticket
        assert ticket is not None
        if ticket.step == before.step:
            return
        if not self.definition_is_given:
            self.position.leave(before)
            raise errors.ResumeRefused(
                f"run {ticket.place.run!r} goes on at step {ticket.step} (on_resume='server'), and torch's own books "
                f"in the state dict are those of step {before.step}: use RemoteLR for that, or say on_resume='exact'",
                run=ticket.place.run,
                step=ticket.step,
            )
        scheduler.last_epoch += ticket.step - before.step
        scheduler._step_count += ticket.step - before.step

    @property
    def _kept(self) -> int:
        """How many param groups the run has."""
        ticket = self.position.ticket
        return len(ticket.groups if ticket else self._groups)

    def _held(self, scheduler: Any) -> groups.Held:
        """Return what the run's groups hold; those added since are not among them."""
        return groups.values(scheduler.optimizer, self._tracks, first=self._kept)

    def _check_groups(self, scheduler: Any) -> None:
        present, kept = len(scheduler.optimizer.param_groups), self._kept
        if present < kept:
            ticket = self.position.ticket
            run = f"run {ticket.place.run!r}" if ticket else "the run"
            raise errors.GroupsDiffer(
                f"the optimizer has {present} param groups; {run} has {kept}: groups cannot be taken away in "
                "training; start anew with another run name"
            )

    def _changed(self, scheduler: Any) -> groups.Held | None:
        """Return what the groups hold, if another hand has written them since this one did."""
        return self._changes.seen(self._held(scheduler))


def step_of(scheduler: Any) -> int:
    """Return the step at which a torch scheduler stands: its `last_epoch`, or its first member's."""
    while not hasattr(scheduler, "last_epoch"):
        scheduler = scheduler._schedulers[0]
    step: int = math.floor(scheduler.last_epoch)
    return max(0, step)


def _revive(
    options: Options,
    definition: Definition,
    memory: Memory | None,
    facts: Mapping[str, Any],
    ticket: Ticket | None,
) -> Hold:
    hold = Hold(options, definition, memory)
    for name, value in facts.items():
        setattr(hold, name, value)
    hold.position.carry(ticket)
    return hold
