"""The functions of a definition that the job has built: what they return for a step is proposed to the run."""

from __future__ import annotations

from typing import Any

import torch

from lrkeeper.local import row_of_groups
from lrkeeper.schedules import Schedule
from lrkeeper.schedules.cursor import FAILURES, Cursor, extend
from lrkeeper.schedules.given import NOTHING, Calls, Given
from lrkeeper.schedules.numbers import F32, cast_row
from lrkeeper.torch.ticket import Ticket


def calls(optimizer: torch.optim.Optimizer, given: Given = NOTHING) -> Calls:
    """Return inputs that call functions for an optimizer's param groups."""
    return Calls(given, lambda result, group: factor(result, optimizer.param_groups[group]["lr"]))


def factors_of_next(schedule: Schedule, ticket: Ticket, inputs: Calls, given: Given) -> tuple[float, ...]:
    """Call the functions for the step after a ticket's, with what torch would call them with.

    They are called by the evaluator, in its order. Raises what they raise; where the evaluator cannot go on, the
    run says so.
    """
    base = row_of_groups(ticket.groups, "initial")
    cursor = Cursor.from_json(ticket.cursor, base)
    cursor, _, _ = extend(schedule, base, cursor, ticket.step - cursor.step, ticket.given)
    row = cast_row(given.seen or ticket.values.row(ticket.step), cursor.row)
    try:
        schedule.advance(cursor.memory, base, row, inputs)
    except tuple(FAILURES.values()):
        if inputs.raised:
            raise
    return tuple(inputs.factors)


def factor(result: Any, lr: Any = 0.0) -> float:
    """Return what a function has returned as the number that torch computes with for such an lr.

    A float32 tensor beside a float64 tensor computes in float64.
    """
    is_float32 = isinstance(result, torch.Tensor) and result.dtype == torch.float32
    if is_float32 and not (isinstance(lr, torch.Tensor) and lr.dtype == torch.float64):
        return F32(float(result))
    return float(result)
