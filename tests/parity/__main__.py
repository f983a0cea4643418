"""StepLR, MultiStepLR and SequentialLR through a real server, beside torch's own loop: `python -m tests.parity`.

Each configuration trains as a drop-in and as a RemoteLR, each a run of its own, with windows as they are by default.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch

from tests.parity.configurations import KINDS, Kind
from tests.parity.traces import SHAPES, Tally, compared
from tests.support.server import ServerProcess

STEPS = 200
PIECE = 25


def compare(pool: ProcessPoolExecutor, kind: Kind, count: int) -> Tally:
    """Compare so many configurations of a class, showing progress."""
    started, tally = time.monotonic(), Tally()
    pieces = [range(start, min(start + PIECE, count)) for start in range(0, count, PIECE)]
    for future in [pool.submit(compared, kind, piece, STEPS) for piece in pieces]:
        tally += future.result()
        print(
            f"\r{kind}: {tally.complete} of {count} went through, {tally.moving} of them with an lr that moves; "
            f"{tally.failing} more fail in torch; {len(tally.differing)} differ",
            end="",
            flush=True,
        )
    print(f" ({time.monotonic() - started:.0f} s)")
    for line in tally.differing[:20]:
        print(" ", line)
    return tally


def long_runs(database: Path) -> int:
    """Return how many runs have all steps in a database."""
    with sqlite3.connect(database) as stored:
        query = "SELECT count(*) FROM (SELECT 1 FROM blocks GROUP BY run_uid HAVING sum(count) >= ?)"
        (found,) = stored.execute(query, (STEPS,)).fetchone()
    return int(found)


def main() -> int:
    """Compare everything; return 1 if anything differs, or if the server has not given it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--count", type=int, default=3000, help="configurations of each class that go through"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes that train")
    options = parser.parse_args()
    for name in [name for name in os.environ if name.startswith("LRKEEPER_")]:
        del os.environ[name]
    total = Tally()
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "runs.sqlite3"
        with ServerProcess(database, log=Path(folder) / "log") as server:
            os.environ["LRKEEPER_SERVER"] = server.address
            with ProcessPoolExecutor(options.jobs, initializer=torch.set_num_threads, initargs=(1,)) as pool:
                for kind in KINDS:
                    total += compare(pool, kind, options.count)
        runs = long_runs(database)
    print(
        f"torch {torch.__version__}: {total.complete} configurations × {STEPS} steps, "
        f"each as {' and as '.join(SHAPES)}: {len(total.differing)} differ; {runs} runs in the database have all steps"
    )
    return 1 if total.differing or runs != len(SHAPES) * total.complete else 0


if __name__ == "__main__":
    sys.exit(main())
