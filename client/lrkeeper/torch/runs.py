"""What a scheduler asks for its values: a server, or this process."""

from __future__ import annotations

from typing import Protocol

from lrkeeper import views
from lrkeeper.schedules.given import Given


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
        frontier: int | None = None,
        patience: float | None = None,
    ) -> views.Window: ...
