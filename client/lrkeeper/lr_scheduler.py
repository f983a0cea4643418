"""Drop-ins for torch.optim.lr_scheduler: change the import, and a server keeps the lr.

    from lrkeeper import lr_scheduler

Same classes to isinstance, same arguments, attributes and values. Settings come from the environment:
LRKEEPER_SERVER, and LRKEEPER_RUN for the run's name (one is made up otherwise, and travels in the state
dict). Classes that are not kept yet are not here, so that none is kept by mistake.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lrkeeper.torch.definitions import check_kept  # first: it says which extra is missing
from lrkeeper.torch.kept import Kept, hold_of

# isort: split
from torch.optim import Optimizer
from torch.optim import lr_scheduler as _torch
from torch.optim.lr_scheduler import LRScheduler

__all__ = ["LRScheduler", "MultiStepLR", "SequentialLR", "StepLR"]


def __getattr__(name: str) -> Any:
    if name in _torch.__all__:
        raise AttributeError(
            f"lrkeeper does not keep torch's {name} yet; it keeps StepLR, MultiStepLR and SequentialLR, and "
            f"torch.optim.lr_scheduler.{name} is there as ever"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class StepLR(Kept, _torch.StepLR):  # noqa: D101 - torch's
    __doc__ = _torch.StepLR.__doc__


class MultiStepLR(Kept, _torch.MultiStepLR):  # noqa: D101 - torch's
    __doc__ = _torch.MultiStepLR.__doc__


class SequentialLR(Kept, _torch.SequentialLR):  # noqa: D101 - torch's
    __doc__ = _torch.SequentialLR.__doc__

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: list[LRScheduler],
        milestones: list[int],
        last_epoch: int = -1,
    ) -> None:
        with _members(schedulers):
            super().__init__(optimizer, schedulers, milestones, last_epoch)
            check_kept(self)
        hold_of(self).begin(self)
        hold_of(self).built(self)


@contextmanager
def _members(schedulers: list[Any]) -> Iterator[None]:
    """Leave the run to the composite, which is one run; not if its constructor fails."""
    holds = [hold_of(member) for member in schedulers if isinstance(member, Kept)]
    before = [hold.silent for hold in holds]
    for hold in holds:
        hold.silent = True
    try:
        yield
    except BaseException:
        for hold, silent in zip(holds, before, strict=True):
            hold.silent = silent
        raise
    for hold in holds:
        hold.silence()
