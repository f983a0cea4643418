"""Whether an optimizer has stepped: an update that was skipped, or is still being accumulated, is no step."""

from __future__ import annotations

import weakref
from typing import Any

import torch

from lrkeeper.torch.hooks import after_step
from lrkeeper.torch.quick import Quicker


class OptimizerSteps:
    """Tells whether an optimizer has really stepped since it was last asked.

        steps = OptimizerSteps(optimizer)
        for batch in loader:
            ...
            scaler.step(optimizer)  # skips optimizer.step() where a gradient is inf or nan
            scaler.update()
            if steps.take():
                scheduler.step()

    It is told by the optimizer itself, so it does not matter who calls `optimizer.step()`, or holds it back. A
    fused optimizer is called by a GradScaler in any case, and skips the update itself: that is no step either.
    A copy or pickle remembers what this one does, and knows no optimizer: `watch` gives it one.

    Args:
        optimizer: what to watch; None: nothing yet.

    Raises:
        TypeError: the optimizer takes no hooks.
    """

    def __init__(self, optimizer: torch.optim.Optimizer | None = None) -> None:
        self._stepped = False
        self._skipped: torch.Tensor | None = (
            None  # 0 where a step of a fused optimizer was none that was skipped
        )
        if optimizer is not None:
            self.watch(optimizer)

    def __reduce__(self) -> tuple[Any, ...]:
        return _remembering, (self.pending,)

    def watch(self, optimizer: torch.optim.Optimizer) -> None:
        """Be told of an optimizer's steps from now on. Raises TypeError where it takes no hooks."""
        seen = weakref.ref(self)

        def after(stepped: torch.optim.Optimizer, _args: Any, _kwargs: Any) -> None:
            if (found := seen()) is not None:
                found._note(stepped)

        if after_step(optimizer, after) is None:
            raise TypeError(
                f"optimizer is a {type(optimizer).__name__}, which takes no hooks, so its steps cannot be counted; "
                "it must be a torch Optimizer, or have one as its attribute optimizer"
            )

    @property
    def pending(self) -> bool:
        """Whether the optimizer has stepped since `clear`."""
        if self._skipped is not None:
            self._stepped = self._stepped or not self._skipped.item()
            self._skipped = None
        return self._stepped

    @pending.setter
    def pending(self, stepped: bool) -> None:
        self._stepped, self._skipped = stepped, None

    def clear(self) -> None:
        """Begin anew: the steps so far have been counted."""
        self.pending = False

    def take(self) -> bool:
        """Return whether the optimizer has stepped since the last time, and begin anew."""
        stepped = self.pending
        self.clear()
        return stepped

    def _note(self, optimizer: torch.optim.Optimizer) -> None:
        # Where a fused optimizer skips, it and its GradScaler know only on their device. To ask there would make the
        # step wait for it, so that is left to whoever wants to know.
        found_inf = getattr(optimizer, "found_inf", None)
        if found_inf is None:
            self._stepped = True
        elif not self._stepped:
            found = found_inf.detach()
            self._skipped = found if self._skipped is None else torch.minimum(self._skipped, found)


class Counted:
    """Takes steps the quick way where the optimizer has stepped: a call that does not count does nothing."""

    __slots__ = ("_quick", "_steps")

    def __init__(self, quick: Quicker, steps: OptimizerSteps) -> None:
        self._quick, self._steps = quick, steps

    def __reduce__(self) -> tuple[Any, ...]:
        return _nothing, ()  # a copy takes its first step the slow way

    def take(self, scheduler: Any) -> bool:
        """Take a step, or none; False, and nothing has changed, if it must be taken the slow way."""
        if self._steps.pending:
            if not self._quick.take(scheduler):
                return False
            self._steps.clear()
        return True


def _nothing() -> None:
    return None


def _remembering(stepped: bool) -> OptimizerSteps:
    steps = OptimizerSteps()
    steps.pending = stepped
    return steps
