"""The process that commits to SQLite, seen from outside: suspended or ended where a test wants it."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

_DEADLINE_SECONDS = 60.0
_WRITE_LOCK = 120  # the byte of the -shm file that SQLite locks to write to the log


@contextmanager
def ended(pid: int) -> Iterator[None]:
    """Return from the `with` block once the process, which is none of ours, has ended."""
    process = os.pidfd_open(pid)
    try:
        yield
        assert select.select([process], [], [], _DEADLINE_SECONDS)[0], f"process {pid} has not ended"
    finally:
        os.close(process)


def suspend_amid_a_commit(writer: psutil.Process, database: Path) -> None:
    """Suspend the process in a transaction, where no other may write. Steps must be asked for meanwhile."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while True:
        if _in_transaction(writer, database):
            _suspend(writer)
            if _in_transaction(writer, database):
                return
            writer.resume()
        assert time.monotonic() < deadline, "no commit was seen"


def suspend_before_a_commit(writer: psutil.Process, database: Path) -> None:
    """Suspend the process so that a batch it has not read lies before it. Steps must be asked for meanwhile."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while True:
        _suspend(writer)
        if not _in_transaction(writer, database) and _has_unread_input(writer, 0.1):
            return
        writer.resume()  # it had just read one
        assert time.monotonic() < deadline, "no batch was seen"


def wait_until_open(pid: int, database: Path) -> None:
    """Return once a process has a database open."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    process, file = psutil.Process(pid), str(database.resolve())
    while all(opened.path != file for opened in process.open_files()):
        assert time.monotonic() < deadline, f"process {pid} has not opened {database}"


def _suspend(process: psutil.Process) -> None:
    process.suspend()
    while process.status() != psutil.STATUS_STOPPED:
        pass


def _in_transaction(process: psutil.Process, database: Path) -> bool:
    """Return whether a process has SQLite's lock for writing, as the kernel lists it."""
    file = str(Path(f"{database}-shm").stat().st_ino)
    for line in Path("/proc/locks").read_text().splitlines():
        fields = line.split()
        if fields[1] == "POSIX" and fields[3] == "WRITE" and fields[4] == str(process.pid):
            first, last = int(fields[6]), float("inf") if fields[7] == "EOF" else int(fields[7])
            if fields[5].endswith(f":{file}") and first <= _WRITE_LOCK <= last:
                return True
    return False


def _has_unread_input(process: psutil.Process, seconds: float) -> bool:
    """Return whether something lies in the pipe that is a process's standard input, or comes there in time."""
    with Path(f"/proc/{process.pid}/fd/0").open("rb", buffering=0) as pipe:
        return bool(select.select([pipe], [], [], seconds)[0])
