"""What makes a torch scheduler one whose values a run decides: mixed in before torch's class."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from inspect import signature
from typing import TYPE_CHECKING, Any

from torch.optim.lr_scheduler import ReduceLROnPlateau

from lrkeeper.errors import BadCheckpoint
from lrkeeper.schedules.cursor import FAILURES
from lrkeeper.schedules.given import NOTHING, Given
from lrkeeper.torch import groups
from lrkeeper.torch.definitions import definition_of
from lrkeeper.torch.functions import Books, callers, recorded
from lrkeeper.torch.hold import Hold
from lrkeeper.torch.memories import memory_of
from lrkeeper.torch.optimizer_steps import Counted
from lrkeeper.torch.options import Options
from lrkeeper.torch.quick import Quicker

ENTRY = "lrkeeper"

_ARGUMENTS = {False: ("epoch",), True: ("metrics", "epoch")}


class Kept:
    """Left of a torch scheduler in the bases: torch keeps its books, the run decides the values."""

    _hold: Hold
    _quick: Quicker | Counted | None
    if TYPE_CHECKING:  # torch's
        __slots__ = ("_hold", "_is_initial", "_last_lr", "_quick")
        optimizer: Any
        _is_initial: bool
        _last_lr: list[Any]

    else:
        __slots__ = ("_hold", "_quick")  # not in __dict__: that is torch's state dict

    def step(self, *args: Any, **kwargs: Any) -> None:
        """Move to the next step: torch's bookkeeping, and the run's values.

        Raises what torch raises at the steps at which torch raises; RunFenced where a newer start of the
        job holds the run; ServerUnavailable where the server stays away.
        """
        try:
            quick = self._quick
        except AttributeError:  # within torch's constructor
            quick = None
        if quick is None or args or kwargs or not quick.take(self):
            self._take_step(args, kwargs)

    def _take_step(self, args: Any, kwargs: Any) -> None:
        self._quick = None
        hold = hold_of(self)
        if hold.silent or self._is_initial:
            building = not hold.silent and not hold.begun
            if building:
                hold.begin(self)
            self._torch_step(args, kwargs)
            if building:
                hold.built(self, calls=bool(callers(self)))
            return
        hold.rest()
        if hold.steps is not None and not hold.steps.pending:
            return
        told = self._told(args, kwargs)
        if hold.groups_added(self):
            self._try_torch(args, kwargs)
        hold.open(self)
        with self._together(hold):
            if hold.groups_added(self):
                hold.grow(self)
            given = hold.learn(self, told)
            if hold.calls:
                with recorded(self) as results:
                    self._torch_step(args, kwargs)
                hold.take(replace(given, factors=tuple(results)))
            else:
                given = hold.call(self, given)
                try:
                    hold.take(given)
                except tuple(FAILURES.values()) as unreachable:
                    self._fail_as_torch(unreachable, args, kwargs)
                    raise
                self._torch_step(args, kwargs)
        self._last_lr = hold.settle(self)
        self._quick = hold.quicken(self, super().step.__func__)  # type: ignore[misc]
        if hold.steps is not None:
            hold.steps.clear()
            self._quick = None if self._quick is None else Counted(self._quick, hold.steps)

    @contextmanager
    def _together(self, hold: Hold) -> Iterator[None]:
        """Within, torch's books and the place on the run move together: if either fails, neither has moved."""
        books, held, mark = Books(self), groups.values(self.optimizer, hold.tracks), hold.mark()
        try:
            yield
        except BaseException:
            books.put_back()
            groups.write(self.optimizer, held)
            hold.return_to(mark)
            raise

    def _fail_as_torch(self, unreachable: Exception, args: Any, kwargs: Any) -> None:
        """Raise torch's own exception where the schedule cannot go on, with a note of the run; nothing moves."""
        try:
            self._try_torch(args, kwargs)
        except type(unreachable) as torchs:
            torchs.add_note(str(unreachable))
            raise torchs from None

    def _try_torch(self, args: Any, kwargs: Any) -> None:
        """Raise what torch's step would raise; nothing moves."""
        books, held = Books(self), groups.values(self.optimizer, hold_of(self).tracks)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                super().step(*args, **kwargs)  # type: ignore[misc]
        finally:
            books.put_back()
            groups.write(self.optimizer, held)

    def _told(self, args: Any, kwargs: Any) -> Given:
        """Return what `step` was given, a metric or an epoch; raises what torch raises for others."""
        names = _ARGUMENTS[isinstance(self, ReduceLROnPlateau)]
        if not args and not kwargs and len(names) == 1:
            return NOTHING
        try:
            told = signature(super().step).bind(*args, **kwargs).arguments  # type: ignore[misc]
        except TypeError:
            super().step(*args, **kwargs)  # type: ignore[misc]  # says it in torch's words
            raise
        epoch = told.get("epoch")
        metric = float(told["metrics"]) if "metrics" in told else None
        return Given(metric=metric, epoch=None if epoch is None else float(epoch))

    def get_last_lr(self) -> list[Any]:
        """Return each group's lr as last written: torch's, from the run."""
        hold = hold_of(self)
        if hold.begun and hold.opens_alone and not hold.silent and not hold.settled and hold.definable(self):
            self._last_lr = hold.wake(self)
        return self._last_lr

    def state_dict(self) -> dict[str, Any]:
        """Return torch's state and, under "lrkeeper", the place on the run: primitives only."""
        state: dict[str, Any] = super().state_dict()  # type: ignore[misc]
        hold = hold_of(self)
        return state if hold.silent else {**state, ENTRY: hold.position.to_state()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go to the state's place on its run; the lr of that step is written into the optimizer.

        torch leaves the optimizer alone here. Writing makes the order in which optimizer and scheduler
        are restored indifferent, and it is repeated at the next `optimizer.step()`. The state of a torch
        scheduler, or of one that had not opened its run, is on no run: a new run begins there, with what the
        optimizer holds when it is opened.
        """
        state = dict(state_dict)
        entry = state.pop(ENTRY, None)
        hold = hold_of(self)
        if entry is None and not hold.silent and hold.position.opened:
            raise BadCheckpoint(
                f"the state dict has no {ENTRY!r} entry, so a run would begin with it, and this scheduler is on a "
                "run already; load the state into a new one, before its first step"
            )
        if entry is None and not hold.silent and hold.definition_is_given:
            raise BadCheckpoint(
                f"the state dict has no {ENTRY!r} entry: it was not saved by lrkeeper's {type(self).__name__}; "
                "to go on from a torch scheduler's state use the drop-in of its class"
            )
        if hold.silent:
            super().load_state_dict(state)  # type: ignore[misc]
            return
        if entry is None:
            super().load_state_dict(state)  # type: ignore[misc]
            hold.move_in(self)
            return
        self._quick = None
        hold.rest()
        ticket = hold.read(self, entry)  # refuses before anything has changed
        super().load_state_dict(state)  # type: ignore[misc]
        if ticket is None and not hold.definition_is_given:
            hold.move_in(self)
            return
        self._last_lr = hold.go(self, ticket)

    def finish(self) -> None:
        """Mark the run finished: it takes no more steps or edits. Raises RunFenced."""
        hold_of(self).position.finish()

    def _torch_step(self, args: Any, kwargs: Any, frames: int = 2) -> None:
        """Do torch's step. Its warnings name the caller's line, as if this class's frames were not in between."""
        if not args and not kwargs and getattr(self, "_step_count", 0) != 1:
            super().step()  # type: ignore[misc]
            return
        books = Books(self)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            super().step(*args, **kwargs)  # type: ignore[misc]
        try:
            for warning in caught:
                warnings.warn(warning.message, stacklevel=2 + frames)
        except Warning:  # made an error by a filter: torch warns before it moves
            books.put_back()
            groups.write(self.optimizer, {"lr": tuple(float(lr) for lr in self._last_lr)})
            raise


def hold_of(scheduler: Kept) -> Hold:
    """Return a scheduler's hold, made on first use: inside torch's constructor."""
    try:
        return scheduler._hold
    except AttributeError:
        scheduler._hold = Hold(Options(on_local_change="adopt"), definition_of, memory_of)
        return scheduler._hold
