"""EditRun: an operator's change acts once, from one step on, and says which."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from random import Random
from threading import Barrier
from uuid import uuid4

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import (
    EffectiveStepPassed,
    LrkeeperError,
    ScheduleNotFound,
    StaleRevision,
)
from lrkeeper.views import Edited
from tests.protocol import jobs
from tests.protocol.stored import contents
from tests.protocol.watched import Watched
from tests.support.server import ServerProcess

HALVING_BITS = jobs.torch_bits(jobs.torch_step(0.5), 200)
SLOW_BITS = jobs.torch_bits(jobs.torch_step(0.999), 200)


@pytest.mark.parametrize(
    ("at_step", "effective", "clamped"),
    [
        (None, 10, False),
        (0, 10, True),
        (3, 10, True),
        (9, 10, True),
        (10, 10, False),
        (11, 11, False),
        (60, 60, False),
    ],
)
def test_an_edit_acts_at_its_step_or_at_the_frontier(
    client: Client, at_step: int | None, effective: int, clamped: bool
) -> None:
    place = jobs.stepped(client, jobs.begun(client), 9)
    edited = client.edit_run(
        place.run, jobs.SLOW, expected_revision=1, reason="slower", at_step=at_step, author="operator@desk"
    )
    assert (edited.revision, edited.effective_step, edited.clamped) == (2, effective, clamped)
    expected = HALVING_BITS[:effective] + SLOW_BITS[effective:]
    assert edited.preview.first_step == effective - 1
    assert jobs.bits(edited.preview) == expected[effective - 1 : effective + 4]
    jobs.stepped(client, place, 99)
    assert jobs.read(client, place, 1, 100) == expected[1:100]
    (edit,) = client.get_run(place.run).edits
    assert (edit.revision, edit.branch, edit.effective_step) == (2, 1, effective)
    assert (edit.schedule, edit.author, edit.reason) == (jobs.SLOW, "operator@desk", "slower")


def test_a_run_that_has_not_stepped_is_edited_at_its_first_step(client: Client) -> None:
    place = jobs.begun(client)
    edited = client.edit_run(place.run, jobs.SLOW, expected_revision=1, reason="slower", at_step=0)
    assert (edited.effective_step, edited.clamped) == (1, True)
    assert edited.preview.first_step == 0
    assert jobs.bits(edited.preview) == SLOW_BITS[:5]
    jobs.stepped(client, place, 5)
    assert jobs.read(client, place, 1, 6) == SLOW_BITS[1:6]


def test_an_edit_of_the_far_future_switches_inside_one_request(client: Client) -> None:
    """Two blocks and two answers, since each has one revision; and both are evaluated as if from the start."""
    old, new = S.StepLR(1000, gamma=0.9), S.StepLR(777, gamma=0.7)
    place = jobs.begun(client, schedule=old)
    edited = client.edit_run(place.run, new, expected_revision=1, reason="later", at_step=100_000)
    assert (edited.effective_step, edited.clamped) == (100_000, False)
    jobs.stepped(client, place, 99_899)
    assert [b.revision for b in client.list_blocks(place.run, from_step=99_000)] == [1]
    window = jobs.ask(client, place, 99_900, 200)
    assert (window.frontier, window.revision, window.schedule) == (100_100, 1, None)
    later = jobs.ask(client, place, 100_000, 100)
    assert (later.frontier, later.revision, later.schedule) == (100_100, 2, new)
    before = jobs.torch_bits(jobs.torch_step(0.9, 1000), 100_000)
    after = jobs.torch_bits(jobs.torch_step(0.7, 777), 100_100)
    assert jobs.bits(window.table) + jobs.bits(later.table) == before[99_900:] + after[100_000:]
    blocks = [
        (b.table.first_step, b.table.end_step, b.revision)
        for b in client.list_blocks(place.run, from_step=99_900)
    ]
    assert blocks == [(99_900, 100_000, 1), (100_000, 100_100, 2)]


def test_of_pending_edits_each_acts_at_its_step(client: Client) -> None:
    place = jobs.begun(client)
    gammas = {30: 0.9, 10: 0.8, 20: 0.7}
    # The later ones come first, and so stay in force.
    for revision, step in enumerate(sorted(gammas), 1):
        client.edit_run(
            place.run, S.StepLR(1, gammas[step]), expected_revision=revision, reason="", at_step=step
        )
    jobs.ask(client, place, 1, 50)
    curves = {step: jobs.torch_bits(jobs.torch_step(gamma), 51) for step, gamma in gammas.items()}
    assert jobs.read(client, place, 1, 51) == (
        HALVING_BITS[1:10] + curves[10][10:20] + curves[20][20:30] + curves[30][30:51]
    )
    assert [b.revision for b in client.list_blocks(place.run)] == [1, 2, 3, 4]


def test_a_later_edit_at_an_earlier_step_ends_the_pending_ones(client: Client) -> None:
    place = jobs.begun(client)
    for revision, (step, gamma) in enumerate([(30, 0.9), (40, 0.8), (20, 0.7)], 1):
        client.edit_run(place.run, S.StepLR(1, gamma), expected_revision=revision, reason="", at_step=step)
    jobs.ask(client, place, 1, 60)
    last = jobs.torch_bits(jobs.torch_step(0.7), 61)
    assert jobs.read(client, place, 1, 61) == HALVING_BITS[1:20] + last[20:]
    assert client.get_run(place.run).schedule == S.StepLR(1, 0.7)


def test_an_edit_at_the_step_of_a_pending_one_takes_its_place(client: Client) -> None:
    place = jobs.begun(client)
    for revision, gamma in enumerate([0.9, 0.8], 1):
        client.edit_run(place.run, S.StepLR(1, gamma), expected_revision=revision, reason="", at_step=20)
    jobs.ask(client, place, 1, 40)
    assert jobs.read(client, place, 20, 41) == jobs.torch_bits(jobs.torch_step(0.8), 41)[20:]


@pytest.mark.parametrize("seed", range(3))
def test_values_are_those_of_the_latest_edit_at_or_below_the_step(client: Client, seed: int) -> None:
    """Edits come at any time, for any step; a plain list of curves says what must come of it."""
    chance = Random(seed)
    place = jobs.begun(client)
    expected, frontier = list(HALVING_BITS[:160]), 1
    for revision in range(1, 9):
        gamma = chance.choice([0.5, 0.7, 0.9, 0.99])
        at_step = chance.randint(0, 150)
        edited = client.edit_run(
            place.run, S.StepLR(1, gamma), expected_revision=revision, reason="", at_step=at_step
        )
        assert edited.effective_step == max(at_step, frontier)
        expected[edited.effective_step :] = jobs.torch_bits(jobs.torch_step(gamma), 160)[
            edited.effective_step :
        ]
        frontier = jobs.ask(client, place, frontier, chance.randint(1, 20)).frontier
    jobs.stepped(client, place, 159)
    assert jobs.read(client, place, 1, 160) == expected[1:160]


def test_every_group_keeps_its_own_base(client: Client) -> None:
    place = jobs.begun(client, groups=(jobs.a_group(0.1), jobs.a_group(0.003), jobs.a_group(7.0)))
    jobs.stepped(client, place, 9)
    client.edit_run(place.run, jobs.SLOW, expected_revision=1, reason="slower")
    jobs.stepped(client, place, 20)
    expected = jobs.torch_bits(jobs.torch_step(0.999), 21, (0.1, 0.003, 7.0))
    assert jobs.read(client, place, 10, 21) == expected[10:]


@pytest.mark.parametrize("not_after", [10, 11, 10**15])
def test_an_edit_that_is_in_time_is_taken(client: Client, not_after: int) -> None:
    place = jobs.stepped(client, jobs.begun(client), 9)
    edited = client.edit_run(
        place.run, jobs.SLOW, expected_revision=1, reason="in time", not_after_step=not_after
    )
    assert edited.effective_step == 10


def test_an_edit_that_comes_too_late_leaves_the_run_as_it_is(watched: Watched) -> None:
    before = contents(watched.server)
    with pytest.raises(EffectiveStepPassed):
        watched.client.edit_run(
            watched.run, jobs.SLOW, expected_revision=1, reason="too late", at_step=2, not_after_step=3
        )
    assert contents(watched.server) == before


@pytest.mark.parametrize("at_step", [None, 2, 500])
def test_validating_says_what_would_happen_and_stores_nothing(watched: Watched, at_step: int | None) -> None:
    client, run, request_id = watched.client, watched.run, str(uuid4())

    def edit(*, validate_only: bool) -> Edited:
        return client.edit_run(
            run,
            jobs.SLOW,
            expected_revision=1,
            reason="to see what it does",
            at_step=at_step,
            request_id=request_id,
            validate_only=validate_only,
        )

    before = contents(watched.server)
    planned = edit(validate_only=True)
    assert edit(validate_only=True) == planned
    assert contents(watched.server) == before
    assert edit(validate_only=False) == planned


def test_a_preview_shows_the_plan_without_the_edit_and_then_with_it(client: Client) -> None:
    """The row before a far step is not committed yet, and has other edits before it."""
    place = jobs.begun(client)
    client.edit_run(place.run, jobs.SLOW, expected_revision=1, reason="", at_step=20)
    edited = client.edit_run(place.run, S.StepLR(1, 0.9), expected_revision=2, reason="", at_step=50)
    expected = SLOW_BITS[49:50] + jobs.torch_bits(jobs.torch_step(0.9), 54)[50:]
    assert jobs.bits(edited.preview) == expected
    assert [e.effective_step for e in client.get_run(place.run).edits] == [20, 50]


def test_far_steps_of_schedules_in_closed_form_are_planned_at_once(client: Client) -> None:
    fall = S.Ramp(10**8, begin=1, end=0)
    place = jobs.begun(client, schedule=fall)
    client.edit_run(
        place.run, fall.then(S.Constant(2), at=5_000_000), expected_revision=1, reason="", at_step=1_000_000
    )
    edited = client.edit_run(place.run, S.Power(10**6), expected_revision=2, reason="", at_step=9_000_000)
    rows = [edited.preview.row(step)["lr"][0] for step in (8_999_999, 9_000_000)]
    assert rows == [2.0, pytest.approx(0.1 * 10**-0.5)]
    again = client.edit_run(place.run, S.Constant(3), expected_revision=3, reason="", at_step=4_000_000)
    assert again.preview.row(3_999_999)["lr"][0] == pytest.approx(1 - 3_999_999 / 10**8)


def test_two_operators_who_have_read_the_same_revision_cannot_both_write(server: ServerProcess) -> None:
    with Client(server.address) as client:
        place = jobs.begun(client)
        together = Barrier(6)

        def edit(number: int) -> Edited | LrkeeperError:
            with Client(server.address) as own:
                own.get_server()
                together.wait()
                try:
                    return own.edit_run(
                        place.run, S.StepLR(1 + number), expected_revision=1, reason=f"operator {number}"
                    )
                except LrkeeperError as error:
                    return error

        with ThreadPoolExecutor(6) as threads:
            found = list(threads.map(edit, range(6)))
        (winner,) = [number for number, answer in enumerate(found) if isinstance(answer, Edited)]
        for number, answer in enumerate(found):
            if number != winner:
                assert isinstance(answer, StaleRevision)
                assert answer.details == {"revision": "2"}
        run = client.get_run(place.run)
        assert run.revision == 2
        assert [e.reason for e in run.edits] == [f"operator {winner}"]
        assert run.schedule == S.StepLR(1 + winner)


def test_an_edit_by_an_unknown_schedule_leaves_the_run_as_it_is(watched: Watched) -> None:
    before = contents(watched.server)
    with pytest.raises(ScheduleNotFound):
        watched.client.edit_run(watched.run, "no-such-schedule", expected_revision=1, reason="")
    assert contents(watched.server) == before
