"""What a database file holds, read without lrkeeper, and checked to be whole."""

from __future__ import annotations

import sqlite3
import struct
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

Row = tuple[str, int, int]
"""A row's place: run uid, branch, step."""


@dataclass(frozen=True)
class Edit:
    """A change to a run, as it is stored."""

    run_uid: str
    branch: int
    revision: int
    effective_step: int


@dataclass(frozen=True)
class Ledger:
    """The runs' names by uid, the bits of every committed row, and the edits by request id."""

    runs: Mapping[str, str]
    rows: Mapping[Row, bytes]
    edits: Mapping[str, Edit]


def read(database: Path) -> Ledger:
    """Return what a database file holds; assert that nothing in it contradicts the rest."""
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        runs = dict(connection.execute("SELECT uid, name FROM runs"))
        rows = dict(_rows(connection))
        edits = {
            request_id: Edit(*edit)
            for request_id, *edit in connection.execute(
                "SELECT request_id, run_uid, branch, revision, effective_step FROM edits"
            )
        }
        assert len(edits) == connection.execute("SELECT count(*) FROM edits").fetchone()[0]
    return Ledger(runs, rows, edits)


def read_files(files: Mapping[str, bytes]) -> Ledger:
    """Return what a database held in these files: its own by the ending "", the log's by "-wal"."""
    with tempfile.TemporaryDirectory() as folder:
        for ending, content in files.items():
            Path(folder, f"copy{ending}").write_bytes(content)
        return read(Path(folder, "copy"))


def read_copy(database: Path) -> Ledger:
    """Return what a database holds that nobody has open, and leave it as it is for who opens it next."""
    files = {ending: Path(f"{database}{ending}") for ending in ("", "-wal")}
    return read_files({ending: path.read_bytes() for ending, path in files.items() if path.exists()})


def _rows(connection: sqlite3.Connection) -> Iterator[tuple[Row, bytes]]:
    """Yield the rows of all blocks; each branch's lie without gap between its origin and the frontier."""
    ends = {
        (run, branch): origin + 1
        for run, branch, origin in connection.execute("SELECT run_uid, branch, origin_step FROM branches")
    }
    blocks = connection.execute(
        "SELECT run_uid, branch, first_step, count, data, crc FROM blocks ORDER BY run_uid, branch, first_step"
    )
    for run, branch, first, count, data, crc in blocks:
        assert first == ends[run, branch], f"the blocks of {run} go on at {first}, not {ends[run, branch]}"
        assert zlib.crc32(data, zlib.crc32(struct.pack("<q", first))) == crc
        assert count > 0
        assert len(data) % (8 * count) == 0
        ends[run, branch] += count
        for row in range(count):
            columns = range(8 * row, len(data), 8 * count)
            yield (run, branch, first + row), b"".join(data[start : start + 8] for start in columns)
    for run, branch, frontier in connection.execute("SELECT uid, branch, frontier FROM runs"):
        assert frontier == ends[run, branch], (
            f"run {run} is at {frontier}, its blocks end at {ends[run, branch]}"
        )
