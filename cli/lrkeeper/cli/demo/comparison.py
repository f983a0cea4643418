"""Whether columns of learning rates are the same to the bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A step's lr: in the column that is compared with, and in each of the others that has the step."""

    step: int
    reference: float | None
    others: tuple[float, ...]

    @property
    def same(self) -> bool:
        """Whether the reference and at least one other have the step, all with the same bits."""
        if self.reference is None or not self.others:
            return False
        return all(lr.hex() == self.reference.hex() for lr in self.others)

    @property
    def replayed(self) -> bool:
        """Whether the step was given more than once."""
        return len(self.others) > 1

    def __str__(self) -> str:
        given = " and ".join(lr.hex() for lr in self.others) or "nothing"
        reference = "nothing" if self.reference is None else self.reference.hex()
        return f"step {self.step}: {reference} against {given}"


def compare(reference: Mapping[int, float], *others: Mapping[int, float]) -> tuple[Row, ...]:
    """Return a row for every step that any column has; a column is step → lr."""
    steps = sorted({*reference, *(step for column in others for step in column)})
    return tuple(
        Row(step, reference.get(step), tuple(column[step] for column in others if step in column))
        for step in steps
    )


def differing(rows: Sequence[Row]) -> str:
    """Say which rows are not the same; empty if all are, and there are any."""
    if not rows:
        return "there is no step to compare"
    return "; ".join(str(row) for row in rows if not row.same)
