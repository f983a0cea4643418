"""Kinds made of other schedules: Product, Affine, Pick, Warp, Repeat."""

from __future__ import annotations

import math
from typing import Any

import pytest

from lrkeeper import schedules as S
from lrkeeper.schedules import Schedule, cursor
from lrkeeper.schedules.numbers import F32
from tests.unit.composable.curves import BASE, approx, evaluated, refused, survives, values

HALF = S.Level(relative=0.5)
FALL = S.Ramp(10, begin=S.Level(relative=1.0), end=0)

COMBINED: list[Schedule] = [
    S.Product([S.Ramp(5, begin=0), S.StepLR(3)]),
    S.Affine(FALL, scale=0.5, add=HALF, low=0.06, high=S.Level(relative=0.9)),
    S.Affine(S.StepLR(3), low=0.01),
    S.Pick("least", [FALL, S.Constant(HALF)]),
    S.Pick("greatest", [S.ExponentialLR(0.9), S.CosineAnnealingLR(10)]),
    S.Warp(FALL, rate=2.0, shift=1, every=3),
    S.Repeat(FALL, 10, growth=2.0, gain=0.5, gain_on="amplitude", count=3, afterwards=S.Constant(0.01)),
    S.Sequence([S.Stage(S.Product([S.StepLR(2), FALL]), over=7), S.Stage(S.Power(5), label="tail")]),
]


@pytest.mark.parametrize("schedule", COMBINED)
def test_a_definition_survives_message_and_json(schedule: Schedule) -> None:
    assert survives(schedule)


@pytest.mark.parametrize("schedule", COMBINED)
def test_an_evaluation_goes_on_from_its_cursor_with_the_same_bits(schedule: Schedule) -> None:
    base = {"lr": (BASE,)}
    whole = cursor.extend(schedule, base, cursor.begin(schedule, base, base), 39)[1]
    assert evaluated(schedule, 40)[1:] == [row["lr"][0] for row in whole]


def test_a_product_multiplies_the_base_value() -> None:
    product = S.Product([S.Ramp(10, begin=0), S.Decay(0.5, 10), S.Constant(3)])
    assert values(product, [0, 5, 10, 25]) == approx(BASE * f for f in (0, 1.5, 1.5, 0.75))
    assert values(product, [5], base=0.0) == [0.0]


def test_a_product_goes_on_from_the_value_reached() -> None:
    schedule = S.Ramp(10, begin=0, end=HALF).then(S.Product([S.Ramp(10), S.Constant(2)]), at=10)
    assert values(schedule, [9, 10, 15, 20]) == approx([0.045, 0.1, 0.15, 0.2])


