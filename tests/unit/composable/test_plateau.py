"""Plateau and Greedy: what no library has, and as parts of other schedules."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pytest

from lrkeeper import schedules as S
from lrkeeper.schedules import codec
from lrkeeper.schedules.cursor import Cursor, Failure, begin, extend
from lrkeeper.schedules.given import Given
from lrkeeper.schedules.numbers import F32, Row
from lrkeeper.schedules.shape import DefinitionError

BASE: Row = {"lr": (0.1,)}
NAN = math.nan


def told(
    schedule: S.Schedule, reports: Iterable[Given | float | None], base: Row = BASE
) -> tuple[list[float], Failure | None]:
    """Return the first group's values from step 0 on; the cursor goes through its text every time."""
    at = begin(schedule, base, base)
    found = [float(at.row["lr"][0])]
    for report in reports:
        given = report if isinstance(report, Given) else Given(metric=report)
        at, rows, failure = extend(schedule, base, Cursor.from_json(at.to_json(base), base), 1, given)
        if failure is not None:
            return found, failure
        found.append(float(rows[0]["lr"][0]))
    return found, None


def values(schedule: S.Schedule, reports: Iterable[Given | float | None], base: Row = BASE) -> list[float]:
    found, failure = told(schedule, reports, base)
    assert failure is None, failure
    return found


@pytest.mark.parametrize("schedule", [S.Plateau(), S.Greedy()])
def test_a_step_without_a_metric_says_what_to_pass(schedule: S.Schedule) -> None:
    _, failure = told(schedule, [1.0, None])
    assert failure is not None
    assert (failure.step, failure.type) == (2, "TypeError")
    assert failure.message.endswith("the step was given no metric: use step(metric)")


@pytest.mark.parametrize("fires", ["beyond", "at"])
def test_a_metric_that_is_no_number_is_a_bad_report(fires: str) -> None:
    schedule = S.Plateau(factor=0.5, patience=2, fires=fires)
    late = fires == "beyond"
    assert values(schedule, [1.0, NAN, NAN, NAN][: 3 + late]) == [0.1] * (3 + late) + [0.05]
    assert values(schedule, [NAN, NAN, 1.0, NAN]) == [0.1] * 5 if late else [0.1, 0.1, 0.05, 0.05, 0.05]


def test_it_multiplies_any_curve() -> None:
    curve = S.Ramp(over=S.Span(steps=10), begin=S.Level(relative=1), end=S.Level(absolute=0))
    reports = [1.0, 1.0, 0.5, 0.5, 0.5, 0.1]
    found = values(S.Plateau(curve, factor=0.5, patience=0, low=S.Level(absolute=0.01)), reports)
    expected = [0.1, 0.09, 0.04, 0.035, 0.015, 0.01, 0.01]
    assert found == pytest.approx(expected, abs=1e-15)


def test_it_multiplies_a_curve_that_goes_on_from_its_own_row() -> None:
    found = values(S.Plateau(S.ExponentialLR(0.5), factor=0.1, patience=0), [1.0, 1.0, 0.5, 0.5])
    assert found == pytest.approx([0.1, 0.05, 0.0025, 0.00125, 6.25e-05], rel=1e-12)


def test_it_leaves_the_momentum_of_its_curve_alone() -> None:
    cyclic = S.CyclicLR(0.1, 0.2, 4)
    base: Row = {"lr": (0.1,), "momentum": (0.9,)}
    schedule = S.Plateau(cyclic, factor=0.5, patience=0)
    assert schedule.moves == ("lr", "momentum")
    at, plain = begin(schedule, base, base), begin(cyclic, base, base)
    for metric, factor in ((1.0, 1.0), (1.0, 0.5), (1.0, 0.25)):
        at, (row,), _ = extend(schedule, base, at, 1, Given(metric=metric))
        plain, (expected,), _ = extend(cyclic, base, plain, 1)
        assert row["momentum"] == expected["momentum"]
        assert row["lr"] == pytest.approx((expected["lr"][0] * factor,))


def test_a_metric_and_tokens_come_together() -> None:
    curve = S.Ramp(over=S.Span(tokens=100), begin=S.Level(relative=1), end=S.Level(absolute=0))
    schedule = S.Plateau(curve, factor=0.5, patience=0)
    reports = [Given(metric=1.0, progress={"tokens": tokens}) for tokens in (10.0, 20.0, 50.0)]
    assert values(schedule, reports) == pytest.approx([0.1, 0.09, 0.04, 0.0125], abs=1e-15)
    _, failure = told(schedule, [1.0])
    assert failure is not None
    assert (failure.type, "use step(tokens=…)" in failure.message) == ("NotTold", True)


def test_reports_outside_its_steps_are_neither_asked_for_nor_looked_at() -> None:
    schedule = S.Plateau(factor=0.5, patience=0, begin=3, end=5)
    assert values(schedule, [None, 1.0, 1.0, 1.0, 1.0, None]) == [0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05]


