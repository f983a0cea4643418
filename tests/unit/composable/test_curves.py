"""Kinds that have a formula of their own: Constant, Power, Points, Decay, Steps, Expression."""

from __future__ import annotations

import math
from typing import Any

import pytest

from lrkeeper import schedules as S
from lrkeeper.schedules import Schedule, codec
from lrkeeper.schedules.composable.closed_form import counted
from lrkeeper.schedules.shape import DefinitionError
from tests.unit.composable.curves import BASE, approx, evaluated, refused, survives, values

STEPS = (0, 1, 2, 7, 19, 20, 21, 1000, 10**9, 10**15)

CURVES: list[Schedule] = [
    S.Constant(),
    S.Constant(3e-4),
    S.Power(20),
    S.Power(7, begin=S.Level(relative=2.0), toward=0.01, power=1.0),
    S.Points([(0, 0.1), (10, S.Level(relative=0.5)), (30, 0.0)]),
    S.Points([(2, 0.1), (5, 0.2)], interpolation="step", boundary="earlier"),
    S.Points(
        [S.Point(S.Span(tokens=0), S.Level(absolute=1)), (S.Span(tokens=1e9), 0)], interpolation="cosine"
    ),
    S.Decay(0.5, 10),
    S.Decay(0.9, S.Span(epochs=1), begin=0.3, staircase=False),
    S.Steps([10, 20]),
    S.Steps([S.Span(fraction=0.5), S.Span(fraction=0.75)], [0.5, 0.2], begin=1, boundary="earlier"),
    S.Expression("base * 0.5 ** (step / 10)"),
    S.Expression("1 / (1 + u)", relative=True),
]


@pytest.mark.parametrize("schedule", CURVES)
def test_a_definition_survives_message_and_json(schedule: Schedule) -> None:
    assert survives(schedule)


@pytest.mark.parametrize(
    "schedule", [each for each in CURVES if not counted(each) and "fraction=0" not in repr(each)]
)
def test_every_row_is_that_of_its_step_alone(schedule: Schedule) -> None:
    assert evaluated(schedule, 40) == values(schedule, range(40))


def test_a_power_falls_by_its_formula() -> None:
    expected = [BASE * (1 + u / 20) ** -0.5 for u in STEPS]
    assert values(S.Power(20), STEPS) == approx(expected)
    expected = [0.01 + 0.19 / (1 + u / 7) for u in STEPS]
    power = S.Power(7, begin=S.Level(relative=2.0), toward=0.01, power=1.0)
    assert values(power, STEPS) == approx(expected)


def test_a_power_goes_on_from_the_value_reached() -> None:
    schedule = S.Ramp(10, begin=0, end=S.Level(relative=0.5)).then(S.Power(5), at=10)
    assert values(schedule, [0, 5, 10, 15]) == approx([0.0, 0.025, 0.05, 0.05 / math.sqrt(2)])


def test_points_are_joined_by_lines() -> None:
    points = S.Points([(10, 0.1), (20, 0.3), (40, 0.2)])
    assert values(points, [0, 9, 10, 15, 20, 30, 39, 40, 41, 10**15]) == approx(
        [0.1, 0.1, 0.1, 0.2, 0.3, 0.25, 0.205, 0.2, 0.2, 0.2]
    )


def test_points_are_joined_by_half_waves() -> None:
    points = S.Points([(0, 0.1), (20, 0.3)], interpolation="cosine")
    expected = [0.1 + 0.2 * 0.5 * (1 - math.cos(math.pi * u / 20)) for u in range(20)]
    assert values(points, range(20)) == approx(expected)


@pytest.mark.parametrize(
    ("boundary", "owner"), [("later", [1.0, 0.5, 0.5, 0.1]), ("earlier", [1.0, 1.0, 0.5, 0.5])]
)
def test_a_point_holds_until_the_next(boundary: str, owner: list[float]) -> None:
    points = S.Points([(0, 1), (10, 0.5), (20, 0.1)], interpolation="step", boundary=boundary)
    assert values(points, [9, 10, 11, 20]) == owner
    assert values(points, [0, 21, 10**15]) == [1.0, 0.1, 0.1]


