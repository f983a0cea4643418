"""Ramp: its eases, its countings, its end."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from lrkeeper import schedules as S
from tests.unit.composable.curves import approx, refused, survives, values

EASES: list[tuple[str, dict[str, float], Callable[[float], float]]] = [
    ("linear", {}, lambda p: p),
    ("linear", {"warp": 2.0}, lambda p: p**2),
    ("cosine", {}, lambda p: (1 - math.cos(math.pi * p)) / 2),
    ("cosine", {"power": 3.0}, lambda p: 1 - ((1 + math.cos(math.pi * p)) / 2) ** 3),
    ("cosine", {"warp": 0.5}, lambda p: (1 - math.cos(math.pi * math.sqrt(p))) / 2),
    ("polynomial", {}, lambda p: 1 - (1 - p) ** 2),
    ("polynomial", {"power": 0.5}, lambda p: 1 - math.sqrt(1 - p)),
    ("power", {"power": 0.5}, lambda p: math.sqrt(p)),
    ("power", {}, lambda p: p**2),
    ("exponential", {}, lambda p: 2 - 2 * 0.5**p),
]


@pytest.mark.parametrize(("ease", "more", "formula"), EASES)
def test_a_ramp_follows_its_ease_up_and_down(
    ease: str, more: dict[str, float], formula: Callable[[float], float]
) -> None:
    steps = range(50)
    up = S.Ramp(50, begin=0.01, end=0.3, ease=ease, **more)  # type: ignore[arg-type]
    down = S.Ramp(50, begin=0.3, end=0.01, ease=ease, **more)  # type: ignore[arg-type]
    assert values(up, steps) == pytest.approx([0.01 + 0.29 * formula(u / 50) for u in steps], rel=1e-12)
    assert values(down, steps) == pytest.approx([0.3 - 0.29 * formula(u / 50) for u in steps], rel=1e-12)
    assert values(up, [50, 51, 10**15]) == [0.3] * 3
    assert values(down, [50, 51, 10**15]) == [0.01] * 3
    assert survives(up)


def test_a_tanh_begins_and_ends_near_its_levels() -> None:
    ramp = S.Ramp(50, begin=1, end=0.1, ease="tanh", low=-4.0, high=2.0)
    expected = [0.1 + 0.9 * 0.5 * (1 - math.tanh(-4 + 6 * u / 50)) for u in range(51)]
    assert values(ramp, range(51)) == approx(expected)
    assert values(ramp, [10**9]) == approx(expected[-1:])


def test_a_log_is_at_the_top_one_step_before_its_length() -> None:
    ramp = S.Ramp(20, begin=0, end=1, ease="log")
    assert values(ramp, range(20)) == approx(math.log(u + 1) / math.log(20) for u in range(20))
    assert values(ramp, [19, 19.5, 20, 10**9]) == [1.0] * 4


def test_a_geometric_ramp_goes_in_equal_ratios() -> None:
    assert values(S.Ramp(2, begin=1, end=0.01, ease="geometric"), [0, 1, 2, 3]) == approx(
        [1, 0.1, 0.01, 0.01]
    )
    assert values(S.Ramp(2, begin=1, end=0.1, ease="geometric", after="extend"), [6]) == approx([1e-3])


def test_an_extended_ramp_goes_on() -> None:
    assert values(S.Ramp(10, begin=0.1, end=0.2, after="extend"), [20, 10**9]) == approx([0.3, 0.1 + 1e7])
    wave = S.Ramp(10, begin=1, end=0, ease="cosine", after="extend")
    assert values(wave, [20, 25]) == pytest.approx([1.0, 0.5])
    square = S.Ramp(10, begin=1, end=0, ease="polynomial", after="extend")
    assert values(square, [20]) == [1.0]


def test_a_ramp_to_nothing_keeps_all_digits_near_its_end() -> None:
    ramp = S.Ramp(10**9, begin=1, end=0)
    assert values(ramp, [10**9 - 1]) == [1e-9]
    assert values(
        S.Ramp(10**15, begin=1, end=0, ease="polynomial", power=1.0), [10**15 - 10]
    ) == pytest.approx([1e-14], rel=0.01)


@pytest.mark.parametrize(
    ("counting", "first", "whole"),
    [("from_zero", 0.0, 10), ("from_one", 0.1, 9), ("inside", 1 / 11, 10), ("to_last", 0.0, 9)],
)
def test_each_counting_has_its_first_step_and_its_last(counting: str, first: float, whole: int) -> None:
    ramp = S.Ramp(10, begin=0, end=1, counting=counting)
    found = values(ramp, range(12))
    assert found[0] == pytest.approx(first)
    assert found[whole:] == [1.0] * (12 - whole)
    assert found[whole - 1] < 1.0


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("over", {"steps": 0}, "over.steps is 0.0; it must be a number, above 0"),
        ("over", {"steps": "1"}, None),
        ("ease", "sine", "ease: is 'sine'; it must be linear, cosine"),
        ("power", 0, "power is 0.0; it must be a number, above 0"),
        ("counting", "from_two", "counting is 'from_two'"),
        ("after", "stop", "after is 'stop'; it must be 'hold' or 'extend'"),
        ("begin", {}, "schedule.ramp.begin: Level: nothing is given; give one of absolute, relative, before"),
        ("begin", {"absolute": 1, "before": 1}, "schedule.ramp.begin.before: stands beside absolute"),
    ],
)
def test_a_ramp_is_refused_by_its_field(field: str, value: object, says: str | None) -> None:
    written = {"ramp": {"over": {"steps": 5}, field: value}}
    if says is not None:
        assert says in refused(written)


def test_a_ramp_without_a_value_somewhere_is_refused() -> None:
    with pytest.raises(ValueError, match='over is 1; with counting "to_last" use more than 1'):
        S.Ramp(1, counting="to_last")
    with pytest.raises(ValueError, match="over is 1; the ease log needs more than 1"):
        S.Ramp(1, ease="log")
    with pytest.raises(ValueError, match=r"power is 0\.5; a polynomial that goes on past its end"):
        S.Ramp(10, ease="polynomial", power=0.5, after="extend")
    assert "with the ease geometric both are above 0" in refused(
        {"ramp": {"over": {"steps": 5}, "ease": "geometric", "begin": {"absolute": 0}}}
    )
