"""A scheduler that is stepped several times for each step of its optimizer, as Accelerate does: nobody means that."""

from __future__ import annotations

import warnings
import weakref
from typing import Any

from torch.optim.lr_scheduler import LRScheduler

from lrkeeper.torch.hooks import after_step

_TIMES = 3
"""So many strides of one length, one after the other, are no accident: a job may well go forward once."""


def warn_of_strides(scheduler: LRScheduler) -> None:
    """Warn, once, where every step of the optimizer is followed by the same number of steps, above 1."""
    seen = weakref.ref(scheduler)
    at, stride, times = scheduler.last_epoch, 0, 0

    def after(_optimizer: Any, _args: Any, _kwargs: Any) -> None:
        nonlocal at, stride, times
        found = seen()
        if found is None or times == _TIMES:
            return
        moved, at = found.last_epoch - at, found.last_epoch
        times = times + 1 if moved == stride else 1
        stride = moved
        if stride < 2:
            times = 0
        elif times == _TIMES:
            warnings.warn(
                f"scheduler.step() was called {stride} times after each of the last {_TIMES} steps of the optimizer, "
                "and every call is a step of the run: an Accelerator calls a prepared scheduler once for each "
                'process. RemoteLR(…, counts="after_optimizer_step") counts only the first of them',
                UserWarning,
                stacklevel=4,  # behind torch's own wrappers of optimizer.step
            )

    after_step(scheduler.optimizer, after)
