"""What a client holds of a run's timeline, and how far ahead it asks."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrkeeper.errors import BadAnswer
from lrkeeper.schedules.table import Table
from lrkeeper.views import Window
from lrkeeper.window import GROWTH, Ask, Stock, window_size

MOST = 4096


def value(step: int, group: int = 0) -> float:
    return 1.0 / (1 + step + group)


def window(first: int, end: int, *, revision: int = 1, off_at: int | None = None) -> Window:
    """Rows of two param groups; at one step the last bit may be another."""
    rows = [{"lr": (value(step), value(step, 1))} for step in range(first, end)]
    if off_at is not None:
        rows[off_at - first] = {"lr": (value(off_at), math.nextafter(value(off_at, 1), 2))}
    table = Table.from_rows(first, rows) if rows else None
    return Window(table, revision, end, None, "a cursor", first - 1, None)


# How far ahead.


@given(
    horizon=st.floats(0, 1e9),
    pace=st.floats(0, 1e9) | st.sampled_from([5e-324, 1e300]),
    before=st.integers(1, MOST),
    most=st.integers(1, MOST),
)
def test_a_window_has_at_least_one_step_and_at_most_what_an_answer_has(
    horizon: float, pace: float, before: int, most: int
) -> None:
    size = window_size(horizon, pace, before, most)
    assert 1 <= size <= most
    assert size <= before * GROWTH
    if pace > 0 and size > 1:
        assert size * pace <= horizon * (1 + 1e-9), "it holds more than the horizon"


@given(pace=st.floats(1e-6, 100), horizon=st.floats(0.1, 100))
def test_a_window_grows_to_the_horizons_worth_of_steps(pace: float, horizon: float) -> None:
    size = 1
    for _ in range(10):
        size = window_size(horizon, pace, size, MOST)
    assert size == max(1, min(MOST, int(horizon / pace)))


@pytest.mark.parametrize("pace", [0.0, 1e-9, 0.5, 1e9])
def test_without_a_horizon_a_window_is_one_step_whatever_the_pace(pace: float) -> None:
    assert window_size(0.0, pace, 1000, MOST) == 1


def test_steps_that_become_slow_shorten_the_window_at_once() -> None:
    assert window_size(30.0, 10.0, MOST, MOST) == 3
    assert window_size(30.0, 31.0, MOST, MOST) == 1


@given(end=st.integers(2, 10_000), held=st.integers(-3, 5000), size=st.integers(1, MOST))
def test_it_asks_at_half_a_window_for_as_much_as_makes_it_whole(end: int, held: int, size: int) -> None:
    stock = Stock((window(end - 1, end),))
    ask = stock.ask(end - 1 - held, size)
    if size == 1 or held < 0 or held > size // 2:
        assert ask is None
    else:
        assert ask == Ask(end, size - held)
        assert ask.count >= 1


# What is held.


def held_steps(stock: Stock) -> list[int]:
    return [
        step for each in stock if each.table for step in range(each.table.first_step, each.table.end_step)
    ]


spans = st.tuples(st.integers(1, 40), st.integers(0, 12)).map(lambda span: (span[0], span[0] + span[1]))


@given(st.lists(spans, max_size=8))
def test_whatever_comes_in_whatever_order_each_step_is_held_once_without_gaps_with_its_bits(
    answers: list[tuple[int, int]],
) -> None:
    stock = Stock()
    for first, end in answers:
        stock.add(window(first, end))
        steps = held_steps(stock)
        assert steps == list(range(steps[0], steps[-1] + 1)) if steps else True
        for step in steps:
            found = stock.at(step)
            assert found is not None
            assert found.table is not None
            assert found.table.row(step) == {"lr": (value(step), value(step, 1))}
        if steps:
            assert stock.end == steps[-1] + 1
            assert stock.at(steps[0] - 1) is None
            assert stock.at(stock.end) is None


@given(st.lists(st.integers(1, 9), min_size=1, max_size=6), st.data())
def test_another_bit_for_a_step_that_is_held_is_refused_and_nothing_changes(
    counts: list[int], data: st.DataObject
) -> None:
    stock, end = Stock(), 1
    for count in counts:
        stock.add(window(end, end + count))
        end += count
    first = data.draw(st.integers(1, end - 1))
    off_at = data.draw(st.integers(first, end - 1))
    before = list(stock)
    with pytest.raises(BadAnswer, match="gave other values for steps"):
        stock.add(window(first, end + 5, off_at=off_at))
    assert (list(stock), stock.end) == (before, end)


def test_an_answer_that_comes_twice_is_held_once() -> None:
    stock = Stock((window(1, 5),))
    for _ in range(2):
        stock.add(window(3, 9, revision=2))
    assert held_steps(stock) == list(range(1, 9))
    revisions = [found.revision for step in range(1, 9) if (found := stock.at(step))]
    assert revisions == [1] * 4 + [2] * 4, "rows that are held keep the window they came with"


def test_rows_beyond_a_gap_take_the_place_of_all_others() -> None:
    stock = Stock((window(1, 5),))
    stock.add(window(7, 9))
    assert held_steps(stock) == [7, 8]


def test_an_answer_without_rows_changes_nothing() -> None:
    stock = Stock((window(1, 5),))
    stock.add(window(5, 5))
    assert (held_steps(stock), stock.end) == ([1, 2, 3, 4], 5)


def test_windows_are_forgotten_whole_once_they_are_behind() -> None:
    stock = Stock((window(1, 5), window(5, 9)))
    stock.forget_before(4)
    assert held_steps(stock) == list(range(1, 9))
    stock.forget_before(5)
    assert held_steps(stock) == list(range(5, 9))
    stock.forget_before(20)
    assert (held_steps(stock), stock.end) == ([], 9)
    stock.add(window(9, 11))
    assert held_steps(stock) == [9, 10]
    stock.clear()
    assert (held_steps(stock), stock.end) == ([], 0)
