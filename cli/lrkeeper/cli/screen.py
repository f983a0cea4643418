"""What is printed: lines, tables, facts, JSON. Text of others is shown, never obeyed."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from shutil import get_terminal_size
from typing import Any

import click

_UNCUT = 1 << 20
_KEPT = 28
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def plain(text: str) -> str:
    r"""Return a text with every character that is not printable as an escape, such as \x1b or \n."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def say(text: str) -> None:
    """Print a line."""
    click.echo(plain(text))


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], styles: Mapping[str, str] = {}) -> None:
    """Print rows under their columns' names; `styles` gives cells with such a text a style."""
    _print(columns, rows, styles)


def facts(rows: Iterable[Sequence[str]], styles: Mapping[str, str] = {}) -> None:
    """Print rows without a header: in each a name and what there is to say of it."""
    _print(None, rows, styles)


def put_json(value: Any, *, indent: int | None = 2) -> None:
    """Print JSON. Infinities and nan are strings, as in proto-JSON; all beyond ASCII is escaped."""
    click.echo(json.dumps(_finite(value), indent=indent, allow_nan=False))


def time(moment: datetime) -> str:
    """Return a time as people read it, to the second."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def ago(seconds: float) -> str:
    """Return how long ago something was; in the unit that fits, rounded down."""
    whole = max(0, int(seconds))
    unit, size = next(((unit, size) for unit, size in _UNITS if whole >= size), ("s", 1))
    return f"{whole // size} {unit} ago"


def _print(columns: Sequence[str] | None, rows: Iterable[Sequence[str]], styles: Mapping[str, str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [[Text(plain(cell), styles.get(cell, ""), overflow="fold") for cell in row] for row in rows]
    names = columns or [""] * len(cells[0])
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=columns is not None)
    # Long texts are folded where a terminal is narrow, others never: rather it wraps the line.
    least = [
        min(_KEPT, max([len(name), *(row[i].cell_len for row in cells)])) for i, name in enumerate(names)
    ]
    for name, width in zip(names, least, strict=True):
        grid.add_column(name, header_style="bold", min_width=width)
    for row in cells:
        grid.add_row(*row)
    terminal = get_terminal_size().columns if sys.stdout.isatty() else _UNCUT
    console = Console(width=max(terminal, sum(least) + 2 * len(least)))
    with console.capture() as capture:
        console.print(grid)
    click.echo("\n".join(line.rstrip() for line in capture.get().splitlines()))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
