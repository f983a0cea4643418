"""The demo's processes: a server and trainers, each with a log of its own, each ended with the demo."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

import click

from lrkeeper.cli.demo.events import Event, from_line
from lrkeeper.cli.demo.plan import DATABASE, IMAGES

_LISTENING = "listening on "
_DRAIN_SECONDS = 15.0
_LOG_LINES = 6


class DemoFailed(click.ClickException):
    """The demo could not show what it promises; exit status 1."""


class _Process:
    """A child in a process group of its own: Ctrl-C reaches the demo alone, which then ends it."""

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self._log = log
        self._child: subprocess.Popen[str] | None = None

    def _start(self, arguments: Sequence[str]) -> None:
        with self._log.open("a") as log:
            self._child = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=_environment(),
                process_group=0,
            )

    @property
    def _out(self) -> IO[str]:
        assert self._child is not None
        assert self._child.stdout is not None
        return self._child.stdout

    def kill(self) -> None:
        """Send SIGKILL, and wait for the end."""
        if self._child is not None:
            self._child.kill()
            self._reap()

    def _reap(self, timeout: float | None = None) -> int:
        assert self._child is not None
        status = self._child.wait(timeout)
        for pipe in (self._child.stdin, self._child.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):
                pipe.close()
        self._child = None
        return status

    def _failed(self) -> DemoFailed:
        status = self._reap()
        how = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
        tail = self._log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
        said = "".join(f"\n  {line}" for line in tail)
        return DemoFailed(f"{self.name} ended {how}; the end of its log:{said}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class Server(_Process):
    """`lrkeeper serve` on a SQLite file: at first on any free port, later on the same one again."""

    def __init__(self, folder: Path) -> None:
        super().__init__("the server", folder / "server.log")
        self._database = folder / DATABASE
        self.address = "127.0.0.1:0"
        self.start()

    def start(self) -> None:
        """Start it; `wait_until_it_serves` is to follow."""
        self._start(
            [
                "lrkeeper.cli",
                "serve",
                f"--listen={self.address}",
                f"--database-url=sqlite:///{self._database}",
            ]
        )

    def wait_until_it_serves(self) -> str:
        """Return its address once it serves. Raises DemoFailed."""
        for line in self._out:
            if line.startswith(_LISTENING):
                self.address = line.removeprefix(_LISTENING).strip()
                return self.address
        raise self._failed()

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.terminate()
            try:
                self._reap(_DRAIN_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()


class Trainer(_Process):
    """A trainer. It imports torch, which takes seconds, and then waits for `go`."""

    def __init__(self, folder: Path, run: str, *, wait_at: int | None = None, resume: bool = False) -> None:
        super().__init__(f"the trainer of run {run}", folder / f"{run}.log")
        self.run = run
        arguments = [
            "lrkeeper.cli.demo.trainer",
            f"--run={run}",
            f"--images={folder / IMAGES}",
            f"--checkpoint={folder / run}.pt",
        ]
        if wait_at is not None:
            arguments.append(f"--wait-at={wait_at}")
        if resume:
            arguments.append("--resume")
        self._start(arguments)

    def go(self, line: str = "go on") -> None:
        """Give the line that the trainer waits for: the server's address at first. Raises DemoFailed."""
        assert self._child is not None
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(line + "\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            raise self._failed() from None

    def events(self) -> Iterator[Event]:
        """Yield what the trainer tells, until it ends. Raises DemoFailed if it ends badly."""
        for line in self._out:
            yield from_line(line)
        assert self._child is not None
        if self._child.wait():
            raise self._failed()


def _environment() -> dict[str, str]:
    """Return this environment without what would lead the demo's processes elsewhere."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("LRKEEPER_") and name not in ("RANK", "WORLD_SIZE")
    }
    return {**kept, "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}
