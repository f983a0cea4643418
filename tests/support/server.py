"""A real server process on a SQLite file (or any database URL), to be killed and started again."""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Self

import psutil

_DEADLINE_SECONDS = 60.0


class ServerProcess:
    """`lrkeeper serve` as users run it. Restarts on the same port and database.

    `listening_since` and `killed_at` are nanoseconds of the machine's monotonic clock.
    """

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
        self._helpers: list[int] = []  # the servers' own processes, which may end a commit later than they
        self.listening_since = 0
        self.killed_at = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def writer(self) -> psutil.Process:
        """The server's process that commits to SQLite."""
        (writer,) = psutil.Process(self.pid).children()
        return writer

    def start(self) -> Self:
        """Start, and return once it serves."""
        self.launch()
        return self.wait_until_it_serves()

    def launch(self) -> None:
        """Start, and return at once."""
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [*self._command, "serve", "--listen", self.address, "--database-url", self.database_url],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def wait_until_it_serves(self) -> Self:
        """Return once a server that was launched serves."""
        assert self._process is not None
        out: IO[str] | None = self._process.stdout
        assert out is not None
        line = out.readline()
        if line.strip() != f"listening on {self.address}":
            self._process.wait()
            raise RuntimeError(f"the server did not start: {line!r}\n{self.log.read_text()}")
        self.listening_since = time.monotonic_ns()
        self._helpers += [os.pidfd_open(child.pid) for child in psutil.Process(self.pid).children()]
        return self

    def kill(self) -> None:
        """SIGKILL, and wait for its helpers to end by themselves."""
        self.kill_alone()
        self.wait_for_helpers()

    def kill_alone(self) -> None:
        """SIGKILL, and leave its helpers as they are."""
        self.killed_at = time.monotonic_ns()
        self._end(signal.SIGKILL)

    def kill_all(self) -> None:
        """SIGKILL to the server and its helpers at once, as the end of a container."""
        self.killed_at = time.monotonic_ns()
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
        for helper in self._helpers:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(helper, signal.SIGKILL)
        self._end(signal.SIGKILL)
        self.wait_for_helpers()

    def stop(self) -> int:
        """SIGTERM; return the exit status."""
        status = self._end(signal.SIGTERM)
        self.wait_for_helpers()
        return status

    def wait_for_helpers(self) -> None:
        """Return once no helper is left, of this server or of those before it."""
        while self._helpers:
            helper = self._helpers.pop()
            ended, _, _ = select.select([helper], [], [], _DEADLINE_SECONDS)
            os.close(helper)
            assert ended, "a process of the server has not ended"

    def _end(self, number: int) -> int:
        process = self._process
        if process is None:
            return 0
        process.send_signal(number)
        status = process.wait()
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
