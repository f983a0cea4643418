"""Progress: schedules that count tokens, samples or epochs go by the totals that a job tells at every step."""

from __future__ import annotations

from itertools import accumulate
from operator import mul
from typing import Any

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import InvalidArgument, ScheduleFails
from lrkeeper.schedules.given import Given
from lrkeeper.v1.run_pb2 import Given as GivenMessage
from lrkeeper.v1.run_pb2 import Progress
from lrkeeper.v1.run_service_pb2 import NextLrRequest
from lrkeeper.views import Origin, Place, Window
from tests.protocol import jobs
from tests.protocol.watched import Watched

TOKENS = S.Ramp(over=S.Span(tokens=1000), begin=S.Level(relative=1), end=S.Level(absolute=0))
"""From 0.1 to 0 in 1000 tokens."""


def tell(client: Client, place: Place, step: int, **totals: float) -> Window:
    given = Given(progress=totals or None)
    return client.next_lr(place, step, applied_step=step - 1, revision=place.revision, given=given)


def lr(window: Window) -> float:
    assert window.table is not None, window.failure
    (value,) = window.table.row(window.table.first_step)["lr"]
    return value


def test_the_values_are_those_of_the_totals_whatever_a_step_added(client: Client) -> None:
    place = jobs.begun(client, schedule=TOKENS)
    assert place.values.row(0) == {"lr": (0.1,)}
    totals = (100.0, 100.0, 350.0, 1000.0, 5000.0)
    found = [lr(tell(client, place, step, tokens=total)) for step, total in enumerate(totals, start=1)]
    assert found == pytest.approx([0.09, 0.09, 0.065, 0.0, 0.0], abs=1e-15)


def test_a_repeat_with_other_totals_gets_the_same_bits_and_changes_nothing(client: Client) -> None:
    place = jobs.begun(client, schedule=TOKENS, world_size=2)
    first = tell(client, place, 1, tokens=100.0)
    assert [lr(tell(client, place, 1, tokens=total)) for total in (100.0, 7.0, 900.0)] == [lr(first)] * 3
    assert lr(tell(client, jobs.at_rank(place, 1), 1, tokens=200.0)) == lr(first)
    assert client.explain(place.run, 1).given == Given(progress={"tokens": 100.0})
    assert [block.given.progress for block in client.list_blocks(place.run)] == [{"tokens": 100.0}]


def test_totals_that_go_down_are_refused_with_both(client: Client) -> None:
    place = jobs.begun(client, schedule=TOKENS)
    tell(client, place, 1, tokens=300.0, samples=3.0)
    tell(client, place, 2, tokens=400.0)
    for totals, shown in (
        ({"tokens": 399.0}, "tokens is 399.0, and the run had 400.0"),
        ({"tokens": 500.0, "samples": 2.0}, "samples is 2.0, and the run had 3.0"),
    ):
        with pytest.raises(InvalidArgument, match=shown):
            tell(client, place, 3, **totals)
    assert client.get_run(place.run).frontier == 3
    assert lr(tell(client, place, 3, tokens=400.0)) == pytest.approx(0.06)


def test_a_server_that_was_restarted_still_knows_the_totals(own_server: Any) -> None:
    with Client(own_server.address) as client:
        place = jobs.begun(client, schedule=TOKENS)
        tell(client, place, 1, tokens=300.0)
        own_server.kill()
        own_server.start()
        with pytest.raises(InvalidArgument, match=r"tokens is 200.0, and the run had 300.0"):
            tell(client, place, 2, tokens=200.0)


def test_a_step_that_was_not_told_says_what_to_pass_and_nothing_moves(client: Client) -> None:
    place = jobs.begun(client, schedule=TOKENS)
    for window in (tell(client, place, 1), tell(client, place, 1, samples=5.0)):
        assert window.failure is not None
        assert (window.table, window.failure.step, window.failure.type) == (None, 1, "NotTold")
        assert "counts tokens" in window.failure.message
        assert "use step(tokens=…)" in window.failure.message
    assert client.get_run(place.run).frontier == 1


def test_several_steps_are_not_told_at_once(client: Client) -> None:
    place = jobs.begun(client, schedule=TOKENS)
    with pytest.raises(InvalidArgument, match="with given it must be 1"):
        client.next_lr(place, 1, 2, applied_step=0, revision=1, given=Given(progress={"tokens": 5.0}))


BAD = {
    "less than nothing": (Progress(tokens=-1.0), "given.progress.tokens", "-1.0"),
    "no number": (Progress(samples=float("nan")), "given.progress.samples", "nan"),
    "no end": (Progress(tokens=1.0, epochs=float("inf")), "given.progress.epochs", "inf"),
}


