"""What a process asks of the kernel, in order: a server under strace, and its trace read."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

# What changes files or speaks to a peer. A call that is missing here would go unseen.
_WRITES = "write,writev,pwrite64,pwritev,pwritev2,ftruncate,truncate,fallocate,copy_file_range,sendfile"
_NAMES = "open,openat,creat,rename,renameat,renameat2,link,linkat,unlink,unlinkat"
_SYNCS = "fsync,fdatasync,sync,syncfs,sync_file_range"
_SENDS = "sendto,sendmsg,sendmmsg"

_LINE = re.compile(r"(?P<thread>\d+) +(?:<\.\.\. (?P<resumed>\w+) resumed>|(?P<name>\w+)\()(?P<rest>.*)")
_RETURN = re.compile(r"(?P<arguments>.*)\) += (?P<result>-?\d+|\?)(?P<after>.*)")
_UNFINISHED = re.compile(r"(?P<arguments>.*?)(?:, )? ?<unfinished \.\.\.>")
_NO_CALL = re.compile(r"\d+ +(?:\+\+\+|---) .*")
_STRING = re.compile(r'"(?P<hex>(?:\\x[0-9a-f]{2})*)"(?P<cut>\.\.\.)?')
_FILE = re.compile(r"<(?P<hex>(?:\\x[0-9a-f]{2})*)>")
_DEADLINE_SECONDS = 60.0


@dataclass(frozen=True)
class Call:
    """A system call, as strace prints it. `result` is None as long as it has not returned."""

    thread: str
    name: str
    arguments: str
    result: int | None = None
    after: str = ""

    @property
    def data(self) -> bytes:
        """All strings among the arguments, one after the other."""
        found = list(_STRING.finditer(self.arguments))
        assert not any(text["cut"] for text in found), f"strace shows a part only of {self.name}'s data"
        return b"".join(_bytes(text["hex"]) for text in found)

    @property
    def file(self) -> str:
        """What the first argument's descriptor is: a path, `socket:[…]`, …"""
        return _name(self.arguments)

    @property
    def opened(self) -> str:
        """What the descriptor is that it returned."""
        return _name(self.after)

    def number(self, place: int) -> int:
        """Return a numeric argument; -1 is the last one."""
        return int(self.arguments.split(", ")[place])


Event = tuple[Literal["begins", "returns"], Call]


def command(traced: Sequence[str], trace: Path, *inject: str) -> tuple[str, ...]:
    """Return a command that runs another one under strace, itself in the foreground.

    Args:
        traced: the command to run.
        trace: the file for what strace sees.
        inject: what strace shall do to the process, as its `-e inject=` takes it.
    """
    injections = [option for each in inject for option in ("-e", f"inject={each}")]
    if not any("signal=" in each for each in inject):  # strace does not send signals from its filter
        injections.append("--seccomp-bpf")
    return (
        _strace(),
        "--daemonize",  # the command stays the caller's own child, to be signalled by its pid
        *("--follow-forks", "--decode-fds=path", "--output", str(trace)),
        *("-xx", "--string-limit=1048576", "-e", f"trace={_WRITES},{_NAMES},{_SYNCS},{_SENDS}"),
        *injections,
        *traced,
    )


def events(trace: Path, pid: int) -> Iterator[Event]:
    """Yield every call's beginning and its return, in order, once the process has ended.

    The tracer stops a thread before a call and after it, so what comes later in the trace was done
    later, in whatever thread.
    """
    under_way: dict[str, Call] = {}
    for line in _whole(trace, pid).splitlines():
        if _NO_CALL.fullmatch(line):
            continue
        match = _LINE.fullmatch(line)
        assert match, f"strace writes what this reader does not know: {line[:200]}"
        thread, rest = match["thread"], match["rest"]
        if unfinished := _UNFINISHED.fullmatch(rest):
            assert match["name"], line[:200]
            under_way[thread] = Call(thread, match["name"], unfinished["arguments"])
            yield "begins", under_way[thread]
            continue
        returned = _RETURN.fullmatch(rest)
        assert returned, f"strace writes what this reader does not know: {line[:200]}"
        if match["resumed"]:
            call = under_way.pop(thread)
            call = replace(call, arguments=call.arguments + returned["arguments"])
        else:
            call = Call(thread, match["name"], returned["arguments"])
            yield "begins", call
        if returned["result"] != "?":
            yield "returns", replace(call, result=int(returned["result"]), after=returned["after"])


def _whole(trace: Path, pid: int) -> str:
    """Return the trace once strace has written that the process has ended."""
    deadline = time.monotonic() + _DEADLINE_SECONDS
    end = re.compile(rf"^{pid} +\+\+\+ .* \+\+\+$", re.MULTILINE)
    while True:
        text = trace.read_text()
        if end.search(text, max(0, len(text) - 10_000)):
            return text
        assert time.monotonic() < deadline, f"strace has not seen process {pid} end: {text[-1000:]}"
        time.sleep(0.02)


def _strace() -> str:
    """Return where strace is; install it where it is missing, as a test that skips shows nothing."""
    found = shutil.which("strace")
    if found is None:
        assert os.geteuid() == 0, "strace is missing, and only root can install it: apt-get install strace"
        for step in (["update"], ["install", "-y", "strace"]):
            subprocess.run(["apt-get", *step], check=True, stdin=subprocess.DEVNULL)
        found = shutil.which("strace")
        assert found is not None
    return found


def _name(text: str) -> str:
    match = _FILE.search(text)
    return "" if match is None else _bytes(match["hex"]).decode()


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace("\\x", ""))
