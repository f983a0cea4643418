"""A disk that keeps only what was synced: a database as a power cut would leave it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tests.support.ledger import Ledger, read_files
from tests.support.strace import Call, Event


@dataclass
class _File:
    durable: bytes
    named: bool
    """Whether its folder was synced since it is there."""
    pending: list[tuple[int, bytes | None]] = field(default_factory=list)
    """Changes that no sync covers: (offset, data) of a write, (size, None) of a truncation."""
    covered: int = 0
    """How many changes before those were covered."""

    @property
    def changes(self) -> int:
        """How many changes there were in all."""
        return self.covered + len(self.pending)

    def cover(self, changes: int, *, durably: bool) -> None:
        """Make the first so many of all changes durable; or lose them, as a failed sync may."""
        now = self.pending[: max(0, changes - self.covered)]
        del self.pending[: len(now)]
        self.covered += len(now)
        if not durably:
            return
        image = bytearray(self.durable)
        for offset, data in now:
            if data is None:
                del image[offset:]
            image.extend(bytes(max(0, offset - len(image))))
            image[offset : offset + len(data or b"")] = data or b""
        self.durable = bytes(image)


class Disk:
    """A SQLite database's files, of which a power cut can leave more or less.

    As bad as it gets: a change is lost unless a sync of its file, begun after the change was made, has
    returned; a change that a failed sync should have covered is lost for good, as no later sync tries it
    again; and a new file is lost until its folder is synced. What is there at the beginning stays.
    """

    def __init__(self, database: Path) -> None:
        self._database = str(database)
        self._wal = f"{database}-wal"
        self._folder = str(database.parent)
        self._files = {
            path: _File(Path(path).read_bytes(), named=True)
            for path in (self._database, self._wal)
            if Path(path).exists()
        }
        self._syncs: dict[str, dict[str, int]] = {}
        self._left: Ledger | None = None

    def see(self, event: Event) -> None:
        """Take in what a process does next."""
        phase, call = event
        path = call.opened if call.name == "openat" else call.file
        if call.name in ("fsync", "fdatasync") and path in (*self._files, self._folder):
            if phase == "begins":
                of = [path] if path in self._files else list(self._files)
                self._syncs[call.thread] = {name: self._files[name].changes for name in of}
            else:
                self._synced(path, self._syncs.pop(call.thread), succeeded=call.result == 0)
        elif phase == "returns" and path in (self._database, self._wal) and call.result != -1:
            self._changed(path, call)

    def _changed(self, path: str, call: Call) -> None:
        file = self._files.setdefault(path, _File(b"", named=False))
        if call.name == "ftruncate":
            file.pending.append((call.number(1), None))
        elif call.name == "pwrite64":
            file.pending.append((call.number(-1), call.data[: call.result]))
        else:
            assert call.name == "openat", f"{call.name} of {path} is nothing this disk knows"

    def _synced(self, path: str, covered: dict[str, int], *, succeeded: bool) -> None:
        for name, changes in covered.items():
            if path != self._folder:
                self._files[name].cover(changes, durably=succeeded)
            elif succeeded:
                self._files[name].named = True
        self._left = None

    def left_by_a_power_cut(self) -> Ledger:
        """Return what the database would hold if the power went now."""
        if self._left is None:
            files = {
                path.removeprefix(self._database): file.durable
                for path, file in self._files.items()
                if file.named
            }
            self._left = read_files(files)
        return self._left
