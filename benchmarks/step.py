"""What `scheduler.step()` costs beside torch's own, with the window being fetched in the background.

    python -m benchmarks.step [--steps 1000000] [--groups 1 2 8 100]

Exits with 1 where a figure is above its goal, or a call was made by the thread that steps.

A server process, and in this one a loop as a training job has it: before each step a piece of work in C++ without the
interpreter's lock, so that the background's fetches run when they would in a job. torch's StepLR, and RemoteLR or the
drop-in, step in turn in the same loop, so that whatever disturbs one disturbs the other. The horizon is set to about
--window steps. Prints percentiles of a step in microseconds and as ratios to torch's of the same loop, and how many
fetches were inside the measurement.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import threading
import time
import warnings
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.optim import lr_scheduler as torch_schedulers

from lrkeeper import RemoteLR, lr_scheduler
from lrkeeper import client as clients
from lrkeeper import schedules as S
from tests.support.server import ServerProcess

KINDS = ("torch", "RemoteLR", "drop-in")
GOALS = {"RemoteLR": 0.5, "drop-in": 1.3}
"""The median, and the 99.9th percentile, beside torch's own StepLR."""


def schedulers(kinds: Sequence[str], groups: int, name: str) -> dict[str, Any]:
    """Return a scheduler of each of some kinds, on an optimizer of its own."""
    made: dict[str, Callable[[torch.optim.Optimizer], Any]] = {
        "torch": lambda optimizer: torch_schedulers.StepLR(optimizer, 1000, gamma=0.999),
        "RemoteLR": lambda optimizer: RemoteLR(optimizer, S.StepLR(1000, gamma=0.999), run=f"{name}-remote"),
        "drop-in": lambda optimizer: lr_scheduler.StepLR(optimizer, 1000, gamma=0.999),
    }
    found = {}
    for kind in kinds:
        parameters = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(groups)]
        optimizer = torch.optim.SGD(parameters, lr=0.1)
        found[kind] = made[kind](optimizer)
        optimizer.step()
    return found


class Job:
    """What a training job does between two steps of its scheduler: work in C++ without the interpreter's lock."""

    def __init__(self, size: int) -> None:
        generator = torch.Generator().manual_seed(0)
        self._a, self._b = (torch.randn(size, size, generator=generator) for _ in "ab")
        self._out = torch.empty(size, size)

    def __call__(self) -> None:
        torch.mm(self._a, self._b, out=self._out)


def measure(found: dict[str, Any], steps: int, job: Job) -> dict[str, array[float]]:
    """Return what each step took, in seconds: all kinds in turn, each after a piece of work of its own."""
    clock = time.perf_counter
    taken = {kind: array("d") for kind in found}
    pairs = [(scheduler.step, taken[kind].append) for kind, scheduler in found.items()]
    for _ in range(steps):
        for step, note in pairs:
            job()
            before = clock()
            step()
            note(clock() - before)
    return taken


def percentile(values: Sequence[float], share: float) -> float:
    """Return a percentile of sorted values."""
    return values[min(len(values) - 1, int(share * len(values)))]


def compare(kind: str, groups: int, steps: int, job: Job, name: str) -> bool:
    """Measure one kind and one number of param groups, and print a line for torch's and one for the kind's.

    Return whether the goals are met.
    """
    found = schedulers(("torch", kind), groups, name)
    fetches: Counter[int] = Counter()  # by thread
    call = clients.Client.next_lr

    def counted(*args: Any, **options: Any) -> Any:
        fetches[threading.get_ident()] += 1
        return call(*args, **options)

    clients.Client.next_lr = counted  # type: ignore[method-assign]
    try:
        measure(found, 5000, job)  # until the windows have their size
        fetches.clear()
        taken = measure(found, steps, job)
    finally:
        clients.Client.next_lr = call  # type: ignore[method-assign]
    own, here = sorted(taken["torch"]), fetches.pop(threading.get_ident(), 0)
    met = here == 0
    for each, times in taken.items():
        values = sorted(times)
        shares = [(percentile(values, share), percentile(own, share)) for share in (0.5, 0.99, 0.999)]
        figures = "   ".join(f"{1e6 * value:7.2f} us = {value / base:4.2f} x" for value, base in shares)
        told = "" if each == "torch" else f"   {fetches.total()} fetches, {here} by the thread that steps"
        print(f"{groups:6d} {each:9s} {figures}{told}", flush=True)
        met &= all(value <= GOALS.get(each, 1.0) * base for value, base in (shares[0], shares[2]))
    return met


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the comparison; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--steps", type=int, default=1_000_000, help="steps of each kind, for each number of groups"
    )
    parser.add_argument("--groups", type=int, nargs="+", default=[1, 2, 8, 100])
    parser.add_argument(
        "--job", type=int, default=96, help="n of the n x n matrices multiplied before a step"
    )
    parser.add_argument(
        "--window",
        type=int,
        help="steps ahead that are held, by the horizon; 1800 if absent, with 100 groups and more 1400",
    )
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)  # the other core is the server's
    job = Job(options.job)
    met = True
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        with ServerProcess(path / "runs.sqlite3", log=path / "server.log") as server:
            os.environ["LRKEEPER_SERVER"] = server.address
            print(
                f"{options.steps} steps of each kind; median, 99th and 99.9th percentile, as ratios to torch's"
            )
            for groups in options.groups:
                pace = seconds_a_round(groups, job)
                window = options.window or (1800 if groups < 100 else 1400)
                os.environ["LRKEEPER_HORIZON"] = str(window * pace)
                for kind in KINDS[1:]:
                    met &= compare(kind, groups, options.steps, job, f"step-{groups}")
    return int(not met)


def seconds_a_round(groups: int, job: Job) -> float:
    """Return about how long it takes until the next step of the same scheduler."""
    parameters = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(groups)]
    optimizer = torch.optim.SGD(parameters, lr=0.1)
    optimizer.step()
    scheduler = torch_schedulers.StepLR(optimizer, 1000)
    before, rounds = time.perf_counter(), 3000
    measure(dict.fromkeys(KINDS[:2], scheduler), rounds, job)
    return (time.perf_counter() - before) / rounds


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