def test_a_margin_adds_to_the_threshold() -> None:
    schedule = S.Plateau(factor=0.5, patience=0, threshold=0.1, margin=0.2)
    assert values(schedule, [1.0, 0.75]) == [0.1, 0.1, 0.05]
    assert values(schedule, [1.0, 0.65]) == [0.1, 0.1, 0.1]


def test_a_float32_stays_one() -> None:
    for schedule in (S.Plateau(factor=0.3, patience=0), S.Greedy(factor=0.3, patience=0)):
        base: Row = {"lr": (F32(0.1), 0.1)}
        at, _, _ = extend(schedule, base, begin(schedule, base, base), 1, Given(metric=1.0))
        _, (row,), _ = extend(schedule, base, at, 1, Given(metric=2.0))
        assert [type(value) for value in row["lr"]] == [F32, float]


# Stages.


def test_a_plateau_after_a_warmup_counts_its_own_steps_and_needs_no_metric_before() -> None:
    warmup = S.Stage(S.Ramp(over=S.Span(steps=4), begin=S.Level(absolute=0)), over=S.Span(steps=4))
    schedule = S.Sequence([warmup, S.Stage(S.Plateau(factor=0.5, patience=1))])
    found = values(schedule, [None] * 4 + [1.0, 1.0, 1.0, 0.1])
    assert found == pytest.approx([0, 0.025, 0.05, 0.075, 0.1, 0.1, 0.1, 0.05, 0.05])


def test_the_base_of_a_plateau_that_is_a_stage_is_the_groups() -> None:
    half = S.Stage(S.Constant(S.Level(relative=0.5)), over=S.Span(steps=2))
    on_base = S.Sequence([half, S.Stage(S.Plateau(S.Constant(), factor=0.5, patience=0))])
    assert values(on_base, [None, None, 1.0, 1.0]) == [0.05, 0.05, 0.1, 0.1, 0.05]
    reached = S.Plateau(S.Constant(S.Level(before=1.0)), factor=0.5, patience=0)
    assert values(S.Sequence([half, S.Stage(reached)]), [None, None, 1.0, 1.0]) == [0.05] * 4 + [0.025]
    torchs = S.Plateau(S.StepLR(2, 0.1), factor=0.5, patience=0)
    found = values(S.Sequence([half, S.Stage(torchs)]), [None, None, 1.0, 1.0])
    assert found == pytest.approx([0.05, 0.05, 0.05, 0.05, 0.0025])


def test_the_boundary_of_a_plateau_is_the_stages_that_the_sequence_says() -> None:
    half = S.Stage(S.Constant(S.Level(relative=0.5)), over=S.Span(steps=2))
    for boundary, at_boundary in (("later", 0.1), ("earlier", 0.05)):
        schedule = S.Sequence([half, S.Stage(S.Plateau())], boundary=boundary)
        assert values(schedule, [None, None, 1.0]) == [0.05, 0.05, at_boundary, 0.1]


def test_greedy_goes_on_from_the_value_reached_and_begins_anew_there() -> None:
    half = S.Stage(S.Constant(S.Level(relative=0.5)), over=S.Span(steps=1))
    greedy = S.Greedy(factor=0.5, patience=0, low=S.Level(relative=0.25), reset_start=1)
    schedule = S.Sequence([half, S.Stage(greedy)])
    assert values(schedule, [None, 1.0, 2.0, 2.0, 2.0]) == [0.05, 0.05, 0.1, 0.05, 0.05, 0.1]


def test_a_stage_after_one_goes_on_from_its_value() -> None:
    schedule = S.Plateau(factor=0.5, patience=0).then(S.StepLR(1, 0.5), at=2)
    assert values(schedule, [1.0, 1.0, None, None]) == [0.1, 0.1, 0.05, 0.025, 0.0125]


# Definitions.


def test_it_is_no_closed_form_and_only_the_steps_before_lead_to_one() -> None:
    for schedule in (S.Plateau(), S.Greedy(), S.Sequence([S.Stage(S.Plateau())])):
        assert not schedule.closed
        assert schedule.at(5, BASE, BASE) is None


def test_the_curve_is_checked_as_a_whole() -> None:
    mixed = S.Plateau(
        S.Sequence([S.Stage(S.Constant(), over=S.Span(tokens=5)), S.Stage(S.Ramp(over=S.Span(steps=3)))])
    )
    with pytest.raises(DefinitionError, match="spans are in steps and tokens"):
        codec.decode(codec.encode(mixed))


def test_groups_that_are_added_begin_with_the_factor_so_far() -> None:
    schedule = S.Plateau(factor=0.5, patience=0)
    at, _, _ = extend(schedule, BASE, begin(schedule, BASE, BASE), 1, Given(metric=1.0))
    at, _, _ = extend(schedule, BASE, at, 1, Given(metric=1.0))
    more: Row = {"lr": (0.1, 1.0)}
    _, (row,), _ = extend(schedule, more, at._replace(row={"lr": (0.05, 1.0)}), 1, Given(metric=0.5))
    assert row["lr"] == (0.05, 0.5)
