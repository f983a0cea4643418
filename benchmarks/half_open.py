"""How long a job feels a connection that was cut unnoticed: `python -m benchmarks.half_open [CUTS]`.

Step by step: the time of the step after each cut. With a window: the time from a cut until the run goes on, and the
longest step meanwhile. Exits with 1 if a connection took longer than 10 s to come back.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from lrkeeper import Client, RemoteLR
from lrkeeper import schedules as S
from tests.client.cable import Cable, cable_to
from tests.support.server import ServerProcess

_WANTED = 10.0
_HORIZON, _STEP = 2.0, 0.005  # seconds


class Job:
    """An optimizer whose lr comes through a cable."""

    def __init__(self, cable: Cable, horizon: float) -> None:
        self._optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        self.scheduler = RemoteLR(
            self._optimizer, S.StepLR(10), server=cable.address, horizon=horizon, on_outage="wait"
        )

    def step(self) -> float:
        """Make a step; return how long the scheduler's took."""
        self._optimizer.step()
        started = time.monotonic()
        self.scheduler.step()
        return time.monotonic() - started


def step_by_step(cable: Cable, cuts: int) -> list[float]:
    """Return the seconds of the step after each cut."""
    job, taken = Job(cable, 0.0), []
    for _ in range(cuts):
        job.step()  # there is a connection
        cable.cut()
        taken.append(job.step())
    return taken


def with_window(cable: Cable, client: Client, cuts: int) -> tuple[list[float], list[float]]:
    """Return the seconds from each cut until the run went on, and the longest step meanwhile."""
    job, back, longest = Job(cable, _HORIZON), [], []
    for _ in range(1000):
        time.sleep(_STEP)
        job.step()
    run = job.scheduler.state_dict()["lrkeeper"]["run"]
    for _ in range(cuts):
        cable.cut()
        cut, before, steps = time.monotonic(), client.get_run(run).frontier, [0.0]
        while client.get_run(run).frontier == before:
            time.sleep(_STEP)
            steps.append(job.step())
        back.append(time.monotonic() - cut)
        longest.append(max(steps))
    return back, longest


def main(cuts: int) -> int:
    """Print the figures; return the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        database, log = Path(folder, "runs.sqlite3"), Path(folder, "server.log")
        with ServerProcess(database, log=log) as server, Client(server.address) as client:
            with cable_to(server.address) as cable:
                alone = step_by_step(cable, cuts)
            with cable_to(server.address) as cable:
                back, longest = with_window(cable, client, cuts)
    for name, taken in (
        ("step by step, the step", alone),
        ("with a window, until the run goes on", back),
        ("with a window, the longest step", longest),
    ):
        print(f"{cuts} cuts; {name}: median {statistics.median(taken):.1f} s, at most {max(taken):.1f} s")
    return int(max(*alone, *back) > _WANTED)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
