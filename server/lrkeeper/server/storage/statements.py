"""The hot path's SQL."""

from __future__ import annotations

from itertools import chain
from typing import Any

from sqlalchemy import Connection, Engine

from lrkeeper.server.storage import tables as t
from lrkeeper.server.storage.contract import Advance
from lrkeeper.server.storage.rows import block_values


class Statements:
    """The two statements of the hot path: one moves all runs of a batch, one stores all their blocks.

    A statement takes many rows: SQLite lets go of the interpreter lock at every statement, and would wait
    for the busy event loop to give it back as often. The numbers of rows are powers of two, so that there
    are few texts and each is prepared once: to prepare one of 64 rows costs as much as to run it thrice.
    """

    # Both databases name the columns of VALUES column1, column2, … The statement begins with its verb,
    # because Python's sqlite3 counts rows of no other.
    _MOVE = (
        "UPDATE runs SET frontier = v.column6, cursor = v.column7, heard_at = v.column8, "
        "heard_every = v.column9 FROM (VALUES {rows}) AS v WHERE runs.uid = v.column1 "
        "AND runs.state = 'active' AND runs.branch = v.column2 AND runs.fence = v.column3 "
        "AND runs.revision = v.column4 AND runs.frontier = v.column5"
    )
    _INSERT = f"INSERT INTO blocks ({', '.join(column.name for column in t.blocks.c)}) VALUES {{rows}}"  # noqa: S608
    _MOST = 1024  # rows of one statement: SQLite takes 32,766 parameters

    def __init__(self, engine: Engine) -> None:
        self._mark = "?" if engine.dialect.paramstyle == "qmark" else "%s"
        self._texts: dict[tuple[str, int, int], str] = {}

    def store(self, connection: Connection, advances: list[Advance]) -> int:
        """Move the runs on and store their blocks; return how many runs were as expected."""
        moves = [
            (
                a.run_uid,
                a.branch,
                a.fence,
                a.revision,
                a.frontier,
                a.new_frontier,
                a.cursor,
                a.heard_at,
                a.heard_every,
            )
            for a in advances
        ]
        moved = self._execute(connection, self._MOVE, moves)
        if moved == len(advances):
            blocks = [tuple(block_values(b).values()) for a in advances for b in a.blocks]
            self._execute(connection, self._INSERT, blocks)
        return moved

    def _execute(self, connection: Connection, template: str, rows: list[tuple[Any, ...]]) -> int:
        count = start = 0
        while start < len(rows):
            size = min(self._MOST, 1 << (len(rows) - start).bit_length() - 1)
            text = self._text(template, size, len(rows[0]))
            values = tuple(chain.from_iterable(rows[start : start + size]))
            count += connection.exec_driver_sql(text, values).rowcount
            start += size
        return count

    def _text(self, template: str, rows: int, columns: int) -> str:
        key = template, rows, columns
        if key not in self._texts:
            row = f"({', '.join([self._mark] * columns)})"
            self._texts[key] = template.format(rows=", ".join([row] * rows))
        return self._texts[key]
