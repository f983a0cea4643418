"""A real server process on a SQLite file (or any database URL), to be killed and started again."""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

import psutil


class ServerProcess:
    """`lrkeeper serve` as users run it. Restarts on the same port and database."""

    def __init__(
        self,
        database: Path | str,
        *,
        log: Path,
        port: int | None = None,
        command: Sequence[str] = (sys.executable, "-m", "lrkeeper.cli"),
    ) -> None:
        self.database_url = database if isinstance(database, str) else f"sqlite:///{database}"
        self.log = log
        self.port = free_port() if port is None else port
        self._command = command
        self._process: subprocess.Popen[str] | None = None
        self._helpers: list[int] = []  # the server's own processes, which may end a commit later than it

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> Self:
        """Start, and return once it serves."""
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [*self._command, "serve", "--listen", self.address, "--database-url", self.database_url],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )
        out: IO[str] | None = self._process.stdout
        assert out is not None
        line = out.readline()
        if line.strip() != f"listening on {self.address}":
            self._process.wait()
            raise RuntimeError(f"the server did not start: {line!r}\n{self.log.read_text()}")
        self._helpers = [os.pidfd_open(child.pid) for child in psutil.Process(self.pid).children()]
        return self

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; return the exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        process = self._process
        if process is None:
            return 0
        process.send_signal(number)
        status = process.wait()
        while self._helpers:
            helper = self._helpers.pop()
            select.select([helper], [], [])
            os.close(helper)
        assert process.stdout is not None
        process.stdout.close()
        self._process = None
        return status

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


_given: set[int] = set()


def free_port() -> int:
    """Return a port that was free a moment ago, and that this function has not returned before.

    Not one of those that the system gives to outgoing connections: a server that is started again needs its own.
    A client of an earlier server at the same address would not look at once whether there is one again.
    """
    while True:
        with socket.socket() as probe, suppress(OSError):
            port = random.randrange(15_000, 32_000)
            probe.bind(("127.0.0.1", port))
            if port not in _given:
                _given.add(port)
                return port
