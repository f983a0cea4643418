"""What a run's ranks said and did, as an operator sees it: who lags, who left the timeline, what was lost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

from lrkeeper.cli.forms import definition_text
from lrkeeper.cli.screen import ago, say, table, time
from lrkeeper.cli.spans import shown

if TYPE_CHECKING:
    from lrkeeper.schedules.table import Table
    from lrkeeper.views import Deviation, LostEdit, RankProgress, Run

_MOST = 16
_SLOWEST = 8
_STYLES = {"silent": "yellow", "slowest": "bold"}


def put_ranks(run: Run, now: datetime) -> None:
    """Print where the ranks are of the start that holds a run; the slowest ones where there are many."""
    if run.holder is None:
        return
    size = run.holder.world_size
    ahead = max((rank.applied_step for rank in run.ranks), default=0)
    slowest = sorted(run.ranks, key=lambda rank: (rank.applied_step, rank.rank))
    live = [rank for rank in slowest if not rank.silent]
    if size > _MOST:
        say(_summary(slowest, size))
        slowest = slowest[:_SLOWEST]
    least = live[0].applied_step if live and live[0].applied_step < live[-1].applied_step else None

    def word(rank: RankProgress) -> str:
        return "silent" if rank.silent else "slowest" if rank.applied_step == least else ""

    rows = [
        (
            str(rank.rank),
            str(rank.applied_step),
            str(ahead - rank.applied_step),
            f"{ago((now - rank.heard).total_seconds())} ({time(rank.heard)})",
            word(rank),
        )
        for rank in (slowest if size > _MOST else run.ranks)
    ]
    if rows:
        table(("rank", "at step", "behind", "heard of", ""), rows, _STYLES)
    unheard = sorted({*range(size)} - {rank.rank for rank in run.ranks})
    if unheard:
        say(f"not heard of yet, and so holding nothing back: {_numbers(unheard)}")


def put_deviations(deviations: Sequence[Deviation]) -> None:
    """Print which steps ranks went through without the run's values."""
    rows = [
        (
            _steps(found.values),
            str(found.branch),
            str(found.rank),
            str(found.fence),
            found.kind,
            _lrs(found.values),
            time(found.time),
        )
        for found in deviations
    ]
    table(("deviation", "branch", "rank", "fence", "kind", "lr", "reported"), rows)


def put_lost_edits(edits: Sequence[LostEdit]) -> None:
    """Print edits that the database has lost."""
    rows = [
        (
            str(lost.edit.revision),
            str(lost.edit.effective_step),
            time(lost.edit.time),
            lost.edit.author,
            lost.edit.reason,
            time(lost.found),
            definition_text(lost.edit.schedule),
        )
        for lost in edits
    ]
    table(("lost edit", "from step", "made", "by", "reason", "found lost", "schedule"), rows)


def deviation_text(found: Deviation) -> str:
    """Return what a rank had at a step instead of the run's values."""
    values = ", ".join(
        f"{track} {shown(numbers)}" for track, numbers in found.values.row(found.values.first_step).items()
    )
    return f"rank {found.rank} (fence {found.fence}) had {values}, {_KINDS[found.kind]}"


_KINDS = {
    "hold": "held while no server was reached",
    "forecast": "evaluated by the job while no server was reached",
}


def _summary(ranks: Sequence[RankProgress], size: int) -> str:
    text = f"{len(ranks)} of {size} ranks heard of"
    if ranks:
        text += f", at the steps {ranks[0].applied_step} to {ranks[-1].applied_step}"
    silent = sorted(rank.rank for rank in ranks if rank.silent)
    if silent:
        text += f"; {len(silent)} silent: {_numbers(silent)}"
    return text + ("; the slowest:" if ranks else "")


def _numbers(ranks: Sequence[int]) -> str:
    """Return ascending numbers, those that follow each other as a span."""
    spans = []
    for _, group in groupby(enumerate(ranks), key=lambda pair: pair[1] - pair[0]):
        found = [rank for _, rank in group]
        spans.append(f"{found[0]}-{found[-1]}" if len(found) > 1 else str(found[0]))
    most = _MOST
    return ", ".join(spans[:most]) + (", …" if len(spans) > most else "")


def _steps(values: Table) -> str:
    last = values.end_step - 1
    return f"step {last}" if values.count == 1 else f"steps {values.first_step} to {last}"


def _lrs(values: Table) -> str:
    first, last = (shown(values.row(step)["lr"]) for step in (values.first_step, values.end_step - 1))
    return first if first == last else f"{first} … {last}"
