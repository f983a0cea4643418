"""What a step learns from outside: stored with it, and the first report decides."""

from __future__ import annotations

from typing import Any

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import CheckpointAhead, InvalidArgument, StepOutOfRange
from lrkeeper.schedules.cursor import Cursor
from lrkeeper.schedules.given import Given
from lrkeeper.schedules.table import Table
from lrkeeper.v1.run_pb2 import Given as GivenMessage
from lrkeeper.v1.run_pb2 import Seen
from lrkeeper.v1.run_service_pb2 import NextLrRequest
from lrkeeper.views import Origin, Place, Window
from tests.protocol import jobs
from tests.protocol.watched import Watched

PLATEAU = S.ReduceLROnPlateau(factor=0.5, patience=0)


def tell(client: Client, place: Place, step: int, given: Given, *, count: int = 1) -> Window:
    return client.next_lr(place, step, count, applied_step=step - 1, revision=place.revision, given=given)


def lr(window: Window) -> float:
    assert window.table is not None
    (value,) = window.table.row(window.table.first_step)["lr"]
    return value


def test_the_first_report_of_a_step_decides_for_all_ranks(client: Client) -> None:
    place = jobs.begun(client, schedule=PLATEAU, world_size=2)
    assert lr(tell(client, place, 1, Given(metric=1.0))) == 0.1
    first = tell(client, place, 2, Given(metric=2.0))
    other = tell(client, jobs.at_rank(place, 1), 2, Given(metric=0.5))
    assert (lr(first), lr(other)) == (0.05, 0.05)
    assert client.explain(place.run, 2).given == Given(metric=2.0)


def test_a_repeated_report_changes_nothing(client: Client) -> None:
    place = jobs.begun(client, schedule=PLATEAU)
    for metric in (1.0, 2.0, 2.0):
        tell(client, place, 1, Given(metric=metric))
    assert lr(tell(client, place, 2, Given(metric=3.0))) == 0.05
    assert [block.given.metric for block in client.list_blocks(place.run)] == [1.0, 3.0]


def test_a_step_without_what_its_schedule_needs_is_a_failure_and_moves_nothing(client: Client) -> None:
    for schedule, type_ in ((PLATEAU, "TypeError"), (S.MultiplicativeLR(), "ValueError")):
        place = jobs.begun(client, schedule=schedule)
        window = jobs.ask(client, place, 1)
        assert window.failure is not None
        assert (window.table, window.failure.step, window.failure.type) == (None, 1, type_)
        assert client.get_run(place.run).frontier == 1


def test_what_other_code_wrote_is_where_the_recursion_goes_on(client: Client) -> None:
    place = jobs.begun(client, schedule=S.ExponentialLR(0.5))
    jobs.ask(client, place, 1)
    assert lr(tell(client, place, 2, Given(seen={"lr": (3.0,)}))) == 1.5
    assert lr(jobs.ask(client, place, 3)) == 0.75


def test_a_report_may_only_be_of_the_next_step(client: Client) -> None:
    place = jobs.begun(client, schedule=PLATEAU)
    with pytest.raises(StepOutOfRange, match="can only be the next one"):
        client.next_lr(place, 3, applied_step=2, revision=1, given=Given(metric=1.0))
    assert client.get_run(place.run).frontier == 1


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    "two steps": ({"count": 2, "given": GivenMessage(metric=1.0)}, "count", "must be 1"),
    "an epoch that is none": ({"given": GivenMessage(epoch=float("nan"))}, "given.epoch", "nan"),
    "values of a track that the run has not": (
        {"given": GivenMessage(seen=[Seen(track="momentum", values=[0.1, 0.2])])},
        "given.seen",
        "momentum",
    ),
    "values of more groups": (
        {"given": GivenMessage(seen=[Seen(track="lr", values=[0.1, 0.2, 0.3])])},
        "given.seen",
        "3",
    ),
    "a track's name that is none": (
        {"given": GivenMessage(seen=[Seen(track="l r", values=[0.1, 0.2])])},
        "given.seen[0].track",
        "l r",
    ),
    "too many factors": (
        {"given": GivenMessage(factors=[1.0] * 100_001)},
        "given.factors",
        "100001",
    ),
}


@pytest.mark.parametrize(("fields", "field", "shown"), BAD.values(), ids=BAD)
def test_what_makes_no_sense_is_refused(
    watched: Watched, fields: dict[str, Any], field: str, shown: str
) -> None:
    place = watched.place
    request = NextLrRequest(
        run_uid=place.run_uid,
        store_epoch=place.store_epoch,
        fence=place.fence,
        branch=place.branch,
        from_step=4,
        applied_step=3,
        revision=1,
        **{"count": 1, **fields},
    )
    refusal = watched.refuses(lambda: watched.wire.runs.NextLr(request))
    assert (refusal.status, refusal.details) == ("INVALID_ARGUMENT", {"field": field})
    assert shown in refusal.message


# A run that begins where its job stands.


def where_it_stands(step: int, lr: float, schedule: S.Schedule) -> Origin:
    cursor = Cursor(step, step, {"lr": (lr,)})
    return Origin(schedule, cursor.to_json(cursor.row), step, Table.from_rows(step, [cursor.row]))


def test_a_run_begins_where_its_job_stands_and_is_taken_there_again(client: Client) -> None:
    schedule = S.StepLR(10, gamma=0.5)
    start = jobs.a_start(jobs.new_name(), schedule=schedule, origin=where_it_stands(18, 0.05, schedule))
    place = client.acquire_run(start)
    assert (place.resume_step, place.created, place.values.row(18)) == (18, True, {"lr": (0.05,)})
    assert [lr(jobs.ask(client, place, step)) for step in (19, 20, 21)] == [0.05, 0.025, 0.025]
    again = client.acquire_run(
        jobs.a_start(
            start.run,
            schedule=schedule,
            origin=where_it_stands(20, 7.0, schedule),
            on_existing="takeover",
        )
    )
    assert (again.resume_step, again.created, again.values.row(20)) == (20, False, {"lr": (0.025,)})


def test_a_job_that_stands_beyond_the_run_is_refused(client: Client) -> None:
    schedule = S.StepLR(10, gamma=0.5)
    place = jobs.begun(client, schedule=schedule)
    start = jobs.a_start(
        place.run, schedule=schedule, origin=where_it_stands(18, 0.05, schedule), on_existing="takeover"
    )
    with pytest.raises(
        CheckpointAhead, match=r"the job stands at step 18, but run .* has only the steps below 1"
    ):
        client.acquire_run(start)


def test_a_metric_that_is_no_number_is_a_bad_epoch_as_in_torch(client: Client) -> None:
    place = jobs.begun(client, schedule=PLATEAU)
    assert lr(tell(client, place, 1, Given(metric=float("nan")))) == 0.05
    with pytest.raises(InvalidArgument, match="with given it must be 1"):
        tell(client, place, 2, Given(metric=1.0), count=2)
