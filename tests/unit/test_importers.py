"""What importers share: the call that they note; and functions as tables of points."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

import pytest

from lrkeeper import schedules as S
from lrkeeper.schedules import codec
from lrkeeper.schedules.cursor import begin, extend
from lrkeeper.schedules.numbers import Row
from lrkeeper.schedules.shape import DefinitionError

BASE: Row = {"lr": (0.5,)}


def values(schedule: S.Schedule, steps: int) -> list[float]:
    """Return the values at the steps from 0 to `steps`."""
    start = begin(schedule, BASE, BASE)
    _, rows, failure = extend(schedule, BASE, start, steps)
    assert failure is None
    return [float(row["lr"][0]) for row in [start.row, *rows]]


def test_a_definition_says_what_it_was_made_from() -> None:
    schedule = S.from_hf("cosine", num_warmup_steps=10, num_training_steps=100)
    assert schedule.made_from == "S.from_hf('cosine', num_warmup_steps=10, num_training_steps=100)"
    again = codec.from_json(codec.to_json(schedule))
    assert (again, again.made_from) == (schedule, schedule.made_from)
    assert codec.decode(codec.encode(schedule)).made_from == schedule.made_from


def test_no_definition_is_another_because_of_what_it_was_made_from() -> None:
    one = S.from_hf("linear", num_warmup_steps=0, num_training_steps=100)
    other = codec.from_json(codec.to_json(one)).altered()
    assert other.made_from == ""
    assert codec.same(codec.to_json(one), codec.to_json(other))


def test_a_long_call_is_cut_and_a_longer_text_is_refused() -> None:
    lengths = dict.fromkeys(range(2000), 0.5)
    assert (
        len(
            S.from_optax(
                "piecewise_constant_schedule", init_value=1.0, boundaries_and_scales=lengths
            ).made_from
        )
        == 1000
    )
    with pytest.raises(DefinitionError, match="made_from: has 1001 characters; at most 1000"):
        codec.from_dict({"step_lr": {"step_size": 3}, "made_from": "x" * 1001})


FUNCTIONS: dict[str, Callable[[int], float]] = {
    "cosine": lambda step: 0.5 * (1 + math.cos(math.pi * step / 1000)),
    "steps": lambda step: 0.1 ** (step // 300),
    "inverse square root": lambda step: (max(step, 10) / 10) ** -0.5,
    "nothing": lambda step: 0.0,
    "a jump to below 0": lambda step: -1.0 if step == 500 else 1.0,
}


@pytest.mark.parametrize("tolerance", [1e-2, 1e-4, 1e-6, 0.0])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_a_table_within_the_tolerance(
    name: str, tolerance: float, caplog: pytest.LogCaptureFixture
) -> None:
    function = FUNCTIONS[name]
    with caplog.at_level(logging.INFO, "lrkeeper"):
        table = S.from_callable(function, 1000, tolerance)
    expected = [0.5 * function(step) for step in range(1001)]
    largest = max(map(abs, expected))
    found = values(table, 1100)
    error = max(abs(one - other) for one, other in zip(found, expected, strict=False))
    assert error <= tolerance * largest + 1e-15
    assert found[1001:] == found[1000:1001] * 100
    assert f"in {len(table.points)} points; the largest error is" in caplog.text
    assert "largest error" in table.made_from


def test_few_points_are_enough_for_a_cosine() -> None:
    table = S.from_callable(FUNCTIONS["cosine"], 1000, 1e-4)
    assert len(table.points) < 100  # lines with their ends on the curve: about 80 for 1e-4


def test_what_cannot_be_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="gives nan at step 3"):
        S.from_callable(lambda step: math.nan if step == 3 else 1.0, 10)
    with pytest.raises(ValueError, match="points are needed for a tolerance of 0, and at most 10000"):
        S.from_callable(math.sin, 30_000, 0)
    with pytest.raises(ValueError, match="steps is 0"):
        S.from_callable(math.sin, 0)
