"""How far a request moves the frontier."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lrkeeper.server.runs.frontier import (
    SILENT_AFTER_US,
    Heard,
    heard,
    lowest_applied,
    new_frontier,
    silent,
)

steps = st.integers(1, 10**6)
counts = st.integers(1, 5000)


@given(steps, steps, counts, steps, counts)
def test_it_never_goes_back_and_never_far(
    frontier: int, start: int, count: int, lowest: int, most: int
) -> None:
    after = new_frontier(frontier, start, count, lowest, most)
    assert frontier <= after <= frontier + most
    assert after == frontier or after <= min(start + count, lowest + 1 + 2 * count)


@given(steps, steps, counts, steps, counts)
def test_a_repeated_request_changes_nothing_once_it_is_covered(
    frontier: int, start: int, count: int, lowest: int, most: int
) -> None:
    after = new_frontier(frontier, start, count, lowest, most)
    if after >= start + count:
        assert new_frontier(after, start, count, lowest, most) == after


def test_one_step_at_a_time_moves_one_step() -> None:
    assert new_frontier(frontier=8, from_step=8, count=1, lowest=7, most=4096) == 9


def test_the_slowest_rank_holds_the_others_within_two_windows() -> None:
    assert new_frontier(frontier=100, from_step=100, count=50, lowest=20, most=4096) == 121


def test_a_rank_need_not_wait_for_one_that_is_about_to_ask_for_the_same_step() -> None:
    # Both hold step 7; the other has last been heard of when it asked for that one, with step 6.
    assert new_frontier(frontier=8, from_step=8, count=1, lowest=6, most=4096) == 9


def test_a_silent_rank_holds_nothing_back() -> None:
    now = 10 * SILENT_AFTER_US
    ranks = [Heard(5, at=now - SILENT_AFTER_US), Heard(90, at=now - 1)]
    assert lowest_applied(ranks, now) == 90
    assert lowest_applied(ranks[:1], now) is None


def test_a_rank_of_long_windows_is_waited_for_three_times_as_long_as_it_pauses() -> None:
    pause = 10 * SILENT_AFTER_US
    rank = heard(heard(None, 5, 0), 9, pause)
    assert not silent(rank, pause + 3 * pause - 1)
    assert silent(rank, pause + 3 * pause)


def test_a_repeated_request_does_not_make_a_rank_of_long_windows_seem_silent() -> None:
    pause = 10 * SILENT_AFTER_US
    repeated = heard(heard(heard(None, 5, 0), 9, pause), 9, pause + 1)
    assert repeated.every == pause // 2
    assert not silent(repeated, pause + pause)


def test_a_rank_that_has_spoken_once_is_waited_for_a_minute() -> None:
    once = heard(None, 0, 7)
    assert not silent(once, 7 + SILENT_AFTER_US - 1)
    assert silent(once, 7 + SILENT_AFTER_US)


def test_time_in_which_nobody_listened_makes_no_rank_silent() -> None:
    rank, started = Heard(5, at=0), 100 * SILENT_AFTER_US
    assert silent(rank, started + 1)
    assert not silent(rank, started + 1, listening_since=started)
    assert lowest_applied([rank], started + 1, started) == 5
    assert silent(rank, started + SILENT_AFTER_US, listening_since=started)