def test_members_of_torch_classes_each_go_their_own_way() -> None:
    product = evaluated(S.Product([S.StepLR(3, 0.5), S.Ramp(5, begin=0), S.MultiStepLR([7])]), 12)
    expected = [BASE * 0.5 ** (t // 3) * min(1.0, t / 5) * (0.1 if t >= 7 else 1.0) for t in range(12)]
    assert product == approx(expected)
    affine = evaluated(S.Affine(S.StepLR(3, 0.5), scale=2.0, add=0.01, low=0.06), 9)
    assert affine == approx(max(0.06, 2 * BASE * 0.5 ** (t // 3) + 0.01) for t in range(9))
    pick = evaluated(S.Pick("greatest", [S.StepLR(2, 0.1), S.ExponentialLR(0.5)]), 5)
    assert pick == approx([0.1, 0.1, 0.025, 0.0125, 0.00625])


def test_a_torch_member_under_a_bound_goes_on_from_its_own_value() -> None:
    found = evaluated(S.Affine(S.ExponentialLR(0.5), low=0.03, high=0.06), 6)
    assert found == approx([0.06, 0.05, 0.03, 0.03, 0.03, 0.03])


def test_the_momentum_is_that_of_the_member_that_moves_it() -> None:
    schedule = S.Affine(S.OneCycleLR(0.2, 20), scale=0.5)
    assert schedule.moves == ("lr", "momentum")
    base = {"lr": (0.1,), "momentum": (0.9,)}
    alone = cursor.extend(S.OneCycleLR(0.2, 20), base, cursor.begin(S.OneCycleLR(0.2, 20), base, base), 15)[1]
    rows = cursor.extend(schedule, base, cursor.begin(schedule, base, base), 15)[1]
    assert [row["momentum"] for row in rows] == [row["momentum"] for row in alone]
    assert [row["lr"][0] for row in rows] == approx(row["lr"][0] * 0.5 for row in alone)


def test_float32_groups_are_computed_in_float64_and_cast_at_the_end() -> None:
    base = {"lr": (F32(0.1), 0.1)}
    for schedule in (S.Product([S.StepLR(3, 0.7), S.Power(3)]), S.Product([S.Decay(0.7, 3), S.Power(3)])):
        rows = cursor.extend(schedule, base, cursor.begin(schedule, base, base), 12)[1]
        for step, row in enumerate(rows, start=1):
            factor = 0.7 ** (step // 3) * (1 + step / 3) ** -0.5
            assert row["lr"][0] == pytest.approx(F32(float(F32(0.1)) * factor), rel=2e-7)
            assert isinstance(row["lr"][0], F32)
            assert row["lr"][1] == pytest.approx(0.1 * factor, rel=1e-14)
            assert not isinstance(row["lr"][1], F32)


@pytest.mark.parametrize("schedule", [S.Constant(1e300), S.Affine(S.StepLR(3), scale=1e300)])
def test_a_value_beyond_float32_fails_and_is_not_infinite(schedule: Schedule) -> None:
    base = {"lr": (F32(1.0),)}
    with pytest.raises(ValueError, match="the value at step 0 is inf, which is no finite number"):
        cursor.begin(schedule, base, base)
    later = S.StepLR(3).then(schedule, at=1)
    failure = cursor.extend(later, base, cursor.begin(later, base, base), 1)[2]
    assert failure is not None
    assert "is inf, which is no finite number" in failure.message


@pytest.mark.parametrize(
    ("schedule", "added"),
    [
        (S.Product([S.StepLR(3, 0.5), S.Ramp(4, begin=0)]), [0.75 * 0.5, 0.5, 0.5]),
        (S.Affine(S.ExponentialLR(0.5), scale=2.0), [1.0, 0.5, 0.25]),
    ],
)
def test_a_param_group_that_is_added_begins_with_its_own_value(
    schedule: Schedule, added: list[float]
) -> None:
    base = {"lr": (0.1,)}
    before = cursor.extend(schedule, base, cursor.begin(schedule, base, base), 2)[0]
    both = {"lr": (0.1, 1.0)}
    after = cursor.Cursor(2, before.memory, {"lr": (*before.row["lr"], 1.0)})
    rows = cursor.extend(schedule, both, after, 3)[1]
    alone = cursor.extend(schedule, base, before, 3)[1]
    assert [row["lr"][0] for row in rows] == [row["lr"][0] for row in alone]
    assert [row["lr"][1] for row in rows] == approx(added)


def test_affine_moves_and_bounds() -> None:
    affine = S.Affine(FALL, scale=0.5, add=0.01, low=0.02, high=0.05)
    assert values(affine, [0, 5, 9, 10]) == approx([0.05, 0.035, 0.02, 0.02])
    assert values(S.Affine(FALL, scale=-1.0, add=S.Level(relative=1.0)), [0, 3, 10]) == approx(
        [0.0, 0.03, 0.1]
    )


def test_pick_takes_the_least_or_the_greatest() -> None:
    both = [FALL, S.Constant(0.05)]
    assert values(S.Pick("least", both), [0, 2, 5, 9]) == approx([0.05, 0.05, 0.05, 0.01])
    assert values(S.Pick("greatest", both), [0, 2, 5, 9]) == approx([0.1, 0.08, 0.05, 0.05])


def test_warp_is_another_clock() -> None:
    assert values(S.Warp(FALL, rate=2.0), [0, 3, 5, 9]) == approx([0.1, 0.04, 0.0, 0.0])
    assert values(S.Warp(FALL, shift=3), [0, 3]) == approx([0.07, 0.04])
    assert values(S.Warp(FALL, shift=-3), [0, 3, 4]) == approx([0.1, 0.1, 0.09])
    assert values(S.Warp(FALL, every=4), [0, 3, 4, 7, 8]) == approx([0.1, 0.1, 0.06, 0.06, 0.02])


def test_equal_cycles_follow_each_other_at_any_time() -> None:
    repeat = S.Repeat(FALL, 10)
    assert values(repeat, [0, 9, 10, 25, 10**9 + 3, 10**15 + 3]) == approx([0.1, 0.01, 0.1, 0.05, 0.07, 0.07])


def test_cycles_of_a_fraction_of_a_step_begin_between_steps() -> None:
    repeat = S.Repeat(S.Ramp(2.5, begin=1, end=0), 2.5)
    assert values(repeat, range(6)) == approx([1.0, 0.6, 0.2, 0.8, 0.4, 1.0])


def test_growing_cycles_begin_where_the_sum_of_lengths_is() -> None:
    for growth in (2.0, 1.5, 1.1, 3.0):
        repeat, begin = S.Repeat(S.Ramp(10, begin=1, end=0), 10, growth=growth), 0.0
        for cycle in range(12):
            length = 10 * growth**cycle
            assert values(repeat, [begin + 1e-6])[0] == pytest.approx(1.0, abs=1e-6)
            assert values(repeat, [begin + length / 2])[0] == pytest.approx(0.5)
            begin += length
            assert values(repeat, [begin - 1e-6 * length])[0] == pytest.approx(0.0, abs=2e-6)


def test_a_cycle_has_its_first_step_where_its_begin_is_whole_but_for_rounding() -> None:
    repeat = S.Repeat(S.Ramp(10, begin=1, end=0), 10, growth=1.1)  # 10 + 11 is 21.000000000000004 as floats
    assert values(repeat, [0, 10, 21]) == [1.0, 1.0, 1.0]


def test_far_cycles_are_found_as_the_near_ones() -> None:
    far = S.Repeat(S.Ramp(10, begin=1, end=0), 10, growth=2.0)
    begin = 10 * (2**40 - 1)
    assert values(far, [begin, begin + 5 * 2**40, begin - 1]) == pytest.approx([1.0, 0.5, 0.0], abs=1e-12)


def test_shrinking_cycles_have_an_end() -> None:
    repeat = S.Repeat(S.Ramp(8, begin=1, end=0), 8, growth=0.5, count=3)
    assert values(repeat, [0, 4, 8, 10, 12, 13, 14, 10**15]) == approx([1, 0.5, 1, 0.5, 1, 0.5, 0, 0])


@pytest.mark.parametrize(
    ("gain_on", "second"),
    [("peak", [0.05, 0.035, 0.02]), ("amplitude", [0.06, 0.04, 0.02]), ("both", [0.05, 0.03, 0.01])],
)
def test_a_gain_is_on_the_peak_the_amplitude_or_both(gain_on: str, second: list[float]) -> None:
    fall = S.Ramp(10, begin=S.Level(relative=1.0), end=0.02)
    repeat = S.Repeat(fall, 10, gain=0.5, gain_on=gain_on)
    assert values(repeat, [0, 5]) == approx([0.1, 0.06])
    assert values(repeat, [10, 15, 20 - 1e-9]) == pytest.approx(second, rel=1e-8)


def test_after_the_cycles_comes_their_last_value_or_another_schedule() -> None:
    fall = S.Ramp(10, begin=1, end=0.1)
    assert values(S.Repeat(fall, 10, count=2), [19, 20, 10**15]) == approx([0.19, 0.1, 0.1])
    rising = S.Repeat(fall, 10, count=2, afterwards=S.Ramp(10, end=0.2))
    assert values(rising, [20, 25, 30, 99]) == approx([0.1, 0.15, 0.2, 0.2])


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ({"product": {}}, "schedule.product: Product: schedules is empty; it must have at least one"),
        ({"product": {"schedules": [{"ramp": {}}]}}, "schedule.product.schedules[0].ramp.over: is missing"),
        ({"affine": {}}, "schedule.affine.schedule: is missing"),
        (
            {"affine": {"schedule": {"constant": {}}, "low": {"absolute": 2}, "high": {"absolute": 1}}},
            "Affine: low is 2, above high, which is 1",
        ),
        ({"pick": {"schedules": [{"constant": {}}]}}, "schedule.pick.which: is missing"),
        (
            {"pick": {"which": "most", "schedules": [{"constant": {}}]}},
            "which is 'most'; it must be 'least' or",
        ),
        (
            {"warp": {"schedule": {"step_lr": {"step_size": 3}}}},
            "Warp: schedule is step_lr; it must be in closed form",
        ),
        (
            {"warp": {"schedule": {"constant": {}}, "rate": -1}},
            "rate is -1.0; it must be a number, at least 0",
        ),
        (
            {"warp": {"schedule": {"constant": {}}, "every": {"steps": 0}}},
            "every.steps is 0.0; it must be a number, above 0",
        ),
        ({"repeat": {"schedule": {"constant": {}}}}, "schedule.repeat.period: is missing"),
        (
            {
                "repeat": {
                    "schedule": {"product": {"schedules": [{"step_lr": {"step_size": 3}}]}},
                    "period": {"steps": 3},
                }
            },
            "Repeat: schedule is product; it must be in closed form",
        ),
        ({"repeat": {"schedule": {"constant": {}}, "period": {"steps": 3}, "growth": 0.5}}, "give a count"),
        (
            {"repeat": {"schedule": {"constant": {}}, "period": {"steps": 3}, "count": 0}},
            "count is 0; it must be a whole",
        ),
        (
            {
                "repeat": {
                    "schedule": {"constant": {}},
                    "period": {"steps": 3},
                    "afterwards": {"constant": {}},
                }
            },
            "afterwards is given, and count is not",
        ),
        ({"repeat": {"schedule": {"constant": {}}, "period": {"epochs": 3}, "afterwards": {}}}, "afterwards"),
        (
            {
                "product": {
                    "schedules": [{"step_lr": {"step_size": 3}}, {"power": {"scale": {"fraction": 0.1}}}]
                }
            },
            "a span is 0.1 of the total, and no total is given",
        ),
    ],
)
def test_a_written_definition_is_refused_by_its_field(written: Any, says: str) -> None:
    assert says in refused(written)


def test_repeats_in_repeats_are_few() -> None:
    nested: Schedule = S.Ramp(1, begin=1, end=0)
    for level in range(4):
        nested = S.Repeat(nested, 3**level, gain=0.5, gain_on="amplitude", count=3)
    assert values(nested, [0.25, 1.25, 3.25]) == approx([0.75, 0.375, 0.375])
    with pytest.raises(ValueError, match="Repeat: schedule has repeats in repeats; 4 of them are most"):
        S.Repeat(S.Affine(nested), 81)


def test_only_schedules_are_members() -> None:
    with pytest.raises(TypeError, match=r"Product: schedules\[1\] is 0\.5; it must be a schedule"):
        S.Product([S.Constant(), 0.5])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="Affine: schedule is 0\\.5; it must be a schedule"):
        S.Affine(0.5)  # type: ignore[arg-type]


def test_a_nested_sequence_is_a_curve_like_any_other() -> None:
    cycle = S.Sequence([S.Stage(S.Ramp(5, begin=0), over=5), S.Stage(S.Ramp(5, end=0))])
    found = values(S.Repeat(cycle, 10, gain=0.5), range(20))
    assert found[10:] == approx(value / 2 for value in found[:10])
    assert found[5] == BASE
    assert math.fsum(found[:10]) == pytest.approx(BASE * 5)
