"""Client processes that step as fast as they are answered, and write down what they asked and got."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Self

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.views import Group, Start

_DEADLINE_SECONDS = 60.0
_processes = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Job:
    """One rank of a job, and what it brings: StepLR with a value of its own for every step."""

    run: str
    base_lr: float
    gamma: float
    rank: int = 0
    world_size: int = 1


@dataclass(frozen=True)
class Call:
    """A step that was asked for, and its answer. Times are nanoseconds of the machine's monotonic clock.

    `bits` is None if the run had not got so far: a rank may be one step ahead of the slowest.
    """

    client: int
    run_uid: str
    branch: int
    step: int
    asked: int
    answered: int
    bits: str | None
    frontier: int


class Steppers:
    """A process for each job, from when it is entered until `stop`."""

    def __init__(self, server: str, jobs: Sequence[Job], folder: Path) -> None:
        self._histories = [folder / f"client{number}.jsonl" for number in range(len(jobs))]
        self._stop = _processes.Event()
        self._answered = [_processes.Value("q") for _ in jobs]
        self._processes = [
            _processes.Process(
                target=step_on,
                args=(server, number, job, self._histories[number], self._answered[number], self._stop),
            )
            for number, job in enumerate(jobs)
        ]

    def answers(self) -> list[int]:
        """Return how many answers each client has had."""
        return [answered.value for answered in self._answered]

    def wait_for_answers(self, since: Sequence[int], clients: int) -> None:
        """Return once so many clients have had an answer more than `since`."""
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while sum(now > before for now, before in zip(self.answers(), since, strict=True)) < clients:
            assert all(process.is_alive() for process in self._processes), "a client has ended"
            assert time.monotonic() < deadline, f"answers were {since}, and are {self.answers()}"
            time.sleep(0.001)

    def stop(self) -> list[Call]:
        """Let every client have the answer it waits for and end; return all calls, client by client."""
        self._stop.set()
        for process in self._processes:
            process.join(_DEADLINE_SECONDS)
            assert process.exitcode == 0, f"a client has ended with {process.exitcode}"
        return [Call(**json.loads(line)) for path in self._histories for line in path.open()]

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.join()


def step_on(
    server: str, number: int, job: Job, history: Path, answered: Synchronized[int], stop: Event
) -> None:
    """Be a client: take the run, and ask for one step after the other until told to stop."""
    group = Group(None, "float64", {"lr": job.base_lr}, {"lr": job.base_lr})
    start = Start(
        run=job.run,
        incarnation=f"{job.run}-1",
        groups=(group,),
        schedule=S.StepLR(step_size=1, gamma=job.gamma),
        rank=job.rank,
        world_size=job.world_size,
    )
    with Client(server, patience=_DEADLINE_SECONDS) as client, history.open("w") as log:
        place = client.acquire_run(start)
        applied, revision = place.resume_step, place.revision
        while not stop.is_set():
            asked = time.monotonic_ns()
            window = client.next_lr(place, applied + 1, applied_step=applied, revision=revision)
            call = Call(
                client=number,
                run_uid=place.run_uid,
                branch=place.branch,
                step=applied + 1,
                asked=asked,
                answered=time.monotonic_ns(),
                bits=None if window.table is None else window.table.data.hex(),
                frontier=window.frontier,
            )
            log.write(json.dumps(asdict(call)) + "\n")
            answered.value += 1
            if window.table is None:
                stop.wait(0.002)  # for the slowest rank
            else:
                applied, revision = applied + 1, window.revision