@pytest.mark.parametrize(("progress", "field", "shown"), BAD.values(), ids=BAD)
def test_a_total_that_is_none_is_refused(
    watched: Watched, progress: Progress, field: str, shown: str
) -> None:
    place = watched.place
    request = NextLrRequest(
        run_uid=place.run_uid,
        store_epoch=place.store_epoch,
        fence=place.fence,
        branch=place.branch,
        from_step=4,
        count=1,
        applied_step=3,
        revision=1,
        given=GivenMessage(progress=progress),
    )
    refusal = watched.refuses(lambda: watched.wire.runs.NextLr(request))
    assert (refusal.status, refusal.details) == ("INVALID_ARGUMENT", {"field": field})
    assert f"{field} is {shown}" in refusal.message


def test_progress_that_the_schedule_does_not_count_is_kept_with_the_step(client: Client) -> None:
    place = jobs.begun(client)
    assert lr(tell(client, place, 1, tokens=10.0, epochs=0.5)) == 0.05
    assert client.explain(place.run, 1).given.progress == {"tokens": 10.0, "epochs": 0.5}


# Edits.


def test_a_run_that_counts_steps_is_made_to_count_tokens(client: Client) -> None:
    place = jobs.begun(client, schedule=S.StepLR(100))
    for step in range(1, 5):
        tell(client, place, step, tokens=step * 100.0)
    edited = client.edit_run(place.run, TOKENS, expected_revision=1, reason="the batch grows")
    assert (edited.effective_step, edited.preview.first_step, edited.preview.count) == (5, 4, 1)
    assert edited.preview.row(4) == {"lr": (0.1,)}
    assert edited.failure is not None
    assert (edited.failure.step, edited.failure.type) == (5, "NotTold")
    assert jobs.ask(client, place, 5).table is None
    with pytest.raises(InvalidArgument, match=r"the run had 400.0 before"):
        tell(client, place, 5, tokens=399.0)
    assert lr(tell(client, place, 5, tokens=500.0)) == pytest.approx(0.05)
    assert lr(tell(client, place, 6, tokens=900.0)) == pytest.approx(0.01)


@pytest.mark.parametrize("dry", [False, True])
def test_the_preview_of_an_edit_has_what_is_known(client: Client, dry: bool) -> None:
    place = jobs.begun(client, schedule=TOKENS)
    tell(client, place, 1, tokens=250.0)

    def edit(schedule: S.Schedule) -> Any:
        return client.edit_run(
            place.run, schedule, expected_revision=1, reason="r", at_step=4, validate_only=dry
        )

    edited = edit(S.Ramp(over=S.Span(tokens=7)) if dry else jobs.HALVING)
    if dry:
        assert (edited.preview.first_step, edited.preview.count) == (1, 1)
        assert edited.preview.row(1)["lr"] == pytest.approx((0.075,))
        assert (edited.failure.step, edited.failure.type) == (4, "NotTold")
        assert edit(jobs.HALVING).preview.first_step == 4
    else:
        assert (edited.preview.first_step, edited.preview.count, edited.failure) == (4, 4, None)
        tell(client, place, 2, tokens=300.0)
        tell(client, place, 3, tokens=300.0)
        assert lr(jobs.ask(client, place, 4)) == 0.1 * 0.5**4


def test_an_edit_far_ahead_waits_for_its_step(client: Client) -> None:
    place = jobs.begun(client)
    edited = client.edit_run(place.run, TOKENS, expected_revision=1, reason="r", at_step=200_000)
    assert edited.effective_step == 200_000
    assert edited.preview.first_step == 199_999


# Checkpoints.


def test_a_checkpoint_carries_the_totals_to_another_server(client: Client) -> None:
    place = jobs.begun(client, schedule=TOKENS)
    tell(client, place, 1, tokens=100.0)
    second = tell(client, place, 2, tokens=300.0)
    assert second.table is not None
    origin = Origin(TOKENS, second.cursor, second.cursor_step, second.table, second.given)
    moved = client.acquire_run(jobs.a_start(jobs.new_name(), schedule=TOKENS, origin=origin))
    assert (moved.resume_step, moved.values.row(2)) == (2, second.table.row(2))
    with pytest.raises(InvalidArgument, match=r"the run had 300.0 before"):
        tell(client, moved, 3, tokens=200.0)
    assert lr(tell(client, moved, 3, tokens=400.0)) == pytest.approx(0.06)


