"""Drop-ins for torch.optim.lr_scheduler: change the import, and a server keeps the lr.

    from lrkeeper import lr_scheduler

Same classes to isinstance, same arguments, attributes and values. Settings come from the environment:
LRKEEPER_SERVER, and LRKEEPER_RUN for the run's name (one is made up otherwise, and travels in the state
dict). `torch.optim.swa_utils.SWALR` is here too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import signature
from typing import Any

from lrkeeper.torch.definitions import check_kept  # first: it says which extra is missing
from lrkeeper.torch.functions import callers
from lrkeeper.torch.kept import Kept, hold_of

# isort: split
from torch.optim import lr_scheduler as _torch
from torch.optim import swa_utils as _swa
from torch.optim.lr_scheduler import EPOCH_DEPRECATION_WARNING as EPOCH_DEPRECATION_WARNING
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.lr_scheduler import _LRScheduler as _LRScheduler

__all__ = [
    "SWALR",
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]


def _once_built(init: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor that begins with the run when it is through: torch's makes no first step."""

    @wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        init(self, *args, **kwargs)
        hold_of(self).begin(self)
        hold_of(self).built(self)

    return __init__


def _built_again(init: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor that looks at the groups at its end: torch's goes on after its first step."""

    @wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        init(self, *args, **kwargs)
        hold_of(self).built(self, calls=bool(callers(self)))

    return __init__


def _of_members(init: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor of a composite, which has one run for all its members."""

    @wraps(init)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
        with _silenced(_schedulers(init, self, args, kwargs)):
            init(self, *args, **kwargs)
            check_kept(self)
        hold_of(self).begin(self)
        hold_of(self).built(self, calls=bool(callers(self)))

    return __init__


def _schedulers(init: Callable[..., None], scheduler: Any, args: Any, kwargs: Any) -> Iterable[Any]:
    """Return a composite's members, if its arguments are any that torch's constructor takes."""
    try:
        found = signature(init).bind(scheduler, *args, **kwargs).arguments["schedulers"]
    except TypeError:
        return ()
    return found if isinstance(found, Iterable) else ()


@contextmanager
def _silenced(schedulers: Iterable[Any]) -> Iterator[None]:
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


class LambdaLR(Kept, _torch.LambdaLR):  # noqa: D101 - torch's
    __doc__ = _torch.LambdaLR.__doc__


class MultiplicativeLR(Kept, _torch.MultiplicativeLR):  # noqa: D101 - torch's
    __doc__ = _torch.MultiplicativeLR.__doc__


class StepLR(Kept, _torch.StepLR):  # noqa: D101 - torch's
    __doc__ = _torch.StepLR.__doc__


class MultiStepLR(Kept, _torch.MultiStepLR):  # noqa: D101 - torch's
    __doc__ = _torch.MultiStepLR.__doc__


class ConstantLR(Kept, _torch.ConstantLR):  # noqa: D101 - torch's
    __doc__ = _torch.ConstantLR.__doc__


class LinearLR(Kept, _torch.LinearLR):  # noqa: D101 - torch's
    __doc__ = _torch.LinearLR.__doc__


class ExponentialLR(Kept, _torch.ExponentialLR):  # noqa: D101 - torch's
    __doc__ = _torch.ExponentialLR.__doc__


class PolynomialLR(Kept, _torch.PolynomialLR):  # noqa: D101 - torch's
    __doc__ = _torch.PolynomialLR.__doc__


class CosineAnnealingLR(Kept, _torch.CosineAnnealingLR):  # noqa: D101 - torch's
    __doc__ = _torch.CosineAnnealingLR.__doc__


class CosineAnnealingWarmRestarts(Kept, _torch.CosineAnnealingWarmRestarts):  # noqa: D101 - torch's
    __doc__ = _torch.CosineAnnealingWarmRestarts.__doc__


class CyclicLR(Kept, _torch.CyclicLR):  # noqa: D101 - torch's
    __doc__ = _torch.CyclicLR.__doc__

    __init__ = _built_again(_torch.CyclicLR.__init__)


class OneCycleLR(Kept, _torch.OneCycleLR):  # noqa: D101 - torch's
    __doc__ = _torch.OneCycleLR.__doc__


class SWALR(Kept, _swa.SWALR):  # noqa: D101 - torch's
    __doc__ = _swa.SWALR.__doc__


class ReduceLROnPlateau(Kept, _torch.ReduceLROnPlateau):  # noqa: D101 - torch's
    __doc__ = _torch.ReduceLROnPlateau.__doc__
    __init__ = _once_built(_torch.ReduceLROnPlateau.__init__)


class SequentialLR(Kept, _torch.SequentialLR):  # noqa: D101 - torch's
    __doc__ = _torch.SequentialLR.__doc__
    __init__ = _of_members(_torch.SequentialLR.__init__)


class ChainedScheduler(Kept, _torch.ChainedScheduler):  # noqa: D101 - torch's
    __doc__ = _torch.ChainedScheduler.__doc__
    __init__ = _of_members(_torch.ChainedScheduler.__init__)
