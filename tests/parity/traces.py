"""What an optimizer steps with under a scheduler, step by step, as bits; and where that raises."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import torch
from torch.optim import lr_scheduler as torch_schedulers

from lrkeeper import RemoteLR, lr_scheduler
from lrkeeper.torch.definitions import definition_of
from tests.parity.configurations import Configuration, Kind, configuration

Build = Callable[[Configuration, torch.optim.Optimizer], Any]
"""Returns a configuration's scheduler on an optimizer."""


@dataclass(frozen=True)
class Trace:
    """The lrs of each of the optimizer's steps as hex, and the exception's class that ended the trace."""

    rows: list[tuple[str, ...]]
    error: str


@dataclass
class Tally:
    """What was compared. Only configurations that torch takes through all steps are `complete`."""

    complete: int = 0
    moving: int = 0
    """Those of them that moved an lr at least once."""
    failing: int = 0
    differing: list[str] = field(default_factory=list)

    def __iadd__(self, other: Tally) -> Tally:
        self.complete += other.complete
        self.moving += other.moving
        self.failing += other.failing
        self.differing += other.differing
        return self


def _torchs(found: Configuration, optimizer: torch.optim.Optimizer) -> Any:
    return found.build(torch_schedulers, optimizer)


def _drop_in(found: Configuration, optimizer: torch.optim.Optimizer) -> Any:
    return found.build(lr_scheduler, optimizer)


def _remote(found: Configuration, optimizer: torch.optim.Optimizer) -> Any:
    return RemoteLR(optimizer, definition_of(_torchs(found, found.optimizer())))


SHAPES: dict[str, Build] = {"drop-in": _drop_in, "RemoteLR": _remote}
"""The two ways to have a server keep a scheduler's lr."""


def hexes(optimizer: torch.optim.Optimizer) -> tuple[str, ...]:
    """Return the groups' lrs as they are."""
    return tuple(float(group["lr"]).hex() for group in optimizer.param_groups)


def stepped(found: Configuration, build: Build, steps: int) -> Trace:
    """Train for so many steps of the scheduler, and one step of the optimizer with what the last one gave.

    The lrs are looked at where the optimizer begins its step: after whatever the scheduler does there.
    """
    rows: list[tuple[str, ...]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = found.optimizer()
        try:
            scheduler = build(found, optimizer)
            optimizer.register_step_pre_hook(lambda *_: rows.append(hexes(optimizer)))
            optimizer.step()
            for _ in range(steps):
                scheduler.step()
                optimizer.step()
        except Exception as error:
            return Trace(rows, type(error).__name__)
    return Trace(rows, "")


def compared(kind: Kind, numbers: range, steps: int) -> Tally:
    """Compare both shapes with torch's loop: for each number one that goes through, and all drawn before it."""
    tally = Tally()
    for number in numbers:
        random = Random(f"{kind}/{number}")
        error = "none yet"
        while error:
            drawn = configuration(kind, random)
            theirs = stepped(drawn, _torchs, steps)
            for shape, build in SHAPES.items():
                if (ours := stepped(drawn, build, steps)) != theirs:
                    tally.differing.append(f"{kind} {number}, {shape}: {_difference(ours, theirs)}")
            error = theirs.error
            tally.failing += bool(error)
        tally.complete += 1
        tally.moving += len(set(theirs.rows)) > 1
    return tally


def _difference(ours: Trace, theirs: Trace) -> str:
    ends = min(len(ours.rows), len(theirs.rows))
    at = next((i for i in range(ends) if ours.rows[i] != theirs.rows[i]), ends)
    return f"from step {at}; {ours.error or 'no error'} for {theirs.error or 'none'}"
