"""How runs and those that hold them are shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lrkeeper.cli.forms import form, rows
from lrkeeper.cli.screen import ago
from lrkeeper.cli.spans import shown

if TYPE_CHECKING:
    from lrkeeper.schedules.given import Given
    from lrkeeper.views import Holder, Run


def run_form(run: Run, *, with_edits: bool = True) -> dict[str, Any]:
    """Return a run as JSON's types; `latest` is the row of its last committed step."""
    found: dict[str, Any] = {**form(run), "latest": rows(run.latest)[0]}
    if not with_edits:
        for name in ("edits", "ranks", "deviations", "lost_edits"):
            del found[name]
    return found


def labels_text(labels: Mapping[str, str]) -> str:
    """Return labels in one line."""
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items()))


def holder_text(fence: int, holder: Holder | None, now: datetime | None = None) -> str:
    """Return which start of a job has, or had, a run; and how long already, where `now` is given."""
    if holder is None:
        return f"fence {fence}"
    ranks = f"{holder.world_size} rank{'s' if holder.world_size != 1 else ''}"
    words = [f"fence {fence}", f"incarnation {holder.incarnation}", ranks]
    if now is not None:
        words.append(f"started {ago((now - holder.time).total_seconds())}")
    return ", ".join(filter(None, (*words, labels_text(holder.labels))))


def given_text(given: Given) -> str:
    """Return what a step learned from outside, in one line."""
    words = []
    if given.metric is not None:
        words.append(f"metric {given.metric!r}")
    if given.epoch is not None:
        words.append(f"epoch {given.epoch!r}")
    if given.factors:
        words.append(f"factors {shown(given.factors)}")
    words += [f"{total:,.15g} {axis} so far" for axis, total in (given.progress or {}).items()]
    for track, values in (given.seen or {}).items():
        words.append(f"{track} set to {shown(values)} by the job's own code")
    return "; ".join(words)
