"""Starts of jobs, and the steps they take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import uuid4

import torch

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.schedules.table import Table
from lrkeeper.views import Checkpoint, Group, Origin, Place, Start, Window

HALVING = S.StepLR(step_size=1, gamma=0.5)
SLOW = S.StepLR(step_size=1, gamma=0.999)

Build = Callable[[torch.optim.Optimizer], torch.optim.lr_scheduler.LRScheduler]
Bits = list[tuple[str, ...]]

_numbers = count(1)


def new_name(what: str = "run") -> str:
    """Return a name that nothing has."""
    return f"{what}-{next(_numbers)}-{uuid4().hex[:8]}"


def a_group(lr: float = 0.1, **fields: Any) -> Group:
    """Return a param group of one base lr."""
    return Group(
        **{"name": None, "number": "float64", "initial": {"lr": lr}, "current": {"lr": lr}, **fields}
    )


def a_start(run: str, **fields: Any) -> Start:
    """Return a start with an incarnation of its own."""
    values: dict[str, Any] = {
        "incarnation": uuid4().hex,
        "groups": (a_group(),),
        "schedule": HALVING,
        **fields,
    }
    return Start(run, **values)


def begun(client: Client, **fields: Any) -> Place:
    """Return a new run's place."""
    return client.acquire_run(a_start(new_name(), **fields))


def ask(client: Client, place: Place, step: int, count: int = 1, *, applied: int | None = None) -> Window:
    """Ask for steps, as a rank does that stands before the first of them."""
    return client.next_lr(
        place, step, count, applied_step=step - 1 if applied is None else applied, revision=place.revision
    )


def stepped(client: Client, place: Place, to: int) -> Place:
    """Commit a run's steps up to and with `to`, in calls as large as the server takes; return its place."""
    frontier = place.frontier
    while frontier <= to:
        window = ask(client, place, frontier, to + 1 - frontier)
        assert window.frontier > frontier, window.failure
        frontier = window.frontier
    return place


def read(client: Client, place: Place, first: int, end: int) -> Bits:
    """Return the bits of the committed steps in [first, end)."""
    found: Bits = []
    while first + len(found) < end:
        window = ask(client, place, first + len(found), end - first - len(found))
        assert window.table is not None
        found += bits(window.table)
    return found


def checkpoint_of(place: Place, step: int) -> Checkpoint:
    """Return a checkpoint that a job took at a step."""
    return Checkpoint(place.run_uid, place.branch, step)


def origin_of(place: Place, window: Window, step: int) -> Origin:
    """Return what a checkpoint at a step of a window carries."""
    assert window.table is not None
    return Origin(
        window.schedule or place.schedule, window.cursor, window.cursor_step, window.table.cut(step, step + 1)
    )


def at_rank(place: Place, rank: int) -> Place:
    """Return the place of another rank of the same start."""
    return replace(place, rank=rank)


def bits(table: Table | None) -> Bits:
    """Return a table's lrs step by step, as hexadecimal floats."""
    assert table is not None
    columns = [table.column(i) for i in range(table.groups)]
    return [tuple(value.hex() for value in row) for row in zip(*columns, strict=True)]


def torch_bits(build: Build, steps: int, base_lrs: Sequence[float] = (0.1,)) -> Bits:
    """Return the lrs of torch's own scheduler at the steps from 0 on and below `steps`."""
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": lr} for lr in base_lrs]
    optimizer = torch.optim.SGD(groups, lr=0.1)
    scheduler = build(optimizer)
    found = []
    for _ in range(steps):
        found.append(tuple(float(group["lr"]).hex() for group in optimizer.param_groups))
        optimizer.step()
        scheduler.step()
    return found


def torch_step(gamma: float, step_size: int = 1) -> Build:
    """Return a builder of torch's StepLR."""
    return lambda optimizer: torch.optim.lr_scheduler.StepLR(optimizer, step_size, gamma)
