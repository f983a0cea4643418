"""From a definition back to torch: the scheduler itself, and the text of its constructor call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import Any

import torch
from torch.optim import lr_scheduler as torch_schedulers
from torch.optim.swa_utils import SWALR

from lrkeeper import schedules as S
from lrkeeper.errors import LrkeeperError
from lrkeeper.schedules.given import Given
from lrkeeper.schedules.numbers import kind_name
from lrkeeper.torch import groups
from lrkeeper.views import Group

_OWN_LISTS = ("milestones", "schedulers")
Step = tuple[Given, groups.Held]
"""What a step was given, and the values it has."""


class NoTorchScheduler(LrkeeperError):
    """The curve is none that a single torch scheduler makes; the message says why."""


def torch_class(schedule: S.Schedule) -> type[Any]:
    """Return the torch class that a definition is of. Raises NoTorchScheduler."""
    name = type(schedule).__name__
    if isinstance(schedule, S.LambdaLR | S.MultiplicativeLR) or getattr(schedule, "custom_scale_fn", False):
        raise NoTorchScheduler(f"{name} calls functions of the job, which lrkeeper does not have")
    found = SWALR if isinstance(schedule, S.SWALR) else getattr(torch_schedulers, name, None)
    if found is None:
        raise NoTorchScheduler(f"{name} is no class of torch")
    return found


def call_text(schedule: S.Schedule) -> str:
    """Return the call of torch's constructor, for an optimizer of the name `optimizer`."""
    text: str = _called(
        schedule, lambda cls, arguments: f"{_path(cls)}({', '.join(_texts(arguments))})", "optimizer"
    )
    return text


def build(schedule: S.Schedule, optimizer: torch.optim.Optimizer) -> Any:
    """Return torch's own scheduler of a definition."""
    return _called(schedule, lambda cls, arguments: cls(**arguments), optimizer)


def replayed(schedule: S.Schedule, run_groups: tuple[Group, ...], steps: Iterable[Step]) -> Any:
    """Return torch's own scheduler after these steps.

    Raises NoTorchScheduler where torch's values are not the steps'.
    """
    optimizer = _optimizer(run_groups)
    scheduler = build(schedule, optimizer)
    metric_driven = isinstance(scheduler, torch_schedulers.ReduceLROnPlateau)
    for number, (given, row) in enumerate(steps, start=1):
        if given.seen is not None or given.epoch is not None:
            raise NoTorchScheduler(f"step {number} was given {given}, as no constructor call can say")
        optimizer.step()
        scheduler.step(*([given.metric] if metric_driven else []))
        if groups.values(optimizer, tuple(row)) != row:
            raise NoTorchScheduler(
                f"at step {number} torch {torch.__version__} has another value than the run"
            )
    return scheduler


def _optimizer(run_groups: tuple[Group, ...]) -> torch.optim.Optimizer:
    made: list[dict[str, Any]] = []
    for group in run_groups:
        lr = group.initial["lr"]
        made.append(
            {
                "params": [torch.zeros((), requires_grad=True)],
                "lr": torch.tensor(lr) if group.number == "float32" else lr,
                "momentum": group.initial.get("momentum", 0.0),
            }
        )
    return torch.optim.SGD(made, lr=0.1, momentum=0.0)


def _called(schedule: S.Schedule, call: Callable[[type[Any], dict[str, Any]], Any], optimizer: Any) -> Any:
    cls = torch_class(schedule)
    takes = inspect.signature(cls).parameters
    arguments: dict[str, Any] = {}
    for field in fields(schedule):  # type: ignore[arg-type]  # every schedule is a dataclass
        value = getattr(schedule, field.name)
        if value is None or value == () or field.name in _FOLLOW.get(type(schedule), ()):
            continue
        if field.name not in takes:
            if value != field.default:
                raise NoTorchScheduler(f"{cls.__name__} has no argument for {field.name}={value!r}")
        elif field.name == "schedulers":
            arguments[field.name] = [_called(member, call, optimizer) for member in value]
        elif isinstance(value, tuple):
            arguments[field.name] = _list_or_number(field.name, tuple(map(_argument, value)))
        else:
            arguments[field.name] = _argument(value)
    if next(iter(takes)) == "optimizer":
        arguments = {"optimizer": optimizer, **arguments}
    return call(cls, arguments)


# What a live OneCycleLR has beside torch's arguments; that both say the same is seen when it is replayed.
_FOLLOW: dict[type[S.Schedule], tuple[str, ...]] = {
    S.OneCycleLR: ("initial_lr", "min_lr", "phase_end_steps"),
}


def _argument(value: Any) -> Any:
    """Return a definition's number as torch's argument: a tensor where it was one."""
    name = kind_name(value)
    return torch.tensor(value, dtype=getattr(torch, name)) if name else value


def text(value: Any) -> str:
    """Return a value's text, tensors with all their digits."""
    if isinstance(value, torch.Tensor):
        kind = "" if value.dtype == torch.float32 else f", dtype={value.dtype}"
        return f"torch.tensor({value.item()!r}{kind})"
    if type(value) is dict:
        return f"{{{', '.join(f'{key!r}: {text(item)}' for key, item in value.items())}}}"
    if type(value) is list:
        return f"[{', '.join(map(text, value))}]"
    return repr(value)


def _list_or_number(name: str, value: tuple[Any, ...]) -> Any:
    return value[0] if len(value) == 1 and name not in _OWN_LISTS else list(value)


def _path(cls: type[Any]) -> str:
    return f"torch.optim.{'swa_utils' if cls is SWALR else 'lr_scheduler'}.{cls.__name__}"


def _texts(arguments: dict[str, Any]) -> list[str]:
    texts = []
    for name, value in arguments.items():
        if name == "optimizer":
            texts.append(value)
        elif name == "schedulers":
            texts.append(f"schedulers=[{', '.join(value)}]")
        else:
            texts.append(f"{name}={text(value)}")
    return texts
