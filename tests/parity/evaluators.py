"""Every evaluator beside torch's own step() loop, bit by bit: `python -m tests.parity.evaluators`."""

from __future__ import annotations

import argparse
import copy
import struct
import sys
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

import torch

from lrkeeper.schedules import codec
from lrkeeper.schedules.cursor import Cursor, extend
from lrkeeper.schedules.given import Given, Inputs
from lrkeeper.schedules.numbers import Row
from lrkeeper.schedules.schedule import Schedule
from lrkeeper.torch.definitions import definition_of
from lrkeeper.torch.memories import base_of, memory_of, row_of
from tests.client.classes import TORCH
from tests.parity.plans import CLASSES, COMPOSITES, Configuration, configuration, with_tensors

STEPS = 200
MODES = ("step", "float32", "resume", "edits", "tensors", "epoch")


def modes_of(cls: str) -> tuple[str, ...]:
    """Return the modes in which a class is compared: composites take no epoch."""
    return MODES[:5] if cls in COMPOSITES else MODES


def run(mode: str, cls: str, count: int, seed: int) -> list[str]:
    """Compare so many configurations of a class; return what differs."""
    found = []
    for number in range(seed, seed + count):
        problem = _compared(mode, cls, Random(f"{mode}/{cls}/{number}"))
        if problem:
            found.append(f"{cls} {mode} seed {number}: {problem}")
    return found


def bits(row: Row) -> dict[str, bytes]:
    return {track: struct.pack(f"<{len(values)}d", *values) for track, values in row.items()}


@dataclass
class _Ours:
    """One evaluation: it goes on by its cursor."""

    schedule: Schedule
    base: Row
    cursor: Cursor

    @classmethod
    def read(cls, scheduler: Any, step: int) -> _Ours:
        """Take a live scheduler over, through the texts of its definition and cursor."""
        schedule = codec.from_json(codec.to_json(definition_of(scheduler)))
        base = base_of(scheduler.optimizer, schedule.moves)
        cursor = Cursor(step, memory_of(scheduler), row_of(scheduler.optimizer, schedule.moves))
        return cls(schedule, base, Cursor.from_json(cursor.to_json(base), base))

    def step(self, given: Given) -> str:
        """Go on; return the name of the exception that there was, if any."""
        self.cursor, _, failure = extend(self.schedule, self.base, self.cursor, 1, given)
        return failure.type if failure else ""


@dataclass
class Program:
    """A training loop with a module's schedulers: torch's own, or drop-ins."""

    drawn: Configuration
    random: Random
    module: Any = field(default_factory=lambda: TORCH)
    restores: bool = False
    """Whether a checkpoint's optimizer is always restored, not only nearly always."""
    factors: list[float] = field(default_factory=list)
    optimizer: torch.optim.Optimizer = field(init=False)
    scheduler: Any = field(init=False)

    def build(self, optimizer: torch.optim.Optimizer | None = None, **more: Any) -> None:
        self.optimizer = self.drawn.optimizer() if optimizer is None else optimizer
        self.factors.clear()
        self.scheduler = self.drawn.plan.build(self.optimizer, self.factors, self.module, **more)

    def step(self, mode: str, tracks: tuple[str, ...]) -> tuple[str, Given]:
        """Step; return the name of the exception that there was, if any, and what was given."""
        self.factors.clear()
        arguments: dict[str, Any] = {}
        seen = None
        if mode == "edits" and self.random.random() < 0.05:
            self.edit()
            seen = row_of(self.optimizer, tracks)
        if mode == "groups" and self.random.random() < 0.02:
            self.unfreeze()
        if mode == "epoch" and self.random.random() < 0.3:
            arguments["epoch"] = self.epoch()
        if self.drawn.plan.name == "ReduceLROnPlateau":
            arguments["metrics"] = self.metric()
        error = ""
        try:
            self.scheduler.step(**arguments)
        except Exception as raised:
            error = type(raised).__name__
        return error, Given(arguments.get("metrics"), arguments.get("epoch"), tuple(self.factors), seen)

    def edit(self) -> None:
        group = self.random.choice(self.optimizer.param_groups)
        lr = self.random.choice([0.0, self.random.uniform(0, 0.3)])
        if isinstance(group["lr"], torch.Tensor):
            group["lr"].fill_(lr)
        else:
            group["lr"] = lr

    def unfreeze(self) -> None:
        """Add a param group, as a job does that trains its layers one after another."""
        lr = self.drawn.number(self.random.uniform(1e-4, 0.5))
        self.optimizer.add_param_group({"params": [torch.zeros(1, requires_grad=True)], "lr": lr})

    def epoch(self) -> float:
        if self.drawn.plan.name == "CosineAnnealingWarmRestarts" and self.random.random() < 0.4:
            return self.random.uniform(-0.5, 250)
        return self.random.choice([0, 1, self.random.randint(0, 40), self.random.randint(0, 250)])

    def metric(self) -> float:
        r = self.random
        return r.choice(
            [r.gauss(0, 1), r.uniform(0.9, 1.1), float("nan") if r.random() < 0.2 else r.random()]
        )

    def resume(self, step: int) -> None:
        """Go on with fresh objects, restored as checkpoints are, or built for an epoch."""
        states = copy.deepcopy((self.optimizer.state_dict(), self.scheduler.state_dict()))
        takes_epoch = self.drawn.plan.name not in ("ReduceLROnPlateau", "ChainedScheduler", "SequentialLR")
        if takes_epoch and self.random.random() < 0.4:
            optimizer = self.drawn.optimizer()
            optimizer.load_state_dict(states[0])
            self.build(optimizer, last_epoch=self.random.choice([step, step - 1, self.random.randint(0, 80)]))
            return
        self.build()
        if self.random.random() < 0.9 or self.restores:
            self.optimizer.load_state_dict(states[0])
        self.scheduler.load_state_dict(states[1])


