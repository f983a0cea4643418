"""From a torch scheduler to its definition: read from the attributes that torch keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch.optim import lr_scheduler as torch_schedulers

from lrkeeper import schedules as S
from lrkeeper.schedules import codec


def definition_of(scheduler: Any) -> S.Schedule:
    """Return a scheduler's definition.

    Raises TypeError where torch took an argument that is no number; torch fails at the first step.
    """
    found = _reader(scheduler)(scheduler)
    codec.encode(found)
    return found


def check_kept(scheduler: Any) -> None:
    """Raise TypeError unless a scheduler, with all its members, is of a class that lrkeeper keeps."""
    _reader(scheduler)
    for member in getattr(scheduler, "_schedulers", ()):
        check_kept(member)


def _reader(scheduler: Any) -> Callable[[Any], S.Schedule]:
    for cls, read in _READERS.items():
        if isinstance(scheduler, cls):
            return read
    raise TypeError(
        f"{type(scheduler).__name__} is not a scheduler that lrkeeper keeps yet; it keeps "
        f"{', '.join(cls.__name__ for cls in _READERS)}"
    )


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


def _sequential_lr(scheduler: Any) -> S.Schedule:
    members = tuple(definition_of(member) for member in scheduler._schedulers)
    return S.SequentialLR.unchecked(schedulers=members, milestones=tuple(scheduler._milestones))


_READERS: dict[type, Callable[[Any], S.Schedule]] = {
    torch_schedulers.StepLR: _step_lr,
    torch_schedulers.MultiStepLR: _multi_step_lr,
    torch_schedulers.SequentialLR: _sequential_lr,
}
