"""What steps cost that are not taken the quickest way: `python -m benchmarks.other_steps [--steps 4000]`.

Tensor lrs, several tracks, functions, and torch's classes that keep books of their own. Each beside torch's own class
in turn in one loop, as in `benchmarks.step`; medians in microseconds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.optim import lr_scheduler as torchs

from benchmarks.step import Job, measure
from lrkeeper import RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from tests.support.server import ServerProcess

_WARM = 1500
"""Steps until the windows have their size."""

WSD = S.Tracks(
    [
        S.Track(S.CosineAnnealingLR(10**6)),
        S.Track(S.CosineAnnealingLR(10**6), name="weight_decay"),
    ]
)


def falling(epoch: float) -> float:
    """Return a factor."""
    return float(0.9999**epoch)


def sequential(module: Any, optimizer: Any) -> Any:
    """Return two stages, of torch's classes or the drop-ins."""
    members = [module.LinearLR(optimizer), module.ExponentialLR(optimizer, 0.9999)]
    return module.SequentialLR(optimizer, members, [100])


Make = Callable[[Any], Any]
PAIRS: dict[str, tuple[Make, Make, bool]] = {
    "StepLR as RemoteLR, a tensor lr": (
        lambda o: torchs.StepLR(o, 1000),
        lambda o: RemoteLR(o, S.StepLR(1000)),
        True,
    ),
    "cosines for lr and weight decay as RemoteLR (torch: the lr alone)": (
        lambda o: torchs.CosineAnnealingLR(o, 10**6),
        lambda o: RemoteLR(o, WSD),
        False,
    ),
    "LambdaLR(pure=True) as RemoteLR": (
        lambda o: torchs.LambdaLR(o, falling),
        lambda o: RemoteLR(o, S.LambdaLR(falling, pure=True)),
        False,
    ),
    "OneCycleLR with momentum, drop-in": (
        lambda o: torchs.OneCycleLR(o, 0.4, total_steps=10**6),
        lambda o: lr_scheduler.OneCycleLR(o, 0.4, total_steps=10**6),
        False,
    ),
    "CosineAnnealingWarmRestarts, drop-in": (
        lambda o: torchs.CosineAnnealingWarmRestarts(o, 1000),
        lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 1000),
        False,
    ),
    "SequentialLR, drop-in": (
        lambda o: sequential(torchs, o),
        lambda o: sequential(lr_scheduler, o),
        False,
    ),
    "LambdaLR, drop-in: each step asks": (
        lambda o: torchs.LambdaLR(o, falling),
        lambda o: lr_scheduler.LambdaLR(o, falling),
        False,
    ),
}


def optimizer_of(*, tensor: bool) -> torch.optim.Optimizer:
    """Return an optimizer of one param group that has taken a step."""
    lr = torch.tensor(0.1) if tensor else 0.1
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr, momentum=0.9, weight_decay=0.01)
    optimizer.step()
    return optimizer


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--job", type=int, default=96, help="as of benchmarks.step")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    job = Job(options.job)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        with ServerProcess(path / "runs.sqlite3", log=path / "server.log") as server:
            os.environ["LRKEEPER_SERVER"] = server.address
            for name, (theirs, ours, tensor) in PAIRS.items():
                found = {
                    "torch": theirs(optimizer_of(tensor=tensor)),
                    "ours": ours(optimizer_of(tensor=tensor)),
                }
                measure(found, _WARM, job)
                taken = {
                    kind: 1e6 * statistics.median(t) for kind, t in measure(found, options.steps, job).items()
                }
                print(f"{name:66s} torch {taken['torch']:6.1f} us   {taken['ours']:8.1f} us", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