def test_groups_that_are_added_go_by_the_same_totals(client: Client) -> None:
    start = jobs.a_start(jobs.new_name(), schedule=TOKENS)
    place = client.acquire_run(start)
    tell(client, place, 1, tokens=500.0)
    groups = (*start.groups, jobs.a_group(1.0))
    grown = client.acquire_run(
        jobs.a_start(
            start.run,
            incarnation=start.incarnation,
            schedule=TOKENS,
            groups=groups,
            checkpoint=jobs.checkpoint_of(place, 1),
            adds_groups=True,
        )
    )
    with pytest.raises(InvalidArgument, match=r"the run had 500.0 before"):
        tell(client, grown, 2, tokens=400.0)
    window = tell(client, grown, 2, tokens=750.0)
    assert window.table is not None
    assert window.table.row(2)["lr"] == pytest.approx((0.025, 0.25))


# Previews.


def test_a_preview_goes_at_an_even_pace(client: Client) -> None:
    from lrkeeper.schedules.pace import Pace

    whole = client.preview_schedule(TOKENS, 12, pace=Pace(tokens_per_step=100)).table
    assert list(whole.column(0)) == pytest.approx([0.1 - 0.01 * min(k, 10) for k in range(12)], abs=1e-15)
    late = client.preview_schedule(TOKENS, 3, first_step=7, pace=Pace(tokens_per_step=100)).table
    assert late == whole.cut(7, 10)
    epochs = S.Ramp(over=S.Span(epochs=49), counting="from_zero")
    table = client.preview_schedule(epochs, 2, first_step=49 * 49, pace=Pace(steps_per_epoch=49)).table
    assert list(table.column(0)) == [0.1, 0.1]


def test_a_preview_without_a_pace_says_which_it_needs(client: Client) -> None:
    with pytest.raises(InvalidArgument, match=r"counts tokens, so a preview needs pace.tokens_per_step"):
        client.preview_schedule(TOKENS, 5)


# Windows.


def tell_ahead(client: Client, place: Place, step: int, *totals: float, applied: int | None = None) -> Window:
    """Ask for as many steps as there are totals."""
    first, *later = totals
    return client.next_lr(
        place,
        step,
        len(totals),
        applied_step=step - 1 if applied is None else applied,
        revision=place.revision,
        given=Given(progress={"tokens": first}),
        ahead=[Given(progress={"tokens": total}) for total in later],
    )


def column(window: Window) -> list[float]:
    assert window.table is not None, window.failure
    return list(window.table.column(0))


def test_a_job_that_knows_its_totals_ahead_is_given_a_window(client: Client) -> None:
    singly, place = jobs.begun(client, schedule=TOKENS), jobs.begun(client, schedule=TOKENS)
    totals = [100.0 * step for step in range(1, 13)]
    one_by_one = [lr(tell(client, singly, step, tokens=total)) for step, total in enumerate(totals, start=1)]
    window = tell_ahead(client, place, 1, *totals)
    assert (column(window), window.frontier) == (one_by_one, 13)
    assert [block.given.progress for block in client.list_blocks(place.run)] == [
        {"tokens": t} for t in totals
    ]
    assert client.explain(place.run, 7).given.progress == {"tokens": 700.0}
    again = tell_ahead(client, place, 1, *[1.0] * 12, applied=0)
    assert (column(again), again.frontier) == (one_by_one, 13)


def test_of_a_window_that_is_committed_in_part_the_rest_follows(client: Client) -> None:
    place = jobs.begun(client, schedule=TOKENS)
    first = tell_ahead(client, place, 1, 100.0, 200.0, 300.0)
    window = tell_ahead(client, place, 2, 999.0, 300.0, 400.0, 500.0, applied=1)
    assert column(window)[:2] == column(first)[1:]
    assert column(window)[2:] == pytest.approx([0.06, 0.05])
    assert client.explain(place.run, 2).given.progress == {"tokens": 200.0}


def test_totals_that_go_down_within_a_window_are_refused_and_nothing_is_stored(client: Client) -> None:
    place = jobs.begun(client, schedule=TOKENS)
    with pytest.raises(InvalidArgument, match=r"ahead\[1\].progress.tokens is 150.0, and the run had 200.0"):
        tell_ahead(client, place, 1, 100.0, 200.0, 150.0)
    assert client.get_run(place.run).frontier == 1