def test_one_point_is_a_constant() -> None:
    for interpolation in ("linear", "step", "cosine"):
        assert values(S.Points([(5, 0.2)], interpolation=interpolation), [0, 5, 6]) == [0.2] * 3


def test_a_decay_falls_in_steps_or_evenly() -> None:
    assert values(S.Decay(0.5, 10), [0, 9, 10, 19, 20, 35]) == approx(
        BASE * 0.5**n for n in (0, 0, 1, 1, 2, 3)
    )
    even = S.Decay(0.5, 10, begin=1, staircase=False)
    assert values(even, [0, 5, 10, 35]) == approx(0.5 ** (u / 10) for u in (0, 5, 10, 35))
    assert values(S.Decay(0.5, 10), [10**15]) == [0.0]


def test_a_growth_beyond_floats_fails_and_is_not_infinite() -> None:
    with pytest.raises(ArithmeticError):
        values(S.Decay(1.1, 1), [10**15])
    with pytest.raises(AssertionError, match="the value at step 1 is inf, which is no finite number"):
        evaluated(S.Decay(1e308, 1, begin=10), 3)


@pytest.mark.parametrize(("boundary", "at_ten"), [("later", 0.5), ("earlier", 1.0)])
def test_steps_drop_at_their_times(boundary: str, at_ten: float) -> None:
    steps = S.Steps([10, 20], [0.5, 0.2], begin=1, boundary=boundary)
    assert values(steps, [0, 9, 10, 11, 19, 21, 10**15]) == [1.0, 1.0, at_ten, 0.5, 0.5, 0.1, 0.1]


def test_steps_without_factors_drop_to_a_tenth() -> None:
    assert values(S.Steps([1, 2]), range(4)) == approx([0.1, 0.01, 0.001, 0.001])
    assert values(S.Steps([1, 2], [0.5]), range(3)) == approx([0.1, 0.05, 0.025])


def test_an_expression_knows_its_times_and_heights() -> None:
    assert values(S.Expression("u + step"), [3.0], began=10.0) == [16.0]
    assert values(S.Expression("base_lr + base + before"), [3.0], before=5.0) == approx([5.2])
    assert values(S.Expression("u", relative=True), [3.0]) == approx([0.3])
    assert values(S.Expression("progress * total"), [20.0, 400.0], total=100.0) == [20.0, 100.0]
    assert values(S.Expression("p"), [5.0, 50.0], length=20.0) == [0.25, 1.0]
    assert values(S.Expression("p"), [5.0, 50.0], total=30.0, began=10.0) == [0.25, 1.0]


def test_a_stage_tells_an_expression_how_long_it_is() -> None:
    stages = [
        S.Stage(S.Constant(), over=10),
        S.Stage(S.Expression("p + 100 * u + 10000 * step"), over=20),
        S.Stage(S.Constant(1)),
    ]
    assert values(S.Sequence(stages), [10, 15, 29]) == approx([100000, 150500.25, 291900.95])


