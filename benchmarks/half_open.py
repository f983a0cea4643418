"""How long a step takes after its connection was cut unnoticed: `python -m benchmarks.half_open [CUTS]`."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from lrkeeper import RemoteLR
from lrkeeper import schedules as S
from tests.client.cable import cable_to
from tests.support.server import ServerProcess


def main(cuts: int) -> None:
    """Cut the cable before each of a job's steps, and time the step."""
    taken = []
    with tempfile.TemporaryDirectory() as folder:
        database, log = Path(folder, "runs.sqlite3"), Path(folder, "server.log")
        with ServerProcess(database, log=log) as server, cable_to(server.address) as cable:
            optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
            scheduler = RemoteLR(optimizer, S.StepLR(10), server=cable.address)
            for _ in range(cuts):
                optimizer.step()
                scheduler.step()  # there is a connection
                cable.cut()
                started = time.monotonic()
                optimizer.step()
                scheduler.step()
                taken.append(time.monotonic() - started)
    print(f"{cuts} cuts; median {statistics.median(taken):.1f} s, at most {max(taken):.1f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
