"""The values of consecutive steps as bits: what is stored, sent and checked."""

from __future__ import annotations

import struct
import sys
import zlib
from array import array
from collections.abc import Sequence
from typing import NamedTuple

from lrkeeper.schedules.numbers import Row
from lrkeeper.v1 import values_pb2

_STEP = struct.Struct("<q")
_ONE = struct.Struct("<d")


class Table(NamedTuple):
    """Rows of `count` steps from `first_step` on, for each track and param group.

    `data` is column after column, track by track and within a track group by group: each `count`
    IEEE-754 doubles, little-endian.
    """

    first_step: int
    count: int  # type: ignore[assignment]  # hides tuple.count
    tracks: tuple[str, ...]
    groups: int
    data: bytes

    @classmethod
    def from_rows(cls, first_step: int, rows: Sequence[Row]) -> Table:
        """Build from rows that all have the same tracks and groups; at least one."""
        first = rows[0]
        tracks = tuple(first)
        groups = len(first[tracks[0]])
        if len(rows) == 1:
            numbers = first[tracks[0]] if len(tracks) == 1 else [v for track in tracks for v in first[track]]
        else:
            numbers = [row[track][group] for track in tracks for group in range(groups) for row in rows]
        return cls(first_step, len(rows), tracks, groups, struct.pack(f"<{len(numbers)}d", *numbers))

    @property
    def end_step(self) -> int:
        """The first step after the table."""
        return self.first_step + self.count

    @property
    def width(self) -> int:
        """How many columns there are."""
        return len(self.tracks) * self.groups

    @property
    def crc(self) -> int:
        """CRC-32 of the first step and all columns."""
        return zlib.crc32(self.data, zlib.crc32(_STEP.pack(self.first_step)))

    def column(self, place: int) -> array[float]:
        """Return a column's values, one for each step."""
        size = 8 * self.count
        values = array("d", self.data[place * size : (place + 1) * size])
        if sys.byteorder == "big":
            values.byteswap()
        return values

    def row(self, step: int) -> dict[str, tuple[float, ...]]:
        """Return the values at a step of the table: track → one for each group."""
        offset = step - self.first_step
        if not 0 <= offset < self.count:
            raise IndexError(f"step {step} is not in [{self.first_step}, {self.end_step})")
        values = [
            _ONE.unpack_from(self.data, 8 * (place * self.count + offset))[0]
            for place in range(len(self.tracks) * self.groups)
        ]
        return {
            track: tuple(values[i * self.groups : (i + 1) * self.groups])
            for i, track in enumerate(self.tracks)
        }

    def cut(self, first_step: int, end_step: int) -> Table:
        """Return the part of the table in [first_step, end_step), which must not be empty."""
        first, end = max(first_step, self.first_step), min(end_step, self.end_step)
        if (first, end) == (self.first_step, self.end_step):
            return self
        if first >= end:
            raise IndexError(
                f"[{first_step}, {end_step}) has no step of [{self.first_step}, {self.end_step})"
            )
        size, low, high = 8 * self.count, 8 * (first - self.first_step), 8 * (end - self.first_step)
        columns = range(0, len(self.data), size)
        data = b"".join(self.data[start + low : start + high] for start in columns)
        return Table(first, end - first, self.tracks, self.groups, data)

    @classmethod
    def join(cls, tables: list[Table]) -> Table:
        """Return one table of those that follow each other without gap, and have the same columns."""
        first = tables[0]
        if len(tables) == 1:
            return first
        step = first.first_step
        for table in tables:
            if table.first_step != step or (table.tracks, table.groups) != (first.tracks, first.groups):
                raise ValueError("the parts do not follow each other")
            step = table.end_step
        data = b"".join(
            table.data[place * 8 * table.count : (place + 1) * 8 * table.count]
            for place in range(len(first.tracks) * first.groups)
            for table in tables
        )
        return cls(first.first_step, step - first.first_step, first.tracks, first.groups, data)

    def to_message(self) -> values_pb2.Values:
        """Return the table as it is sent: equal columns once, a constant column as one value."""
        size = 8 * self.count
        message = values_pb2.Values(
            first_step=self.first_step,
            count=self.count,
            tracks=self.tracks,
            groups=self.groups,
            crc32=self.crc,
        )
        if len(self.data) == 8:
            message.columns.append(self.data)
            return message
        places: dict[bytes, int] = {}
        index = []
        for start in range(0, len(self.data), size):
            column = self.data[start : start + size]
            if column == column[:8] * self.count:
                column = column[:8]
            index.append(places.setdefault(column, len(places)))
        message.columns.extend(places)
        if len(index) != len(places):
            message.index.extend(index)
        return message

    @classmethod
    def from_message(cls, message: values_pb2.Values, *, at_most: int) -> Table:
        """Read what `to_message` wrote, of at most so many rows.

        Raises ValueError if the message has more, or contradicts itself or its checksum.
        """
        if message.count > at_most:
            raise ValueError(f"values.count is {message.count}; at most {at_most} were asked for")
        columns = []
        for place, column in enumerate(message.columns):
            if len(column) == 8:
                column = column * message.count
            if len(column) != 8 * message.count:
                raise ValueError(f"values.columns[{place}] has {len(column)} bytes for {message.count} steps")
            columns.append(column)
        index = message.index or range(len(columns))
        if len(index) != len(message.tracks) * message.groups or any(i >= len(columns) for i in index):
            raise ValueError("values.index does not have a column for each track and param group")
        data = b"".join(columns[i] for i in index)
        table = cls(message.first_step, message.count, tuple(message.tracks), message.groups, data)
        if table.crc != message.crc32:
            raise ValueError(f"values.crc32 is {message.crc32:#010x}; the values give {table.crc:#010x}")
        return table
