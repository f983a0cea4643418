"""Values as bits: packed, cut, joined, sent, checked."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrkeeper.schedules.numbers import Row
from lrkeeper.schedules.table import Table

numbers = st.floats(allow_nan=False)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    groups = draw(st.integers(1, 4))
    tracks = draw(st.sampled_from([("lr",), ("lr", "momentum")]))
    row = st.fixed_dictionaries({track: st.tuples(*[numbers] * groups) for track in tracks})
    constant = draw(st.booleans())
    rows: list[Row] = draw(st.lists(row, min_size=1, max_size=6))
    return Table.from_rows(draw(st.integers(0, 2**40)), [rows[0]] * len(rows) if constant else rows)


@given(tables())
def test_a_table_is_sent_and_read_bit_for_bit(table: Table) -> None:
    assert Table.from_message(table.to_message(), at_most=6) == table


@given(tables(), st.data())
def test_the_parts_of_a_table_join_to_it(table: Table, data: st.DataObject) -> None:
    middle = data.draw(st.integers(table.first_step, table.end_step))
    parts = [
        table.cut(first, end)
        for first, end in ((table.first_step, middle), (middle, table.end_step))
        if first < end
    ]
    assert Table.join(parts) == table
    for part in parts:
        for step in range(part.first_step, part.end_step):
            assert part.row(step) == table.row(step)


def test_equal_columns_are_sent_once_and_a_constant_one_as_one_value() -> None:
    rows = [{"lr": (0.1, 0.1, 0.2), "momentum": (0.9, 0.9, 0.9)} for _ in range(1000)]
    message = Table.from_rows(1, rows).to_message()
    assert [len(column) for column in message.columns] == [8, 8, 8]
    assert list(message.index) == [0, 0, 1, 2, 2, 2]


def test_infinities_and_signed_zero_keep_their_bits() -> None:
    table = Table.from_rows(5, [{"lr": (math.inf, -math.inf, -0.0)}])
    row = Table.from_message(table.to_message(), at_most=1).row(5)["lr"]
    assert [value.hex() for value in row] == [math.inf.hex(), (-math.inf).hex(), (-0.0).hex()]


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda m: setattr(m, "crc32", m.crc32 ^ 1), "crc32"),
        (lambda m: setattr(m, "first_step", 6), "crc32"),
        (lambda m: setattr(m, "count", 3), "has 16 bytes for 3 steps"),
        (lambda m: setattr(m, "count", 1 << 31), "at most 3 were asked for"),
        (lambda m: m.columns.pop(), "does not have a column for each"),
        (lambda m: m.index.extend([0, 7]), "does not have a column for each"),
        (lambda m: setattr(m, "groups", 3), "does not have a column for each"),
    ],
)
def test_a_message_that_contradicts_itself_is_refused(spoil, says: str) -> None:  # type: ignore[no-untyped-def]
    message = Table.from_rows(5, [{"lr": (0.1, 0.2)}, {"lr": (0.3, 0.4)}]).to_message()
    spoil(message)
    with pytest.raises(ValueError, match=says):
        Table.from_message(message, at_most=3)


def test_parts_with_a_gap_do_not_join() -> None:
    first, second = (Table.from_rows(step, [{"lr": (0.1,)}]) for step in (1, 3))
    with pytest.raises(ValueError, match="do not follow each other"):
        Table.join([first, second])
