"""Consecutive steps with equal values as one span, and values as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lrkeeper.schedules.table import Table

Values = Mapping[str, tuple[float, ...]]
"""The values of a step: track → one for each param group."""


@dataclass(frozen=True)
class Span:
    """The steps from `first` to `last`, both included, that have the same values.

    `mark` tells spans apart whose values are equal.
    """

    first: int
    last: int
    values: Values
    mark: int = 0

    @property
    def steps(self) -> str:
        """The steps as people read them."""
        return str(self.first) if self.first == self.last else f"{self.first}–{self.last}"


def collapse(spans: Iterable[Span]) -> Iterator[Span]:
    """Yield spans that follow each other with those of equal bits and mark made one."""
    before: Span | None = None
    for span in spans:
        if before is not None and (before.mark, _bits(before.values)) == (span.mark, _bits(span.values)):
            before = replace(before, last=span.last)
            continue
        if before is not None:
            yield before
        before = span
    if before is not None:
        yield before


def spans_of(table: Table) -> Iterator[Span]:
    """Yield a table's spans."""
    steps = range(table.first_step, table.end_step)
    return collapse(Span(step, step, table.row(step)) for step in steps)


def shown(values: tuple[float, ...], *, most: int | None = None) -> str:
    """Return the groups' values with all their digits; one for all where they are the same.

    `most` is how many values there may be in the text.
    """
    texts = [repr(value) for value in values]
    if len(set(texts)) == 1:
        return texts[0]
    more = f", … ({len(texts)} groups)" if most is not None and len(texts) > most else ""
    return ", ".join(texts[:most]) + more


def _bits(values: Values) -> list[tuple[str, list[str]]]:
    return [(track, [value.hex() for value in numbers]) for track, numbers in values.items()]
