"""The committed rows of a run, as the server has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from lrkeeper.cli.spans import Span, Values, spans_of

if TYPE_CHECKING:
    from lrkeeper import Client
    from lrkeeper.views import Run

_FEW = 2_000
_SAMPLES = 200


@dataclass(frozen=True)
class Row:
    """One committed step, and what it was evaluated with. The origin's values came with the job."""

    step: int
    values: Values
    branch: int
    revision: int
    fence: int
    evaluator_version: str
    origin: bool = False


def committed(client: Client, run: Run, branch: int, first: int, last: int | None) -> Iterator[Row]:
    """Yield a branch's rows from step `first` to `last`, both included; None: to the frontier.

    The present branch has those of its past before its own.
    """
    if branch == run.branch:
        for earlier, later in pairwise(run.lineage):
            if first < later.origin_step:
                end = later.origin_step - 1 if last is None else min(last, later.origin_step - 1)
                yield from _of_branch(client, run, earlier.branch, first, end)
    yield from _of_branch(client, run, branch, first, last)


def _of_branch(client: Client, run: Run, branch: int, first: int, last: int | None) -> Iterator[Row]:
    origin = _origin(client, run, branch)
    if first <= origin and (last is None or origin <= last):
        yield _origin_row(client, run, branch, origin)
    for block in client.list_blocks(run.name, branch=branch, from_step=first):
        for step in range(max(first, block.table.first_step), block.table.end_step):
            if last is not None and step > last:
                return
            values = block.table.row(step)
            yield Row(step, values, branch, block.revision, block.fence, block.evaluator_version)


def sampled(client: Client, run: Run) -> Iterator[Span]:
    """Yield enough of a run's committed values to draw them; of a long run one step in many."""
    origin, frontier = run.lineage[0].origin_step, run.frontier
    if frontier - origin <= _FEW:
        for row in committed(client, run, run.branch, origin, frontier - 1):
            yield Span(row.step, row.step, row.values)
        return
    yield Span(origin, origin, _origin_row(client, run, run.lineage[0].branch, origin).values)
    steps = {origin + 1 + (frontier - origin - 2) * i // _SAMPLES for i in range(_SAMPLES + 1)}
    for edit in run.edits:
        steps |= {edit.effective_step - 1, edit.effective_step}
    for step in sorted(step for step in steps if origin < step < frontier):
        branch = next(b for b in reversed(run.lineage) if b.origin_step < step).branch
        block = next(client.list_blocks(run.name, branch=branch, from_step=step, page_size=1))
        yield Span(step, step, block.table.row(step))


def latest(run: Run) -> Span:
    """Return a run's last committed step."""
    return next(spans_of(run.latest))


def _origin_row(client: Client, run: Run, branch: int, origin: int) -> Row:
    found = client.explain(run.name, origin, branch=branch)
    values = found.values.row(origin)
    return Row(origin, values, branch, found.revision, found.fence, found.evaluator_version, origin=True)


def _origin(client: Client, run: Run, branch: int) -> int:
    """Return the step at which a branch begins, one before its first block."""
    for known in run.lineage:
        if known.branch == branch:
            return known.origin_step
    for block in client.list_blocks(run.name, branch=branch, page_size=1):
        return block.table.first_step - 1
    return run.origin_step
