"""What a scheduler writes into its optimizer, step by step, as bits; and where it raises."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from random import Random
from typing import Any

import torch
from torch.optim import lr_scheduler as torch_schedulers

from lrkeeper import Client, views
from lrkeeper.torch import groups
from lrkeeper.torch.definitions import definition_of
from tests.parity.configurations import Configuration, Kind, configuration


@dataclass(frozen=True)
class Trace:
    """Each step's lrs as hex, and the exception's class that ended the trace."""

    rows: list[tuple[str, ...]]
    error: str


def hexes(optimizer: torch.optim.Optimizer) -> tuple[str, ...]:
    """Return the groups' lrs as they are."""
    return tuple(float(group["lr"]).hex() for group in optimizer.param_groups)


def stepped(module: Any, found: Configuration, steps: int) -> Trace:
    """Build the scheduler from a module with torch's names and call step()."""
    rows: list[tuple[str, ...]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = found.optimizer()
        try:
            scheduler = found.build(module, optimizer)
            rows.append(hexes(optimizer))
            for _ in range(steps):
                optimizer.step()
                scheduler.step()
                rows.append(hexes(optimizer))
        except Exception as error:
            return Trace(rows, type(error).__name__)
    return Trace(rows, "")


def served(client: Client, found: Configuration, steps: int, run: str) -> Trace:
    """Let a server evaluate all steps at once, from the definition that the scheduler has."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = found.optimizer()
        brought = found.optimizer()
        try:
            definition = definition_of(found.build(torch_schedulers, optimizer))
        except Exception as error:
            return Trace([], type(error).__name__)
    for group in brought.param_groups:
        lr = group["lr"]
        group["initial_lr"] = lr.clone() if isinstance(lr, torch.Tensor) else lr
    start = views.Start(run, "parity", groups.read(brought), definition)
    place = client.acquire_run(start)
    window = client.next_lr(place, 1, steps, applied_step=0, revision=place.revision)
    rows = [place.values.row(0)["lr"]]
    if window.table is not None:
        columns = [window.table.column(i) for i in range(window.table.groups)]
        rows += list(zip(*columns, strict=True))
    ended = window.failure.type if window.failure is not None else ""
    return Trace([tuple(value.hex() for value in row) for row in rows], ended)


def mismatches(client: Client, kind: Kind, seeds: range, steps: int, prefix: str) -> list[str]:
    """Compare torch's loop with a server's rows for every seed; return what differs."""
    found = []
    for seed in seeds:
        drawn = configuration(kind, Random(f"{kind}/{seed}"))
        theirs = stepped(torch_schedulers, drawn, steps)
        ours = served(client, drawn, steps, f"{prefix}-{kind}-{seed}")
        if ours != theirs:
            at = next(
                (i for i, (a, b) in enumerate(zip(ours.rows, theirs.rows, strict=False)) if a != b),
                min(len(ours.rows), len(theirs.rows)),
            )
            found.append(
                f"{kind} seed {seed}: from step {at}; {theirs.error or 'no error'} / {ours.error or 'none'}"
            )
    return found