def test_the_time_that_an_expression_names_is_what_the_clock_counts() -> None:
    assert S.Expression("0.1 * 0.5 ** (tokens / 1e9)").axis == "tokens"
    assert values(S.Expression("epoch"), [2.5]) == [2.5]
    mixed = {"product": {"schedules": [{"expression": {"text": "epoch"}}, {"expression": {"text": "step"}}]}}
    assert "spans are in epochs and steps; one clock counts one unit" in refused(mixed)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ({"power": {}}, "schedule.power.scale: is missing"),
        (
            {"power": {"scale": {"steps": 0}}},
            "schedule.power: Power: scale.steps is 0.0; it must be a number, above 0",
        ),
        ({"power": {"scale": {"steps": 3}, "power": 0}}, "power is 0.0; it must be a number, above 0"),
        ({"points": {}}, "schedule.points: Points: points is empty"),
        ({"points": {"points": [{"value": {"absolute": 1}}]}}, "schedule.points.points[0].at: is missing"),
        (
            {"points": {"points": [{"at": {}, "value": {"absolute": 1}}]}},
            "schedule.points.points[0].at: Span: nothing",
        ),
        (
            {"points": {"points": [{"at": {"steps": n}, "value": {"absolute": 1}} for n in (0, 3, 3)]}},
            "points[2].steps is 3.0, after 3.0; times must increase",
        ),
        (
            {"points": {"points": [{"at": {"steps": -1}, "value": {"absolute": 1}}]}},
            "points[0].steps is -1.0",
        ),
        (
            {
                "points": {
                    "points": [{"at": {"steps": 1}, "value": {"absolute": 1}}],
                    "interpolation": "spline",
                }
            },
            "interpolation is 'spline'; it must be 'linear' or 'step' or 'cosine'",
        ),
        ({"decay": {"every": {"steps": 3}}}, "schedule.decay.factor: is missing"),
        ({"decay": {"factor": -1, "every": {"steps": 3}}}, "factor is -1.0; it must be a number, at least 0"),
        ({"steps": {}}, "schedule.steps: Steps: times is empty"),
        ({"steps": {"times": [{"steps": 3}, {"steps": 2}]}}, "times[1].steps is 2.0, after 3.0"),
        ({"steps": {"times": [{"steps": 3}], "factors": [1, 2]}}, "factors has 2 numbers for 1 times"),
        (
            {"steps": {"times": [{"steps": 3}], "factors": [-2]}},
            "factors[0] is -2.0; it must be a number, at least 0",
        ),
        ({"steps": {"times": [{"steps": 3}, {"epochs": 2}]}}, "spans are in epochs and steps"),
        ({"steps": {"times": [{"fraction": 0.5}]}}, "a span is 0.5 of the total, and no total is given"),
        ({"expression": {}}, "schedule.expression.text: is missing"),
        ({"expression": {"text": "base * stepp"}}, "Expression: text: unknown name 'stepp' at column 7"),
        (
            {"expression": {"text": "1 / (u - 10)"}},
            "Expression: text: time 10.0: 1.0 / 0.0: division by zero",
        ),
        ({"expression": {"text": "1 / u"}}, "Expression: text: time 0.0: 1.0 / 0.0: division by zero"),
        ({"expression": {"text": "total"}}, "text is 'total', and no total is given"),
        ({"expression": {"text": "p"}}, "text is 'p', and how long the stage is is not given"),
    ],
)
def test_a_written_definition_is_refused_by_its_field(written: Any, says: str) -> None:
    assert says in refused(written)


def test_a_composable_kind_is_checked_even_if_a_torch_class_would_not_be() -> None:
    bad = S.Repeat.unchecked(schedule=S.StepLR(3), period=S.Span(steps=5))
    with pytest.raises(DefinitionError, match="Repeat: schedule is step_lr; it must be in closed form"):
        codec.decode(codec.encode(bad), checked=False)
    lost = codec.encode(S.Ramp(S.Span(fraction=0.5)))
    with pytest.raises(DefinitionError, match=r"a span is 0\.5 of the total, and no total is given"):
        codec.decode(lost, checked=False)
    assert codec.decode(codec.encode(S.StepLR.unchecked(step_size=0)), checked=False).kind == "step_lr"


def test_an_expression_of_the_outer_time_need_not_have_a_value_at_the_first_step() -> None:
    schedule = S.Constant().then(S.Expression("base * sqrt(10 / step)"), at=10)
    assert values(schedule, [0, 10, 40]) == approx([0.1, 0.1, 0.05])


def test_a_time_is_no_number_of_steps_as_text() -> None:
    with pytest.raises(TypeError, match=r"points\[0\] is 3; it must be a Point, or a time and a value"):
        S.Points([3])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="points is '12'; it must be a list of points"):
        S.Points("12")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="times is '12'; it must be a list"):
        S.Steps("12")
    with pytest.raises(TypeError, match="text is 3; it must be a formula, as text"):
        S.Expression(3)  # type: ignore[arg-type]
