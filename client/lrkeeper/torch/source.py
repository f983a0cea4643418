"""Where a scheduler's values come from: a server, or this process."""

from __future__ import annotations

import os
from functools import cache
from typing import Protocol

from lrkeeper import views
from lrkeeper.client import Client
from lrkeeper.local import LocalRuns
from lrkeeper.schedules.given import Given
from lrkeeper.settings import Settings


class Runs(Protocol):
    """What a job asks of a server."""

    def acquire_run(self, start: views.Start, *, patience: float | None = None) -> views.Place: ...

    def next_lr(
        self,
        place: views.Place,
        from_step: int,
        count: int = 1,
        *,
        applied_step: int,
        revision: int,
        given: Given = ...,
        patience: float | None = None,
    ) -> views.Window: ...


_LOOK_SECONDS = 3.0  # a server restarts meanwhile, and one that is not there is told of soon


def runs_of(settings: Settings) -> Runs:
    """Return the way to a server, one a process; raises ServerUnavailable if it cannot be reached for 3 s."""
    runs = _runs_of(settings, os.getpid())
    if isinstance(runs, Client):
        runs.get_server(patience=_LOOK_SECONDS)
    return runs


@cache
def _runs_of(settings: Settings, _pid: int) -> Runs:
    if settings.mode == "off":
        return LocalRuns()
    return Client(settings.server)
