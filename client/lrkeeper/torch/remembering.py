"""What a job tells a database that may have lost some of its run."""

from __future__ import annotations

from collections import deque

from lrkeeper.schedules import codec
from lrkeeper.torch.ticket import Ticket
from lrkeeper.views import Remembered, RememberedRows, Window

_BYTES = 2 << 20
"""The rows told, with what comes with them, at most; the server takes messages of 4 MiB."""


def remembered(
    ticket: Ticket, windows: tuple[Window, ...], frontier: int, *, held: bool
) -> Remembered | None:
    """Return what a job remembers of its run; None where it does not have the row of the step at which it stands.

    Args:
        ticket: where it stands.
        windows: the rows held, before and after that step, without gap.
        frontier: the highest that it has seen.
        held: whether it has held the run; otherwise it comes with a checkpoint.
    """
    step = ticket.checkpoint.step
    rows = [_told(window, ticket) for window in windows if window.table is not None]
    if not any(_has(each, step) for each in rows):
        if ticket.values.first_step != step:
            return None
        rows = [_own(ticket), *(rows if rows and rows[0].table.first_step == step + 1 else ())]
    definitions = {id(each.schedule): codec.encode(each.schedule).ByteSize() for each in rows}
    sizes = deque(_size(each) + definitions[id(each.schedule)] for each in rows)
    while len(rows) > 1 and sum(sizes) > _BYTES:
        if _has(rows[0], step):
            rows.pop()
            sizes.pop()
        else:
            rows.pop(0)
            sizes.popleft()
    return Remembered(
        store_epoch=ticket.place.store_epoch,
        fence=max(1, ticket.place.fence),
        branch=ticket.place.branch,
        frontier=max(frontier, rows[-1].table.end_step),
        rows=tuple(rows),
        edits=ticket.place.edits,
        held=held,
    )


def _size(rows: RememberedRows) -> int:
    """Return about how many bytes are sent of rows, but for their definition."""
    seen = sum(map(len, (rows.given.seen or {}).values()))
    return len(rows.table.data) + len(rows.cursor) + 9 * (len(rows.given.factors) + seen)


def _has(rows: RememberedRows, step: int) -> bool:
    return rows.table.first_step <= step < rows.table.end_step


def _told(window: Window, ticket: Ticket) -> RememberedRows:
    assert window.table is not None
    return RememberedRows(
        window.table,
        window.revision,
        window.schedule or ticket.schedule,
        window.cursor,
        window.cursor_step,
        window.given,
    )


def _own(ticket: Ticket) -> RememberedRows:
    return RememberedRows(
        ticket.values, ticket.revision, ticket.schedule, ticket.cursor, ticket.cursor_step, ticket.given
    )
