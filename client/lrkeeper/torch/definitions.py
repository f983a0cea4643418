"""From a torch scheduler to its definition: read from the attributes that torch keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.optim import lr_scheduler as torch_schedulers
from torch.optim.swa_utils import SWALR

from lrkeeper import schedules as S
from lrkeeper.schedules import codec
from lrkeeper.torch import cycles
from lrkeeper.torch.cycles import same_for_all
from lrkeeper.torch.tensors import with_numbers


def definition_of(scheduler: Any) -> S.Schedule:
    """Return a scheduler's definition.

    Raises TypeError where torch took an argument that is no number: the first step fails in torch, or
    computes what no definition can say.
    """
    for cls, read in _READERS.items():
        if isinstance(scheduler, cls):
            found = with_numbers(read(scheduler), scheduler.optimizer)
            codec.encode(found)
            return found
    raise _not_kept(scheduler)


def check_kept(scheduler: Any) -> None:
    """Raise TypeError unless a scheduler, with all its members, is of a class that lrkeeper keeps."""
    if not isinstance(scheduler, tuple(_READERS)):
        raise _not_kept(scheduler)
    for member in getattr(scheduler, "_schedulers", ()):
        check_kept(member)


def _not_kept(scheduler: Any) -> TypeError:
    return TypeError(
        f"{type(scheduler).__name__} is not a scheduler that lrkeeper keeps; it keeps "
        f"{', '.join(cls.__name__ for cls in _READERS)}"
    )


def _fields(*names: str) -> Callable[[Any], dict[str, Any]]:
    """Return a reader of attributes that are the definition's fields."""
    return lambda scheduler: {name: getattr(scheduler, name) for name in names}


def _of(cls: type[S.Schedule], read: Callable[[Any], dict[str, Any]]) -> Callable[[Any], S.Schedule]:
    return lambda scheduler: cls.unchecked(**read(scheduler))


def _step_lr(scheduler: Any) -> S.Schedule:
    size = scheduler.step_size
    if isinstance(size, list | tuple):
        raise TypeError(
            f"StepLR: step_size is {size!r}; it must be a number: for drops at given steps use "
            f"MultiStepLR(optimizer, milestones={list(size)!r})"
        )
    return S.StepLR.unchecked(step_size=size, gamma=scheduler.gamma)


def _multi_step_lr(scheduler: Any) -> S.Schedule:
    milestones = tuple(sorted(scheduler.milestones.elements()))
    return S.MultiStepLR.unchecked(milestones=milestones, gamma=scheduler.gamma)


def _reduce_lr_on_plateau(scheduler: Any) -> S.Schedule:
    read = _fields("mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "eps")
    return S.ReduceLROnPlateau.unchecked(**read(scheduler), min_lr=same_for_all(scheduler.min_lrs))


def _swalr(scheduler: Any) -> S.Schedule:
    return S.SWALR.unchecked(
        swa_lr=same_for_all(group["swa_lr"] for group in scheduler.optimizer.param_groups),
        anneal_epochs=scheduler.anneal_epochs,
        anneal_strategy=scheduler._anneal_strategy,
    )


def _sequential_lr(scheduler: Any) -> S.Schedule:
    members = tuple(definition_of(member) for member in scheduler._schedulers)
    return S.SequentialLR.unchecked(schedulers=members, milestones=tuple(scheduler._milestones))


def _chained_scheduler(scheduler: Any) -> S.Schedule:
    members = tuple(definition_of(member) for member in scheduler._schedulers)
    return S.ChainedScheduler.unchecked(schedulers=members)


_READERS: dict[type[Any], Callable[[Any], S.Schedule]] = {
    torch_schedulers.StepLR: _step_lr,
    torch_schedulers.MultiStepLR: _multi_step_lr,
    torch_schedulers.SequentialLR: _sequential_lr,
    torch_schedulers.ChainedScheduler: _chained_scheduler,
    torch_schedulers.ConstantLR: _of(S.ConstantLR, _fields("factor", "total_iters")),
    torch_schedulers.LinearLR: _of(S.LinearLR, _fields("start_factor", "end_factor", "total_iters")),
    torch_schedulers.ExponentialLR: _of(S.ExponentialLR, _fields("gamma")),
    torch_schedulers.PolynomialLR: _of(S.PolynomialLR, _fields("total_iters", "power")),
    torch_schedulers.CosineAnnealingLR: _of(S.CosineAnnealingLR, _fields("T_max", "eta_min")),
    torch_schedulers.CosineAnnealingWarmRestarts: _of(
        S.CosineAnnealingWarmRestarts, _fields("T_0", "T_mult", "eta_min")
    ),
    torch_schedulers.LambdaLR: _of(S.LambdaLR, _fields()),
    torch_schedulers.MultiplicativeLR: _of(S.MultiplicativeLR, _fields()),
    torch_schedulers.CyclicLR: cycles.cyclic_lr,
    torch_schedulers.OneCycleLR: cycles.one_cycle_lr,
    torch_schedulers.ReduceLROnPlateau: _reduce_lr_on_plateau,
    SWALR: _swalr,
}
