"""Every drop-in beside torch's class in the same program, bit by bit: `python -m tests.parity.drop_ins`.

With `--server` a real server gives the values, else the same evaluators in this process.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import tempfile
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import torch

from lrkeeper import lr_scheduler
from tests.client.classes import TORCH, bits
from tests.parity.evaluators import built, modes_of
from tests.parity.plans import CLASSES
from tests.support.server import ServerProcess

STEPS = 200


def run(mode: str, cls: str, count: int, seed: int, steps: int = STEPS) -> list[str]:
    """Compare so many programs of a class; return what differs."""
    found = []
    for number in range(seed, seed + count):
        theirs, ours = (trace(module, mode, cls, number, steps) for module in (TORCH, lr_scheduler))
        if ours != theirs:
            step = next(i for i, pair in enumerate(zip(ours, theirs, strict=False)) if pair[0] != pair[1])
            found.append(f"{cls} {mode} seed {number} at {step}: {ours[step]} for {theirs[step]}")
    return found


def trace(module: Any, mode: str, cls: str, seed: int, steps: int) -> list[Any]:
    """Run a program drawn by the seed; return what the optimizer held after each step, and how it ended."""
    random = Random(f"{mode}/{cls}/{seed}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = built(mode, cls, random, module)
        if mode == "tensors":
            mode = random.choice([m for m in modes_of(cls) if m != "tensors"])
        program.restores = True  # a drop-in writes the checkpoint's lr where torch leaves a stale one
        found: list[Any] = [bits(program.optimizer)]
        resume_at = random.randint(1, steps // 2) if mode == "resume" else None
        for step in range(steps):
            if step == resume_at:
                try:
                    program.resume(step)
                except (ArithmeticError, NotImplementedError, ValueError) as error:
                    return [*found, type(error).__name__]
            error_name, _ = program.step(mode, ("lr",))
            if error_name or any(math.isnan(group["lr"]) for group in program.optimizer.param_groups):
                return [*found, error_name or "ValueError"]  # a nan is never committed
            found.append(
                (bits(program.optimizer), [float(lr).hex() for lr in program.scheduler.get_last_lr()])
            )
    return found


def main() -> int:
    """Compare everything, and print a table; return 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3000, help="programs of each class that only step")
    parser.add_argument("--rest", type=int, default=500, help="programs of each other mode")
    parser.add_argument("--jobs", type=int, default=2, help="processes that train")
    parser.add_argument("--server", action="store_true", help="through a real server: takes longer")
    options = parser.parse_args()
    if not options.server:
        os.environ["LRKEEPER_MODE"] = "off"
        return compare(options.count, options.rest, options.jobs)
    os.environ["LRKEEPER_MODE"] = "on"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with ServerProcess(folder / "runs.sqlite3", log=folder / "log") as server:
            os.environ["LRKEEPER_SERVER"] = server.address
            return compare(options.count, options.rest, options.jobs)


def compare(count: int, rest: int, jobs: int) -> int:
    """Compare so many programs of each class that only step, and of each other mode."""
    begun, total, bad = time.monotonic(), 0, 0
    print(f"{'class':<30} {'mode':<8} {'programs':>9} {'mismatches':>10}")
    with ProcessPoolExecutor(jobs) as pool:
        for cls in CLASSES:
            for mode in (*modes_of(cls), "groups"):
                whole = count if mode == "step" else rest
                pieces = [(min(100, whole - start), start) for start in range(0, whole, 100)]
                futures = [pool.submit(run, mode, cls, n, start) for n, start in pieces]
                found = [line for future in futures for line in future.result()]
                print(f"{cls:<30} {mode:<8} {whole:>9} {len(found):>10}", *found[:5], sep="\n  ", flush=True)
                total, bad = total + whole, bad + len(found)
    print(f"torch {torch.__version__}: {total} programs × {STEPS} steps, {bad} mismatches", end=" ")
    print(f"({time.monotonic() - begun:.0f} s)")
    return 1 if bad else 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(main())
