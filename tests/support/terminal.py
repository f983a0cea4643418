"""A command on a terminal of its own, and what is to be read there in the end."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from collections.abc import Sequence
from dataclasses import dataclass

_LINE_UP = "\x1b[1A"
_ERASE_LINE = "\x1b[2K"
_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
_NOT_OURS = ("COLUMNS", "NO_COLOR", "FORCE_COLOR")


@dataclass(frozen=True)
class Printed:
    """What a command that has ended sent to its terminal, with all escape sequences, and to stderr."""

    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        """What is left to read: lines that were written over are as they were last, and nothing has colour."""
        read: list[str] = []
        for line in self.out.replace("\r\n", "\n").split("\n"):
            if _LINE_UP in line:
                read.pop()
            read.append(_SEQUENCE.sub("", line.split(_ERASE_LINE)[-1]).replace("\r", ""))
        return "\n".join(read)


def on_a_terminal(columns: int, command: Sequence[str]) -> Printed:
    """Run a command on a terminal of a width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    environment = {key: value for key, value in os.environ.items() if key not in _NOT_OURS}
    process = subprocess.Popen(
        command, stdout=theirs, stderr=subprocess.PIPE, text=True, env={**environment, "TERM": "xterm"}
    )
    os.close(theirs)
    printed = b""
    try:
        while piece := os.read(ours, 65536):
            printed += piece
    except OSError:  # Linux's way to say that the other end is closed
        pass
    os.close(ours)
    _, err = process.communicate()
    return Printed(process.returncode, printed.decode(), err)
