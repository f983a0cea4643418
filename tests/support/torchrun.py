"""A job under torchrun, whose ranks tests/e2e/rank_job.py are: real processes, to be killed, paused and held."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import psutil

JOB = Path(__file__).parent.parent / "e2e" / "rank_job.py"

_PATIENCE = 120.0

Lrs = tuple[str, ...]


class Torchrun:
    """A start of the job, between `with` and its end.

    Args:
        folder: of this start alone: notes, gate and log.
        ranks: how many.
        arguments: the job's, besides the folder.
        restarts: how often torchrun starts the group again.
        environment: the ranks', besides ours without a word on lrkeeper.
    """

    def __init__(
        self, folder: Path, ranks: int, *arguments: str, restarts: int = 0, **environment: str
    ) -> None:
        self.folder, self.ranks = folder, ranks
        self._command = (
            *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--monitor-interval", "0.1"),
            *("--nproc-per-node", str(ranks), "--max-restarts", str(restarts), str(JOB), str(folder)),
            *arguments,
        )
        ours = {name: value for name, value in os.environ.items() if not name.startswith("LRKEEPER_")}
        # torchrun's own store outlives a restart, and then gloo may find addresses of the processes before (torch's
        # issue 135712).
        fresh_store = {"TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"}
        self._environment = {**ours, **fresh_store, "OMP_NUM_THREADS": "1", **environment}
        self._process: subprocess.Popen[bytes] | None = None
        self._read: dict[Path, tuple[int, list[dict[str, Any]]]] = {}

    @property
    def log(self) -> str:
        """What torchrun and the ranks wrote."""
        return (self.folder / "log").read_text()

    def open_to(self, step: int) -> None:
        """Let the ranks take the steps below one."""
        part = self.folder / "gate.part"
        part.write_text(str(step))
        part.rename(self.folder / "gate")

    def __enter__(self) -> Self:
        self.folder.mkdir()
        self.open_to(0)
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=subprocess.STDOUT, env=self._environment
            )
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.kill()
        if kind is not None:
            print(f"---- {self.folder}\n{self.log}")
            for path, notes in sorted(self._all().items()):
                print(f"---- {path.name}", *notes[-8:], sep="\n")

    def kill(self) -> None:
        """SIGKILL to torchrun and all ranks; return when they are gone."""
        process = self._process
        assert process is not None
        family = [psutil.Process(process.pid)] if process.poll() is None else []
        family += [child for each in family for child in each.children(recursive=True)]
        for each in family:
            each.kill()
        process.wait()
        psutil.wait_procs(family)

    def wait(self) -> int:
        """Return torchrun's exit status at its end."""
        assert self._process is not None
        return self._process.wait(_PATIENCE)

    def lives(self, rank: int) -> list[tuple[int, list[dict[str, Any]]]]:
        """Return the pid and notes of each process that was a rank, in order of time."""
        found = [
            (int(path.stem.partition("-")[2]), notes)
            for path, notes in self._all().items()
            if path.stem.partition("-")[0] == f"rank{rank}" and notes
        ]
        return sorted(found, key=lambda life: life[1][0]["at"])

    def pid(self, rank: int) -> int:
        """Return a rank's process: its present one."""
        return self.lives(rank)[-1][0]

    def signal(self, rank: int, number: signal.Signals) -> None:
        """Send a rank a signal."""
        os.kill(self.pid(rank), number)

    def notes(self, rank: int, key: str) -> list[dict[str, Any]]:
        """Return a rank's notes that have a key, of all its lives."""
        return [note for _, notes in self.lives(rank) for note in notes if key in note]

    def used(self, rank: int) -> Iterator[tuple[int, Lrs]]:
        """Yield the steps that a rank took, in order of time, each with the lrs that its optimizer used."""
        for note in self.notes(rank, "step"):
            yield note["step"], tuple(note["lrs"])

    def last(self, rank: int) -> int:
        """Return the step that a rank's optimizer took last; -1: none."""
        notes = self.notes(rank, "step")
        return notes[-1]["step"] if notes else -1

    def wait_for_step(self, step: int, *, life: int = 1) -> None:
        """Wait until the optimizers of all ranks have taken a step, in their present lives."""
        self.wait_until(
            lambda: all(
                len(self.lives(rank)) >= life
                and any(note.get("step") == step for note in self.lives(rank)[-1][1])
                for rank in range(self.ranks)
            ),
            f"step {step} is taken",
        )

    def wait_at_gate(self, step: int) -> list[int]:
        """Wait until all ranks wait before a step; return up to where each holds values."""
        found: list[int] = []

        def all_wait() -> bool:
            last = [self.notes(rank, "waits")[-1:] for rank in range(self.ranks)]
            found[:] = [note["held_until"] for notes in last for note in notes if note["waits"] == step]
            return len(found) == self.ranks

        self.wait_until(all_wait, f"all wait before step {step}")
        return found

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Poll; raise AssertionError where the job ends before, or it takes minutes."""
        end = time.monotonic() + _PATIENCE
        while not condition():
            assert self._process is not None
            ended = self._process.poll() is not None
            if ended and condition():
                return
            assert not ended, f"the job ended before {what}"
            assert time.monotonic() < end, f"not within {_PATIENCE:.0f} s: {what}"
            time.sleep(0.02)

    def _all(self) -> dict[Path, list[dict[str, Any]]]:
        for path in self.folder.glob("rank*.jsonl"):
            offset, notes = self._read.get(path, (0, []))
            with path.open("rb") as file:
                file.seek(offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        break
                    notes.append(json.loads(line))
                    offset += len(line)
            self._read[path] = offset, notes
        return {path: notes for path, (_, notes) in self._read.items()}
