"""Waking a scheduler at the optimizer's next step: until then it makes no call."""

from __future__ import annotations

import weakref
from typing import Any

from lrkeeper.torch.hooks import before_step


class Waking:
    """One scheduler's hook on its optimizer.

    It stays until the scheduler's next step, because a hook cannot be removed while it runs.
    """

    def __init__(self) -> None:
        self.awake = False
        """Whether the hook has nothing to do any more."""
        self._hook: Any = None

    def listen(self, scheduler: Any) -> None:
        """Wake at the next `optimizer.step()`.

        Where torch took arguments that make no definition, the error is left to the scheduler's step, as torch does.
        """
        self.awake = False
        if self._hook is not None:
            return
        seen = weakref.ref(scheduler)

        def before(_optimizer: Any, _args: Any, _kwargs: Any) -> None:
            found = seen()
            if found is not None and not self.awake and found._hold.definable(found):
                found._last_lr = found._hold.wake(found)

        self._hook = before_step(scheduler.optimizer, before)

    def stop(self) -> None:
        """Wake no more."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None