def _compared(mode: str, cls: str, random: Random) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = built(mode, cls, random)
        if mode == "tensors":
            mode = random.choice([m for m in modes_of(cls) if m != "tensors"])
        return _difference(mode, theirs, random)


def built(mode: str, cls: str, random: Random, module: Any = TORCH) -> Program:
    """Draw until the constructor takes it."""
    while True:
        drawn = configuration(cls, random)
        if mode == "float32":
            drawn = replace(drawn, dtype=mode)
        theirs = Program(with_tensors(drawn, random) if mode == "tensors" else drawn, random, module)
        try:
            theirs.build()
        except (ArithmeticError, NotImplementedError, ValueError):
            continue
        return theirs


def _difference(mode: str, theirs: Program, random: Random) -> str:
    kept = [_Ours.read(theirs.scheduler, 0)]
    tracks = kept[0].schedule.moves
    kept.append(_from_builder(theirs, tracks))
    resume_at = random.randint(1, STEPS // 2) if mode == "resume" else None
    for step in range(STEPS + 1):
        truth = bits(row_of(theirs.optimizer, tracks))
        for place, ours in enumerate(kept):
            if bits(ours.cursor.row) != truth:
                return f"{_WAYS[place]} differs at step {step}: {theirs.drawn}"
        if step == resume_at:
            try:
                theirs.resume(step)
            except (ArithmeticError, NotImplementedError, ValueError):
                return ""  # torch's constructor refuses to start there
            kept = [_Ours.read(theirs.scheduler, step)]
            if bits(kept[0].cursor.row) != bits(row_of(theirs.optimizer, tracks)):
                return f"the row read differs at step {step}"
        error, given = theirs.step(mode, tracks)
        given = Given.from_json(given.to_json())
        for place, ours in enumerate(kept):
            failed = ours.step(given)
            if failed != error:
                return f"{_WAYS[place]} at step {step + 1}: {failed or 'none'} for {error or 'none'}: {theirs.drawn}"
        if error or any(lr != lr for lr in row_of(theirs.optimizer, tracks)["lr"]):
            return ""  # a nan is never committed
        if random.random() < 0.02:
            kept[0].cursor = Cursor.from_json(kept[0].cursor.to_json(kept[0].base), kept[0].base)
    return ""


_WAYS = ("what was read", "what was built")


def _from_builder(theirs: Program, tracks: tuple[str, ...]) -> _Ours:
    """Start as a builder's schedule does, on the param groups as they were before."""
    schedule = theirs.drawn.plan.schedule()
    now = row_of(theirs.drawn.optimizer(), tracks)
    start = schedule.start(now, now, Inputs(Given(factors=tuple(theirs.factors))))
    return _Ours(schedule, now, Cursor(0, *start))


def _pieces(count: int, rest: int, size: int = 250) -> Iterator[tuple[str, str, int, int]]:
    for cls in CLASSES:
        for mode in modes_of(cls):
            whole = count if mode == "step" else rest
            for start in range(0, whole, size):
                yield mode, cls, min(size, whole - start), start


def main() -> int:
    """Compare everything, and print a table; return 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3000, help="configurations of each class by step()")
    parser.add_argument("--rest", type=int, default=500, help="configurations in each other mode")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    begun = time.monotonic()
    totals: dict[tuple[str, str], list[int]] = {}
    examples: list[str] = []
    with ProcessPoolExecutor(options.jobs) as pool:
        pieces = list(_pieces(options.count, options.rest))
        futures = [pool.submit(run, mode, cls, n, start + options.seed) for mode, cls, n, start in pieces]
        for (mode, cls, n, _), future in zip(pieces, futures, strict=True):
            found = future.result()
            total = totals.setdefault((cls, mode), [0, 0])
            total[0], total[1] = total[0] + n, total[1] + len(found)
            examples += found[:3]
    print(f"{'class':<30} {'mode':<8} {'configurations':>14} {'mismatches':>10}")
    for (cls, mode), (n, bad) in totals.items():
        print(f"{cls:<30} {mode:<8} {n:>14} {bad:>10}")
    n, bad = (sum(total[i] for total in totals.values()) for i in (0, 1))
    print(f"torch {torch.__version__}: {n} configurations × {STEPS} steps, {bad} mismatches", end=" ")
    print(f"({time.monotonic() - begun:.0f} s)")
    print(*examples[:40], sep="\n")
    return 1 if bad else 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
