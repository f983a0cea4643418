"""The values of a schedule at some of its steps, for curves too long to evaluate step by step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import click

from lrkeeper.cli.spans import Span

if TYPE_CHECKING:
    from lrkeeper.schedules import Schedule
    from lrkeeper.schedules.numbers import Row

POINTS = 2000
ALL = 100_000
"""How many steps are evaluated one by one."""
MOST = 10**12


def sample(schedule: Schedule, base: Row, first: int, count: int, also: Iterable[int] = ()) -> list[Span]:
    """Return values at `POINTS` steps of `count` from `first` on, and at those of `also`: each as a span to the next.

    Raises ClickException where only the steps before lead to a step.
    """
    from lrkeeper.schedules.composable.closed_form import ClosedForm
    from lrkeeper.schedules.cursor import FAILURES

    if not isinstance(schedule, ClosedForm) or not schedule.closed or schedule.axis != "steps":
        raise click.ClickException(
            f"each value of this schedule follows from those before: at most {ALL:,} steps are shown"
        )
    last = first + count - 1
    apart = max(1, count // POINTS)
    steps = sorted({*range(first, last + 1, apart), last, *(step for step in also if first <= step <= last)})
    found: list[Span] = []
    for step, after in zip(steps, [*steps[1:], last + 1], strict=True):
        try:
            reached = schedule.at(step, base, base)
        except tuple(FAILURES.values()) as error:
            raise click.ClickException(f"step {step} cannot be reached: {error}") from None
        assert reached is not None  # it is in closed form
        found.append(Span(step, after - 1, reached[1]))
    return found
