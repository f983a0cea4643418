"""What `scheduler.step()` costs beside torch's own, with the window being fetched in the background.

    python -m benchmarks.step [--steps 1000000] [--groups 1 2 8 100]

A server process, and in this one: torch's StepLR, RemoteLR and the drop-in, in alternating rounds. Between two steps
the job does nothing for as long as it takes to make a step last --pace microseconds, so that windows are fetched as
often as in a real job of that pace and horizon. Prints medians and 99.9th percentiles of a step in microseconds, as
ratios to torch's of the same run, and how many fetches were inside the measurement.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.optim import lr_scheduler as torch_schedulers

from lrkeeper import Client, RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from lrkeeper.torch import supply
from tests.support.server import ServerProcess

ROUNDS = 10
KINDS = ("torch", "RemoteLR", "drop-in")


def schedulers(groups: int, name: str) -> dict[str, Any]:
    """Return a scheduler of each kind, on an optimizer of its own."""
    made: dict[str, Callable[[torch.optim.Optimizer], Any]] = {
        "torch": lambda optimizer: torch_schedulers.StepLR(optimizer, 1000, gamma=0.999),
        "RemoteLR": lambda optimizer: RemoteLR(optimizer, S.StepLR(1000, gamma=0.999), run=f"{name}-remote"),
        "drop-in": lambda optimizer: lr_scheduler.StepLR(optimizer, 1000, gamma=0.999),
    }
    found = {}
    for kind, make in made.items():
        parameters = [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(groups)]
        optimizer = torch.optim.SGD(parameters, lr=0.1)
        found[kind] = make(optimizer)
        optimizer.step()
    return found


def measure(scheduler: Any, steps: int, pace: float) -> list[float]:
    """Return what each of the steps took, in microseconds."""
    clock, step = time.perf_counter, scheduler.step
    found = []
    for _ in range(steps):
        before = clock()
        step()
        after = clock()
        found.append(after - before)
        while clock() - before < pace:
            pass
    return [1e6 * seconds for seconds in found]


def percentile(values: Sequence[float], share: float) -> float:
    """Return a percentile of sorted values."""
    return values[min(len(values) - 1, int(share * len(values)))]


def compare(groups: int, steps: int, pace: float, name: str) -> None:
    """Measure one number of param groups and print a line a kind."""
    found = schedulers(groups, name)
    fetches = [0]
    call = supply.Supply._call

    def counted(*args: Any, **kwargs: Any) -> Any:
        fetches[0] += 1
        return call(*args, **kwargs)

    supply.Supply._call = counted  # type: ignore[method-assign]
    taken: dict[str, list[float]] = {kind: [] for kind in KINDS}
    inside = dict.fromkeys(KINDS, 0)
    try:
        for kind in KINDS:
            measure(found[kind], 2000, pace)  # until the windows have their size
        for _ in range(ROUNDS):
            for kind in KINDS:
                before = fetches[0]
                taken[kind] += measure(found[kind], steps // ROUNDS, pace)
                inside[kind] += fetches[0] - before
    finally:
        supply.Supply._call = call  # type: ignore[method-assign]
    own = sorted(taken["torch"])
    for kind in KINDS:
        values = sorted(taken[kind])
        median, high = percentile(values, 0.5), percentile(values, 0.999)
        print(
            f"{groups:6d} {kind:9s} median {median:7.2f} us = {median / percentile(own, 0.5):5.2f} x   "
            f"p99.9 {high:8.2f} us = {high / percentile(own, 0.999):5.2f} x   {inside[kind]} fetches",
            flush=True,
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--steps", type=int, default=1_000_000, help="steps of each kind, for each number of groups"
    )
    parser.add_argument("--groups", type=int, nargs="+", default=[1, 2, 8, 100])
    parser.add_argument("--pace", type=float, default=50.0, help="microseconds a step lasts at least")
    parser.add_argument("--window", type=int, default=900, help="steps ahead that are held, by the horizon")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        with ServerProcess(path / "runs.sqlite3", log=path / "server.log") as server:
            os.environ["LRKEEPER_SERVER"] = server.address
            pace = options.pace * 1e-6
            os.environ["LRKEEPER_HORIZON"] = str(options.window * pace)
            print(
                f"{options.steps} steps of each kind, {options.pace:.0f} us a step, windows of {options.window} steps"
            )
            for groups in options.groups:
                compare(groups, options.steps, pace, f"step-{groups}")
            with Client(server.address) as client:
                print(f"{sum(1 for _ in client.list_runs())} runs")


if __name__ == "__main__":
    main(sys.argv[1:])
