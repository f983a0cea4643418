"""How long a job feels a connection that was cut unnoticed: `python -m benchmarks.half_open [CUTS]`.

Step by step: the time of the step after each cut. With a window: the time from the first fetch after a cut until there
is an answer, and the longest step meanwhile. Exits with 1 if a connection took longer than 10 s to come back.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

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


class Fetches:
    """When the calls of NextLr began, and when they were answered."""

    def __init__(self) -> None:
        call = Client.next_lr
        self._begun: list[float] = []
        self._answered: list[tuple[float, float]] = []

        def noted(client: Client, *args: Any, **options: Any) -> Any:
            begun = time.monotonic()
            self._begun.append(begun)
            window = call(client, *args, **options)
            self._answered.append((begun, time.monotonic()))
            return window

        Client.next_lr = noted  # type: ignore[method-assign, assignment]

    def seconds_since(self, cut: float) -> float | None:
        """Return how long it took from the first call after a time until one that began after it was answered."""
        answers = [at for begun, at in self._answered if begun >= cut]
        return min(answers) - min(begun for begun in self._begun if begun >= cut) if answers else None


def with_window(cable: Cable, cuts: int) -> tuple[list[float], list[float]]:
    """Return the seconds from the first fetch after each cut until one was answered, and the longest step meanwhile."""
    fetches, job, back, longest = Fetches(), Job(cable, _HORIZON), [], []
    for _ in range(1000):
        time.sleep(_STEP)
        job.step()
    for _ in range(cuts):
        cable.cut()
        at, steps = time.monotonic(), [0.0]
        while (taken := fetches.seconds_since(at)) is None:
            time.sleep(_STEP)
            steps.append(job.step())
        back.append(taken)
        longest.append(max(steps))
    return back, longest


def main(cuts: int) -> int:
    """Print the figures; return the exit status."""
    with tempfile.TemporaryDirectory() as folder:
        database, log = Path(folder, "runs.sqlite3"), Path(folder, "server.log")
        with ServerProcess(database, log=log) as server:
            with cable_to(server.address) as cable:
                alone = step_by_step(cable, cuts)
            with cable_to(server.address) as cable:
                back, longest = with_window(cable, cuts)
    for name, taken in (
        ("step by step, the step", alone),
        ("with a window, the fetch", back),
        ("with a window, the longest step", longest),
    ):
        print(f"{cuts} cuts; {name}: median {statistics.median(taken):.1f} s, at most {max(taken):.1f} s")
    return int(max(*alone, *back) > _WANTED)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
