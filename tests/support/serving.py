"""`lrkeeper serve` with options and variables as a test says; and where it must not start."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

CLI = (sys.executable, "-m", "lrkeeper.cli")
ANY_PORT = "127.0.0.1:0"


@dataclass
class Serving:
    """A server that serves."""

    address: str
    process: subprocess.Popen[str]


@contextmanager
def serving(
    folder: Path, *options: str, command: Sequence[str] = CLI, **environment: str
) -> Iterator[Serving]:
    """Run `lrkeeper serve` with options and variables; it writes no file but in the folder."""
    log = folder / "server.log"
    with (
        log.open("w") as out,
        subprocess.Popen(
            [*command, "serve", *options],
            stdout=subprocess.PIPE,
            stderr=out,
            text=True,
            env=_environment(XDG_DATA_HOME=str(folder)) | environment,
        ) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"listening on (\S+)\n", line)
        assert found, f"{line!r}\n{log.read_text()}"
        try:
            yield Serving(found[1], process)
        finally:
            process.kill()


def refusal(*options: str) -> subprocess.CompletedProcess[str]:
    """Run `lrkeeper serve` where it must not get so far as to serve."""
    done = subprocess.run(
        [*CLI, "serve", *options],
        capture_output=True,
        text=True,
        timeout=60,
        env=_environment(),
        check=False,
    )
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done


def _environment(**more: str) -> dict[str, str]:
    """Return our environment without a word on lrkeeper."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LRKEEPER_")} | more


def url(path: Path) -> str:
    """Return a SQLite file as `--database-url` takes it."""
    return f"sqlite:///{path}"
