"""Where a scheduler's values come from: a server, or this process."""

from __future__ import annotations

import os
from functools import cache

import torch

from lrkeeper.client import Client
from lrkeeper.errors import NotConfigured
from lrkeeper.local import LocalRuns
from lrkeeper.settings import Settings
from lrkeeper.torch import launch
from lrkeeper.torch.broadcast import BroadcastClient
from lrkeeper.torch.runs import Runs

_LOOK_SECONDS = 3.0  # a server restarts meanwhile, and one that is not there is told of soon


def runs_of(settings: Settings, *, broadcast: bool = False) -> Runs:
    """Return the way to a server, one a process; with `broadcast` it is rank 0's for all ranks.

    Raises NotConfigured where there are several ranks and no process group yet.
    """
    if broadcast and not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        if launch.world()[1] > 1:
            raise NotConfigured(
                "sync is 'broadcast', and the ranks cannot talk to each other yet: call "
                "torch.distributed.init_process_group() before the scheduler is made"
            )
        broadcast = False
    return _runs_of(settings, os.getpid(), broadcast)


def check_answers(runs: Runs) -> None:
    """Raise ServerUnavailable if the server cannot be reached for 3 s."""
    if isinstance(runs, Client):
        runs.get_server(patience=_LOOK_SECONDS)


@cache
def _runs_of(settings: Settings, _pid: int, broadcast: bool) -> Runs:
    if settings.mode == "off":
        return LocalRuns()
    return BroadcastClient(settings.server) if broadcast else Client(settings.server)
