"""What a job remembers of its run, from its message."""

from __future__ import annotations

from lrkeeper.errors import InvalidArgument
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs import names
from lrkeeper.server.runs.limits import MAX_ROWS, MAX_TEXT
from lrkeeper.server.runs.records import LostEdit
from lrkeeper.server.runs.repair import Remembered, RememberedRows
from lrkeeper.server.servicers import decode
from lrkeeper.v1 import run_pb2, run_service_pb2

MAX_REMEMBERED_ROWS = 4 * MAX_ROWS
_YEAR_10000 = 253_402_300_800


def remembered(request: run_service_pb2.AcquireRunRequest) -> Remembered | None:
    """Return what a job remembers; None if it says nothing."""
    if not request.HasField("remembered"):
        return None
    message = request.remembered
    if not request.HasField("checkpoint"):
        raise InvalidArgument(
            "checkpoint is missing; with remembered it is where the job stands", field="checkpoint"
        )
    if request.adds_groups:
        raise InvalidArgument(
            "remembered cannot come with adds_groups; take the run again first", field="remembered"
        )
    for field in ("fence", "branch", "frontier"):
        decode.step(f"remembered.{field}", getattr(message, field))
    for field in ("fence", "branch") if message.held else ("branch",):
        if getattr(message, field) < 1:
            raise InvalidArgument(
                f"remembered.{field} is {getattr(message, field)}; it must be at least 1",
                field=f"remembered.{field}",
            )
    if message.held:
        names.check_request_id(request.checkpoint.run_uid, "checkpoint.run_uid")
    names.check_text("remembered.store_epoch", message.store_epoch, 64)
    rows = tuple(_rows(each, place) for place, each in enumerate(message.rows))
    _check_order(rows, message.frontier)
    return Remembered(
        store_epoch=message.store_epoch,
        fence=message.fence,
        held=message.held,
        branch=message.branch,
        frontier=message.frontier,
        rows=rows,
        edits=tuple(_edit(each, f"remembered.edits[{place}]") for place, each in enumerate(message.edits)),
    )


def _rows(message: run_service_pb2.RememberedRows, place: int) -> RememberedRows:
    path = f"remembered.rows[{place}]"
    try:
        table = Table.from_message(message.values, at_most=MAX_ROWS)
    except ValueError as error:
        raise InvalidArgument(f"{path}.{error}", field=f"{path}.values") from error
    if table.count < 1:
        raise InvalidArgument(f"{path}.values must hold a row", field=f"{path}.values")
    decode.step(f"{path}.values.first_step", table.first_step)
    decode.step(f"{path}.cursor_step", message.cursor_step)
    return RememberedRows(
        table=table,
        revision=decode.step(f"{path}.revision", message.revision),
        schedule=decode.schedule(message.schedule, f"{path}.schedule", checked=False),
        cursor=message.cursor,
        cursor_step=message.cursor_step,
        given=decode.given(message.given, f"{path}.given"),
    )


def _check_order(rows: tuple[RememberedRows, ...], frontier: int) -> None:
    if not rows:
        return
    if sum(each.table.count for each in rows) > MAX_REMEMBERED_ROWS:
        raise InvalidArgument(
            f"remembered.rows holds {sum(each.table.count for each in rows)} steps; at most {MAX_REMEMBERED_ROWS} "
            "are taken: send the last ones",
            field="remembered.rows",
        )
    step = rows[0].table.first_step
    for place, each in enumerate(rows):
        if each.table.first_step != step:
            raise InvalidArgument(
                f"remembered.rows[{place}].values begins at step {each.table.first_step}; it must begin at {step}, "
                "where the rows before end",
                field=f"remembered.rows[{place}].values",
            )
        step = each.table.end_step
    if step > frontier:
        raise InvalidArgument(
            f"remembered.frontier is {frontier}; the rows reach up to {step}, and it must not be below that",
            field="remembered.frontier",
        )


def _edit(message: run_pb2.Edit, path: str) -> LostEdit:
    if not 0 <= message.create_time.seconds < _YEAR_10000:
        raise InvalidArgument(
            f"{path}.create_time is {message.create_time.seconds} s; it must be a time from 1970 on and before the "
            "year 10000",
            field=f"{path}.create_time",
        )
    return LostEdit(
        run_uid="",
        request_id=names.check_request_id(message.request_id, f"{path}.request_id"),
        branch=decode.step(f"{path}.branch", message.branch),
        revision=decode.step(f"{path}.revision", message.revision),
        effective_step=decode.step(f"{path}.effective_step", message.effective_step),
        definition=decode.definition_of(message.replace.schedule, f"{path}.replace.schedule", checked=False),
        author=names.check_text(f"{path}.author", message.author, MAX_TEXT),
        reason=names.check_text(f"{path}.reason", message.reason, MAX_TEXT),
        created_at=message.create_time.ToMicroseconds(),
        found_at=0,
    )
