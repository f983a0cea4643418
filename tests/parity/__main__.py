"""The whole comparison: `python -m tests.parity [configurations of each class]`."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

import torch

from lrkeeper import Client
from tests.parity.configurations import KINDS
from tests.parity.traces import mismatches
from tests.support.server import ServerProcess

STEPS = 200
PIECE = 100


def main() -> None:
    """Compare, showing progress; exit with 1 if anything differs."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3000
    failed = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        ServerProcess(Path(folder) / "runs.sqlite3", log=Path(folder) / "log") as server,
        Client(server.address) as client,
    ):
        for kind in KINDS:
            started = time.monotonic()
            found: list[str] = []
            for start in range(0, count, PIECE):
                piece = range(start, min(start + PIECE, count))
                found += mismatches(client, kind, piece, STEPS, uuid4().hex[:8])
                print(f"\r{kind}: {piece.stop} of {count}, {len(found)} differ", end="", flush=True)
            print(f"  ({time.monotonic() - started:.0f} s)")
            for line in found[:20]:
                print(" ", line)
            failed += len(found)
    print(f"torch {torch.__version__}: {count * len(KINDS)} configurations × {STEPS} steps, {failed} differ")
    raise SystemExit(1 if failed else 0)


main()
