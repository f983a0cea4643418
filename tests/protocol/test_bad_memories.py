"""What a job remembers, where it does not hold together."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lrkeeper import messages
from lrkeeper.v1.run_service_pb2 import AcquireRunRequest
from tests.protocol.restored import a_job
from tests.protocol.watched import Watched

BAD = {
    "no checkpoint": (lambda r: r.ClearField("checkpoint"), "checkpoint"),
    "a run that is no uuid": (lambda r: setattr(r.checkpoint, "run_uid", "x"), "checkpoint.run_uid"),
    "groups are added": (lambda r: setattr(r, "adds_groups", True), "remembered"),
    "no fence": (lambda r: r.remembered.ClearField("fence"), "remembered.fence"),
    "no branch": (lambda r: r.remembered.ClearField("branch"), "remembered.branch"),
    "a fence below 0": (lambda r: setattr(r.remembered, "fence", -1), "remembered.fence"),
    "a frontier below the rows": (lambda r: setattr(r.remembered, "frontier", 9), "remembered.frontier"),
    "rows of no step": (lambda r: r.remembered.rows[1].ClearField("values"), "remembered.rows[1].values"),
    "rows with a wrong checksum": (
        lambda r: setattr(r.remembered.rows[1].values, "crc32", 7),
        "remembered.rows[1].values",
    ),
    "rows with a gap": (lambda r: r.remembered.rows.pop(1), "remembered.rows[1].values"),
    "no definition": (lambda r: r.remembered.rows[2].ClearField("schedule"), "remembered.rows[2].schedule"),
    "no cursor": (lambda r: r.remembered.rows[2].ClearField("cursor"), "remembered.rows[2].cursor"),
    "a cursor of another step": (
        lambda r: setattr(r.remembered.rows[2], "cursor_step", 3),
        "remembered.rows[2].cursor_step",
    ),
    "given to more than a step": (
        lambda r: setattr(r.remembered.rows[2].given, "metric", 3.0),
        "remembered.rows[2].given",
    ),
    "an edit without an id": (lambda r: r.remembered.edits.add(), "remembered.edits[0].request_id"),
}


@pytest.mark.parametrize(("change", "field"), BAD.values(), ids=BAD)
def test_what_does_not_hold_together_is_refused(
    watched: Watched, change: Callable[[AcquireRunRequest], object], field: str
) -> None:
    job = a_job(watched.client).hold(10).hold(20).hold(30)
    request = messages.acquire_request(job.start())
    # More than the server has, so that it is looked at.
    longer = job.hold(40).remembered()
    request.remembered.CopyFrom(messages.acquire_request(job.start(longer)).remembered)
    change(request)
    refusal = watched.refuses(lambda: watched.wire.runs.AcquireRun(request))
    assert (refusal.status, refusal.details) == ("INVALID_ARGUMENT", {"field": field})
    assert refusal.message.startswith(field)
