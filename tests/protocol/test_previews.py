"""PreviewSchedule: what a definition would give, and nothing stored."""

from __future__ import annotations

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import InvalidArgument, ScheduleFails, StepOutOfRange
from lrkeeper.schedules.pace import Pace
from tests.protocol import jobs
from tests.protocol.stored import contents
from tests.protocol.watched import Watched

FAILS_AT_10 = S.SequentialLR((S.StepLR(2, gamma=0.5), S.SequentialLR((S.StepLR(3),), ())), (10,))


def test_it_has_the_values_of_torch(client: Client) -> None:
    preview = client.preview_schedule(S.StepLR(3, gamma=0.7), 50, base_lrs=[0.1, 0.003])
    assert (preview.table.first_step, preview.failure) == (0, None)
    assert jobs.bits(preview.table) == jobs.torch_bits(jobs.torch_step(0.7, 3), 50, (0.1, 0.003))


def test_it_begins_where_it_is_asked_to(client: Client) -> None:
    whole = jobs.bits(client.preview_schedule(S.StepLR(3, gamma=0.7), 100).table)
    for first, steps in ((0, 1), (1, 5), (7, 40), (99, 1)):
        part = client.preview_schedule(S.StepLR(3, gamma=0.7), steps, first_step=first)
        assert part.table.first_step == first
        assert jobs.bits(part.table) == whole[first : first + steps]


def test_without_base_lrs_it_is_one_group_of_a_tenth(client: Client) -> None:
    assert jobs.bits(client.preview_schedule(S.StepLR(3), 1).table) == [((0.1).hex(),)]


def test_it_may_have_a_hundred_thousand_steps(client: Client) -> None:
    preview = client.preview_schedule(S.StepLR(1000, gamma=0.9), 100_000)
    assert preview.table.count == 100_000


def test_the_last_step_that_may_be_named_is_reached(client: Client) -> None:
    preview = client.preview_schedule(S.StepLR(100_000, gamma=0.9), 1, first_step=1_000_000)
    assert jobs.bits(preview.table) == jobs.bits(
        client.preview_schedule(S.StepLR(1, gamma=0.9), 1, first_step=10).table
    )


def test_its_rows_end_where_torch_would_raise(client: Client) -> None:
    preview = client.preview_schedule(FAILS_AT_10, 50)
    assert preview.table.count == 10
    assert preview.failure is not None
    assert (preview.failure.step, preview.failure.type) == (10, "NotImplementedError")
    assert client.preview_schedule(FAILS_AT_10, 10).failure is None
    late = client.preview_schedule(FAILS_AT_10, 3, first_step=8)
    assert (late.table.count, late.failure) == (2, preview.failure)


@pytest.mark.parametrize("first", [10, 11, 500])
def test_beyond_that_step_there_is_none(client: Client, first: int) -> None:
    with pytest.raises(ScheduleFails, match="cannot get beyond step 9") as caught:
        client.preview_schedule(FAILS_AT_10, 5, first_step=first)
    assert caught.value.details == {"step": "10"}


def test_a_stored_schedule_is_shown_as_it_is_now(client: Client) -> None:
    stored = client.create_schedule(jobs.new_name("schedule"), S.StepLR(3))
    assert client.preview_schedule(stored.name, 9).schedule == S.StepLR(3)
    client.update_schedule(stored.name, S.MultiStepLR([2]), etag=stored.etag)
    preview = client.preview_schedule(stored.name, 9)
    assert preview.schedule == S.MultiStepLR([2])
    assert preview == client.preview_schedule(S.MultiStepLR([2]), 9)


def test_nothing_is_stored(watched: Watched) -> None:
    before = contents(watched.server)
    watched.client.preview_schedule(S.StepLR(3), 1000, first_step=50)
    watched.client.preview_schedule(FAILS_AT_10, 50)
    assert contents(watched.server) == before


FALL = S.Ramp(10**9, begin=0.5, end=0)


def test_any_step_of_a_schedule_in_closed_form_may_be_named(client: Client) -> None:
    schedule = S.Ramp(1000, begin=0).then(S.Ramp(10**9, end=0), at=1000)
    table = client.preview_schedule(schedule, 3, first_step=10**9 + 998).table
    assert [table.row(step)["lr"][0] > 0 for step in range(10**9 + 998, 10**9 + 1001)] == [True, True, False]
    assert client.preview_schedule(S.Repeat(FALL, 10**9), 1, first_step=10**15).table.row(10**15) == {
        "lr": (0.5,)
    }
    with pytest.raises(StepOutOfRange, match="first_step is 9007199254740992; it must be from 0 to"):
        client.preview_schedule(FALL, 1, first_step=1 << 53)
    with pytest.raises(StepOutOfRange, match="first_step is 10000001; it must be from 0 to 10000000"):
        client.preview_schedule(S.StepLR(3), 1, first_step=10_000_001)


def test_a_schedule_in_closed_form_without_a_value_there_is_refused(client: Client) -> None:
    fails = S.Expression("1 / (step - 10 ** 9)")
    preview = client.preview_schedule(fails, 5, first_step=10**9 - 2)
    assert preview.table.count == 2
    assert preview.failure is not None
    assert preview.failure.step == 10**9
    with pytest.raises(ScheduleFails, match="division by zero"):
        client.preview_schedule(fails, 5, first_step=10**9)


def test_a_schedule_that_counts_tokens_says_what_it_needs(client: Client) -> None:
    schedule = S.Ramp(S.Span(tokens=1e9), begin=0)
    found = client.preview_schedule(schedule, 1, first_step=5, pace=Pace(tokens_per_step=1e8))
    assert found.table.row(5) == {"lr": (0.05,)}
    with pytest.raises(
        InvalidArgument, match=r"the schedule counts tokens, so a preview needs pace\.tokens_per_step"
    ):
        client.preview_schedule(schedule, 1, first_step=5)
