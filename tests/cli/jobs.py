"""Jobs as a server sees them: they take a run and ask for its steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from lrkeeper import Client, views
from lrkeeper.schedules import Schedule


def start(
    client: Client, run: str, schedule: Schedule | str, *, lrs: Sequence[float] = (0.1,), **more: Any
) -> views.Place:
    """Take a run for a start of a job."""
    groups = tuple(views.Group(None, "float64", {"lr": lr}, {"lr": lr}) for lr in lrs)
    return client.acquire_run(
        views.Start(run=run, incarnation=uuid4().hex, groups=groups, schedule=schedule, **more)
    )


def train(client: Client, place: views.Place, *, to: int) -> None:
    """Ask for the steps up to `to`, as many at once as there are."""
    step = place.resume_step
    while step < to:
        window = client.next_lr(place, step + 1, to - step, applied_step=step, revision=place.revision)
        assert window.table is not None
        step = window.table.end_step - 1


def trained(client: Client, run: str, schedule: Schedule | str, *, to: int, **more: Any) -> views.Place:
    """Take a run and go to a step."""
    place = start(client, run, schedule, **more)
    train(client, place, to=to)
    return place
