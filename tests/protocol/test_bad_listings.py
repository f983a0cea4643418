"""Page sizes, page tokens, filters and steps that a listing cannot take."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest
from google.protobuf.message import Message

from lrkeeper import schedules as S
from lrkeeper.v1.run_service_pb2 import ExplainRequest, GetRunRequest, ListBlocksRequest, ListRunsRequest
from lrkeeper.v1.schedule_service_pb2 import (
    DeleteScheduleRequest,
    GetScheduleRequest,
    ListSchedulesRequest,
    PreviewScheduleRequest,
    UpdateScheduleRequest,
)
from tests.protocol import jobs
from tests.protocol.watched import Watched
from tests.protocol.wire import Wire

Listing = tuple[Callable[[Wire], Callable[..., object]], Callable[[Watched], Message]]

LISTINGS: dict[str, Listing] = {
    "ListRuns": (lambda w: w.runs.ListRuns, lambda _: ListRunsRequest()),
    "ListBlocks": (lambda w: w.runs.ListBlocks, lambda watched: ListBlocksRequest(run=watched.run)),
    "ListSchedules": (lambda w: w.schedules.ListSchedules, lambda _: ListSchedulesRequest()),
}


REQUEST_ID = "8f14e45f-ceea-467f-a0e6-0a7d5c9a3b11"


def refused(watched: Watched, call: Callable[[], object], field: str, shown: str) -> None:
    refusal = watched.refuses(call)
    assert (refusal.status, refusal.reason) == ("INVALID_ARGUMENT", "InvalidArgument")
    assert refusal.details == {"field": field}
    assert field in refusal.message
    assert shown in refusal.message


@pytest.mark.parametrize("size", [-1, -(2**31)])
@pytest.mark.parametrize(("method", "request_of"), LISTINGS.values(), ids=LISTINGS)
def test_a_negative_page_size_is_refused(
    watched: Watched,
    method: Callable[[Wire], Callable[..., object]],
    request_of: Callable[[Watched], Message],
    size: int,
) -> None:
    request = request_of(watched)
    setattr(request, "page_size", size)  # noqa: B010 - the messages share the field, not a type
    refused(watched, lambda: method(watched.wire)(request), "page_size", str(size))


@pytest.mark.parametrize(("method", "request_of"), LISTINGS.values(), ids=LISTINGS)
def test_a_huge_page_size_is_clamped(
    watched: Watched,
    method: Callable[[Wire], Callable[..., object]],
    request_of: Callable[[Watched], Message],
) -> None:
    request = request_of(watched)
    setattr(request, "page_size", 10**9)  # noqa: B010
    assert method(watched.wire)(request) is not None


TOKENS = {
    "words": "the next page, please",
    "base64": base64.urlsafe_b64encode(b"a" * 40).decode(),
    "a short one": "YQ==",
    "letters beyond ASCII": "\u5b66" * 20,
    "64 KiB": "a" * 65536,
}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
@pytest.mark.parametrize(("method", "request_of"), LISTINGS.values(), ids=LISTINGS)
def test_a_made_up_page_token_is_refused(
    watched: Watched,
    method: Callable[[Wire], Callable[..., object]],
    request_of: Callable[[Watched], Message],
    token: str,
) -> None:
    request = request_of(watched)
    setattr(request, "page_token", token)  # noqa: B010
    refused(watched, lambda: method(watched.wire)(request), "page_token", "next_page_token")


@pytest.fixture
def run_token(watched: Watched) -> str:
    """A token of the listing of active runs of one team."""
    for _ in range(2):
        jobs.begun(watched.client, labels={"team": "tea"})
    token = watched.wire.runs.ListRuns(
        ListRunsRequest(page_size=1, labels={"team": "tea"}, state=1)
    ).next_page_token
    assert token
    return token


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(ListRunsRequest(), id="no filter"),
        pytest.param(ListRunsRequest(labels={"team": "tea"}), id="no state"),
        pytest.param(ListRunsRequest(labels={"team": "tea"}, state=2), id="another state"),
        pytest.param(ListRunsRequest(labels={"team": "coffee"}, state=1), id="another label"),
    ],
)
def test_a_page_token_of_another_filter_is_refused(
    watched: Watched, run_token: str, request_: ListRunsRequest
) -> None:
    request_.page_token = run_token
    refused(watched, lambda: watched.wire.runs.ListRuns(request_), "page_token", "same filter")


def test_a_page_token_of_another_listing_is_refused(watched: Watched, run_token: str) -> None:
    blocks = ListBlocksRequest(run=watched.run, page_token=run_token)
    schedules = ListSchedulesRequest(page_token=run_token)
    refused(watched, lambda: watched.wire.runs.ListBlocks(blocks), "page_token", "listing")
    refused(watched, lambda: watched.wire.schedules.ListSchedules(schedules), "page_token", "listing")


def test_a_page_token_of_another_run_is_refused(watched: Watched) -> None:
    place = jobs.stepped(watched.client, jobs.begun(watched.client), 1)
    for step in (2, 3):
        jobs.ask(watched.client, place, step)
    token = watched.wire.runs.ListBlocks(ListBlocksRequest(run=place.run, page_size=1)).next_page_token
    request = ListBlocksRequest(run=watched.run, page_size=1, page_token=token)
    refused(watched, lambda: watched.wire.runs.ListBlocks(request), "page_token", "listing")


def test_a_page_token_with_a_changed_letter_is_refused(watched: Watched, run_token: str) -> None:
    for place in range(0, len(run_token) - 4, 7):
        letter = "A" if run_token[place] != "A" else "B"
        request = ListRunsRequest(
            labels={"team": "tea"}, state=1, page_token=run_token[:place] + letter + run_token[place + 1 :]
        )
        refused(watched, lambda request=request: watched.wire.runs.ListRuns(request), "page_token", "listing")


def test_an_unknown_state_is_refused(watched: Watched) -> None:
    request = ListRunsRequest(state=99)  # type: ignore[arg-type]  # the wire takes any number
    refused(watched, lambda: watched.wire.runs.ListRuns(request), "state", "99")


def test_a_filter_of_too_many_labels_is_refused(watched: Watched) -> None:
    request = ListRunsRequest(labels={f"key{i}": "" for i in range(17)})
    refused(watched, lambda: watched.wire.runs.ListRuns(request), "labels", "17")


@pytest.mark.parametrize("step", [-1, 2**53, 2**63 - 1])
def test_a_step_that_is_none_is_refused(watched: Watched, step: int) -> None:
    blocks = ListBlocksRequest(run=watched.run, from_step=step)
    refused(watched, lambda: watched.wire.runs.ListBlocks(blocks), "from_step", str(step))
    explain = ExplainRequest(run=watched.run, step=step)
    refused(watched, lambda: watched.wire.runs.Explain(explain), "step", str(step))


@pytest.mark.parametrize("step", [4, 2**53 - 1])
def test_a_step_that_is_not_committed_cannot_be_explained(watched: Watched, step: int) -> None:
    refusal = watched.refuses(lambda: watched.wire.runs.Explain(ExplainRequest(run=watched.run, step=step)))
    assert (refusal.status, refusal.reason) == ("OUT_OF_RANGE", "StepOutOfRange")
    assert refusal.details == {"frontier": "4"}
    assert f"step {step}" in refusal.message


@pytest.mark.parametrize("branch", [0, 2, -1])
def test_an_unknown_branch_is_not_found(watched: Watched, branch: int) -> None:
    for call in (
        lambda: watched.wire.runs.Explain(ExplainRequest(run=watched.run, step=1, branch=branch)),
        lambda: watched.wire.runs.ListBlocks(ListBlocksRequest(run=watched.run, branch=branch)),
    ):
        refusal = watched.refuses(call)
        assert (refusal.status, refusal.reason) == ("NOT_FOUND", "BranchNotFound")
        assert f"no branch {branch}" in refusal.message


def test_an_unknown_run_is_not_found(watched: Watched) -> None:
    name = jobs.new_name()
    for call in (
        lambda: watched.wire.runs.GetRun(GetRunRequest(run=name)),
        lambda: watched.wire.runs.Explain(ExplainRequest(run=name, step=1)),
        lambda: watched.wire.runs.ListBlocks(ListBlocksRequest(run=name)),
    ):
        refusal = watched.refuses(call)
        assert (refusal.status, refusal.reason) == ("NOT_FOUND", "RunNotFound")
        assert refusal.details == {"run": name}
        assert repr(name) in refusal.message


@pytest.mark.parametrize("revision", [0, -1, 2, 2**63 - 1])
def test_an_unknown_revision_of_a_schedule_is_not_found(watched: Watched, revision: int) -> None:
    stored = watched.client.create_schedule(jobs.new_name("schedule"), S.StepLR(3))
    request = GetScheduleRequest(name=stored.name, revision=revision)
    refusal = watched.refuses(lambda: watched.wire.schedules.GetSchedule(request))
    assert (refusal.status, refusal.reason) == ("NOT_FOUND", "ScheduleNotFound")
    assert f"revision {revision}" in refusal.message
    assert repr(stored.name) in refusal.message


def test_an_unknown_schedule_is_not_found(watched: Watched) -> None:
    name = jobs.new_name("schedule")
    stubs = watched.wire.schedules
    update = UpdateScheduleRequest(name=name, etag="some/1", request_id=REQUEST_ID)
    update.schedule.step_lr.step_size = 4
    for call in (
        lambda: stubs.GetSchedule(GetScheduleRequest(name=name)),
        lambda: stubs.DeleteSchedule(DeleteScheduleRequest(name=name)),
        lambda: stubs.PreviewSchedule(PreviewScheduleRequest(name=name, steps=1)),
        lambda: stubs.UpdateSchedule(update),
    ):
        refusal = watched.refuses(call)
        assert (refusal.status, refusal.reason) == ("NOT_FOUND", "ScheduleNotFound")
        assert repr(name) in refusal.message


@pytest.mark.parametrize(
    ("fields", "status", "reason", "shown"),
    [
        ({"steps": 0}, "OUT_OF_RANGE", "StepOutOfRange", "steps is 0"),
        ({"steps": -1}, "OUT_OF_RANGE", "StepOutOfRange", "steps is -1"),
        ({"steps": 100_001}, "OUT_OF_RANGE", "StepOutOfRange", "steps is 100001"),
        ({"steps": 1, "first_step": -1}, "OUT_OF_RANGE", "StepOutOfRange", "first_step is -1"),
        (
            {"steps": 1, "first_step": 10_000_001},
            "OUT_OF_RANGE",
            "StepOutOfRange",
            "first_step is 10000001",
        ),
        ({"steps": 1, "base_lrs": [float("nan")]}, "INVALID_ARGUMENT", "InvalidArgument", "base_lrs"),
        ({"steps": 1, "base_lrs": [0.1] * 10_001}, "INVALID_ARGUMENT", "InvalidArgument", "base_lrs"),
    ],
)
def test_a_preview_without_bounds_is_refused(
    watched: Watched, fields: dict[str, object], status: str, reason: str, shown: str
) -> None:
    request = PreviewScheduleRequest(**fields)  # type: ignore[arg-type]
    request.schedule.step_lr.step_size = 3
    refusal = watched.refuses(lambda: watched.wire.schedules.PreviewSchedule(request))
    assert (refusal.status, refusal.reason) == (status, reason)
    assert shown in refusal.message


@pytest.mark.parametrize("etag", ["some/1", "\u5b66", "a" * 10240])
def test_an_etag_that_is_not_the_heads_is_aborted(watched: Watched, etag: str) -> None:
    stored = watched.client.create_schedule(jobs.new_name("schedule"), S.StepLR(3))
    update = UpdateScheduleRequest(name=stored.name, etag=etag, request_id=REQUEST_ID)
    update.schedule.step_lr.step_size = 4
    for call in (
        lambda: watched.wire.schedules.UpdateSchedule(update),
        lambda: watched.wire.schedules.DeleteSchedule(DeleteScheduleRequest(name=stored.name, etag=etag)),
    ):
        refusal = watched.refuses(call)
        assert (refusal.status, refusal.reason) == ("ABORTED", "StaleEtag")
        assert refusal.details == {"etag": stored.etag}
        assert refusal.message.startswith("etag is ")