def test_a_window_has_a_total_for_each_of_its_steps(client: Client) -> None:
    place = jobs.begun(client, schedule=TOKENS)
    with pytest.raises(
        InvalidArgument, match="count is 4; with given it must be 1, and one more for each step of"
    ):
        client.next_lr(
            place,
            1,
            4,
            applied_step=0,
            revision=1,
            given=Given(progress={"tokens": 1.0}),
            ahead=[Given(progress={"tokens": 2.0})],
        )
    with pytest.raises(InvalidArgument, match=r"ahead\[0\].progress.tokens"):
        client.next_lr(
            place,
            1,
            2,
            applied_step=0,
            revision=1,
            given=Given(progress={"tokens": 1.0}),
            ahead=[Given(progress={"tokens": -2.0})],
        )


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (Given(metric=0.5), "metric"),
        (Given(epoch=3.0), "epoch"),
        (Given(seen={"lr": (0.2,)}), "seen"),
        (Given(factors=(0.5,), metric=0.5), "metric"),
    ],
)
def test_what_nobody_knows_ahead_is_refused_and_nothing_is_stored(
    client: Client, given: Given, field: str
) -> None:
    place = jobs.begun(client, schedule=S.MultiplicativeLR())
    first = Given(factors=(0.5,))
    with pytest.raises(InvalidArgument, match=rf"ahead\[0\].{field} is set; what can be told ahead"):
        client.next_lr(place, 1, 2, applied_step=0, revision=1, given=first, ahead=[given])
    assert client.get_run(place.run).frontier == 1


def test_factors_ahead_are_each_their_rows_and_an_answer_says_which(client: Client) -> None:
    """Also where a row was committed with others: those are told."""
    place = jobs.begun(client, schedule=S.MultiplicativeLR())
    factors = [Given(factors=(1 / step,)) for step in range(2, 8)]
    window = client.next_lr(place, 1, 6, applied_step=0, revision=1, given=factors[0], ahead=factors[1:])
    assert (window.learned, window.cursor_step) == (tuple(factors), 0)
    expected = list(accumulate((given.factors[0] for given in factors), mul, initial=0.1))
    assert column(window) == expected[1:]
    late = [Given(factors=(2.0,))] * 4
    window = client.next_lr(place, 5, 4, applied_step=4, revision=1, given=late[0], ahead=late[1:])
    assert window.learned == (*factors[4:], *late[2:])
    assert column(window)[2:] == [2 * expected[-1], 4 * expected[-1]]
    alone = client.next_lr(place, 3, 1, applied_step=2, revision=1)
    assert (alone.given, alone.learned, alone.cursor_step) == (factors[2], (), 2)


def test_what_is_told_ahead_ends_where_an_edit_begins_that_the_rank_does_not_know(client: Client) -> None:
    """It is told of the steps of another definition."""
    place = jobs.begun(client, schedule=S.MultiplicativeLR())
    told = [Given(factors=(0.5,))] * 6

    def ask(step: int, revision: int) -> Window:
        return client.next_lr(
            place, step, 6, applied_step=step - 1, revision=revision, given=told[0], ahead=told[1:]
        )

    edit = client.edit_run(place.run, S.ExponentialLR(0.9), expected_revision=1, at_step=4, reason="other")
    assert edit.effective_step == 4
    assert ask(1, 1).frontier == 4
    first = ask(4, 1)
    assert (first.frontier, first.revision) == (5, edit.revision)
    assert ask(5, 1).frontier == 6
    assert ask(6, edit.revision).frontier == 12


def test_many_rows_that_learned_something_are_told_as_ever_where_nothing_is_told_ahead(
    client: Client,
) -> None:
    place = jobs.begun(client, schedule=S.MultiplicativeLR())
    factors = [Given(factors=(1 / step,)) for step in range(2, 8)]
    client.next_lr(place, 1, 6, applied_step=0, revision=1, given=factors[0], ahead=factors[1:])
    again = client.next_lr(place, 1, 6, applied_step=0, revision=1)
    assert (again.given, again.cursor_step, again.learned) == (factors[-1], 5, ())


def test_an_edit_to_what_only_the_whole_past_would_tell_says_so(client: Client) -> None:
    groups = tuple(jobs.a_group(0.1, name=name) for name in ("a", "b"))
    place = jobs.begun(client, schedule=TOKENS, groups=groups)
    for step in (1, 2, 3):
        tell(client, place, step, tokens=step * 100.0)
    mixed = S.Tracks([S.Track(TOKENS, group="a"), S.Track(S.StepLR(2), group="b")])
    with pytest.raises(ScheduleFails, match="cannot be given to a run that is under way"):
        client.edit_run(place.run, mixed, expected_revision=1, reason="r")
