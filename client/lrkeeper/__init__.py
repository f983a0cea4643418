"""lrkeeper keeps the learning rate of every training job of a cluster in one place.

    from lrkeeper import RemoteLR, schedules as S

    scheduler = RemoteLR(optimizer, S.StepLR(step_size=30, gamma=0.1), run="ResNet50-seed1")

or, where a program uses torch's own classes, `from lrkeeper import lr_scheduler` in the place of
`from torch.optim import lr_scheduler`. Nothing is imported before it is used: a client that never
touches a torch name does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import extend_path
from typing import TYPE_CHECKING, Any

__path__ = extend_path(__path__, __name__)  # the other roots' portions join in

if TYPE_CHECKING:
    from lrkeeper import errors as errors
    from lrkeeper import lr_scheduler as lr_scheduler
    from lrkeeper import schedules as schedules
    from lrkeeper.client import Client
    from lrkeeper.errors import LrkeeperError, RunFenced
    from lrkeeper.torch.optimizer_steps import OptimizerSteps
    from lrkeeper.torch.remote_lr import RemoteLR

__version__ = "0.1.0"

__all__ = [
    "Client",
    "LrkeeperError",
    "OptimizerSteps",
    "RemoteLR",
    "RunFenced",
    "errors",
    "lr_scheduler",
    "schedules",
]

_HOMES = {
    "Client": "lrkeeper.client",
    "LrkeeperError": "lrkeeper.errors",
    "OptimizerSteps": "lrkeeper.torch.optimizer_steps",
    "RemoteLR": "lrkeeper.torch.remote_lr",
    "RunFenced": "lrkeeper.errors",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    if name in __all__:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
