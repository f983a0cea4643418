"""The branches of a run's timeline, and the run that it was forked from."""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING

from lrkeeper.cli.screen import table, time

if TYPE_CHECKING:
    from lrkeeper.views import Run


def put_branches(run: Run) -> None:
    """Print which branch has which steps of the timeline, and who made it."""
    rows = [
        (
            str(branch.branch),
            f"{branch.origin_step}…{run.frontier - 1 if after is None else after.origin_step}",
            "" if branch.time is None else time(branch.time),
            branch.author,
            branch.reason,
        )
        for branch, after in zip_longest(run.lineage, run.lineage[1:])
    ]
    table(("branch", "steps", "made", "by", "reason"), rows)


def forked_text(run: Run) -> str:
    """Return where a run was forked; empty if it was not."""
    found = run.forked_from
    return "" if found is None else f"{found.run}, at step {found.step} of branch {found.branch}"
