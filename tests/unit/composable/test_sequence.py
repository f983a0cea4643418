"""Sequence: boundaries, clocks, what is reached, torch classes among the stages."""

from __future__ import annotations

import pytest

from lrkeeper import schedules as S
from lrkeeper.schedules.numbers import F32
from tests.unit.composable.curves import BASE, approx, evaluated, refused, survives, values

WARMUP = S.Ramp(4, begin=0)


def test_then_joins_composable_kinds() -> None:
    schedule = WARMUP.then(S.Ramp(10, end=0), at=4).then(S.Constant(1), at=9)
    assert len(schedule.stages) == 3
    assert values(schedule, [0, 2, 4, 8, 9, 99]) == approx([0.0, 0.05, 0.1, 0.06, 1.0, 1.0])
    assert survives(schedule)


def test_then_joins_composable_kinds_and_torch_classes() -> None:
    schedule = WARMUP.then(S.StepLR(2, 0.5), at=4).then(S.Ramp(5, end=0), at=8)
    expected = [0.0, 0.025, 0.05, 0.075, 0.1, 0.1, 0.05, 0.05, 0.025, 0.02, 0.015]
    assert evaluated(schedule, 11) == approx(expected)
    assert survives(schedule)


def test_then_takes_a_time_of_another_unit() -> None:
    schedule = S.Ramp(S.Span(tokens=1e9), begin=0).then(S.Constant(0.5), at=S.Span(tokens=2e9))
    assert values(schedule, [0, 5e8, 1.5e9, 2e9]) == approx([0.0, 0.05, 0.1, 0.5])
    assert schedule.axis == "tokens"


def test_then_keeps_whose_value_a_boundary_has() -> None:
    earlier = S.Sequence([S.Stage(S.Constant(1), over=3), S.Stage(S.Constant(2))], boundary="earlier")
    assert values(earlier.then(S.Constant(3), at=6), [2, 3, 4, 5, 6]) == [1.0, 1.0, 2.0, 2.0, 3.0]
    ended = S.Sequence([S.Stage(S.Constant(1), over=3), S.Stage(S.Constant(2), over=2)])
    assert values(ended.then(S.Constant(3), at=6), [2, 3, 5, 6]) == [1.0, 2.0, 2.0, 3.0]


@pytest.mark.parametrize(("boundary", "at_four"), [("later", 1.0), ("earlier", 0.1)])
def test_a_boundary_belongs_to_the_later_stage_or_the_earlier(boundary: str, at_four: float) -> None:
    later = S.Stage(S.Ramp(4, begin=1, end=0))
    closed = S.Sequence([S.Stage(WARMUP, over=4), later], boundary=boundary)
    assert values(closed, [3, 4, 5]) == approx([0.075, at_four, 0.75])
    first = S.Sequence([S.Stage(S.StepLR(9), over=4), later], boundary=boundary)
    assert evaluated(first, 6)[3:] == approx([0.1, at_four, 0.75])


def test_a_stage_has_its_own_clock_or_that_of_the_sequence() -> None:
    for clock, at_six in (("local", 0.5**0.2), ("outer", 0.5**0.6)):
        stages = [S.Stage(WARMUP, over=4), S.Stage(S.Decay(0.5, 10, staircase=False), clock=clock)]
        assert values(S.Sequence(stages), [6]) == approx([BASE * at_six])
        beside = [S.Stage(S.ConstantLR(1.0), over=4), stages[1]]
        assert evaluated(S.Sequence(beside), 7)[6] == pytest.approx(BASE * at_six)


@pytest.mark.parametrize("first", [S.Constant(), S.StepLR(100)])
def test_an_expression_is_told_the_time_of_the_whole_in_any_stage(first: S.Schedule) -> None:
    for clock in ("local", "outer"):
        stage = S.Stage(S.Expression("step"), clock=clock)
        assert evaluated(S.Sequence([S.Stage(first, over=4), stage]), 7)[4:] == [4.0, 5.0, 6.0]


def test_a_torch_class_has_the_value_reached_for_its_base() -> None:
    schedule = S.Ramp(10, begin=1, end=0).then(S.ExponentialLR(0.5), at=5)
    assert evaluated(schedule, 8)[4:] == approx([0.6, 0.5, 0.25, 0.125])


def test_a_product_with_a_torch_class_is_a_stage_as_that_is() -> None:
    schedule = WARMUP.then(S.Product([S.StepLR(2, 0.5), S.Ramp(4, end=0)]), at=4)
    assert evaluated(schedule, 8)[3:] == approx([0.075, 0.1, 0.075, 0.025, 0.0125])


def test_a_value_that_is_no_number_fails_in_a_stage_too() -> None:
    schedule = S.StepLR(3).then(S.Decay(1e308, 1, begin=10), at=4)
    with pytest.raises(AssertionError, match="the value at step 5 is inf"):
        evaluated(schedule, 9)


def test_float32_groups_are_cast_at_the_end() -> None:
    from lrkeeper.schedules import cursor

    base = {"lr": (F32(0.1), 0.1)}
    schedule = S.StepLR(100).then(S.Ramp(7, begin=0.3, end=0), at=2)
    row = cursor.extend(schedule, base, cursor.begin(schedule, base, base), 5)[1][-1]
    narrow, wide = row["lr"]
    assert narrow == F32(0.3 * 4 / 7)
    assert isinstance(narrow, F32)
    assert wide == pytest.approx(0.3 * 4 / 7, rel=1e-14)


@pytest.mark.parametrize(
    ("stages", "says"),
    [
        (
            [{"schedule": {"constant": {}}, "over": {"steps": 3}}, {"schedule": {"constant": {}}, "at": 3}],
            "stages[1].at is 3; the stage before has `over`",
        ),
        (
            [{"schedule": {"constant": {}}}, {"schedule": {"ramp": {"over": {"tokens": 5}}}, "at": 3}],
            "stages[1].at is 3, in steps, and the clock counts tokens",
        ),
        (
            [
                {"schedule": {"step_lr": {"step_size": 1}}},
                {"schedule": {"step_lr": {"step_size": 1}}, "at": 3, "clock": "outer"},
            ],
            "stages[1].clock is 'outer'; step_lr has a torch class in it",
        ),
        (
            [
                {"schedule": {"step_lr": {"step_size": 1}}, "over": {"epochs": 2}},
                {"schedule": {"constant": {}}},
            ],
            "a stage of a torch class, or one that is given a metric, counts steps, and the spans are epochs",
        ),
        (
            [
                {"schedule": {"step_lr": {"step_size": 1}}, "over": {"steps": 2.5}},
                {"schedule": {"constant": {}}},
            ],
            "stages[1] starts at 2.5; beside a torch class or a metric it must be a whole step",
        ),
        ([{"schedule": {"constant": {}}, "over": {"steps": 0}}], "stages[0].over.steps is 0.0"),
        (
            [
                {
                    "schedule": {"product": {"schedules": [{"step_lr": {"step_size": 1}}]}},
                    "over": {"steps": 2},
                },
                {"schedule": {"ramp": {"over": {"fraction": 0.5}}}},
            ],
            "a span is 0.5 of the total, and no total is given",
        ),
    ],
)
def test_a_written_sequence_is_refused_by_its_field(stages: list[object], says: str) -> None:
    assert says in refused({"sequence": {"stages": stages}})


def test_building_leaves_the_stages_given_as_they_are() -> None:
    stage = S.Stage(S.Constant(), over=3)
    S.Sequence([stage, S.Stage(S.Constant())])
    assert stage.over == 3
