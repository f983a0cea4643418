"""The builders: what they refuse, and what they say instead."""

from __future__ import annotations

from typing import Any

import pytest

from lrkeeper import schedules as S
from lrkeeper.schedules import codec, cursor
from lrkeeper.schedules.numbers import F32, Row
from lrkeeper.schedules.schedule import Schedule
from lrkeeper.schedules.shape import DefinitionError
from lrkeeper.schedules.torch_schedule import SEMANTICS

BASE: Row = {"lr": (0.1,)}

REFUSED: list[tuple[Any, dict[str, Any], type[Exception], str]] = [
    (S.StepLR, {"step_size": 0}, ValueError, "step_size is 0; it must be a number above 0"),
    (S.StepLR, {"step_size": -3}, ValueError, "step_size is -3"),
    (S.StepLR, {"step_size": "3"}, TypeError, "step_size is '3'"),
    (S.StepLR, {"step_size": float("nan")}, ValueError, "step_size is nan"),
    (S.StepLR, {"step_size": True}, TypeError, "step_size is True"),
    (
        S.StepLR,
        {"step_size": 3, "gamma": -0.1},
        ValueError,
        "gamma is -0.1; it must be a finite number, at least 0",
    ),
    (S.StepLR, {"step_size": 3, "gamma": float("inf")}, ValueError, "gamma is inf"),
    (S.StepLR, {"step_size": 3, "gamma": None}, TypeError, "gamma is None"),
    (S.MultiStepLR, {"milestones": [20, 10]}, ValueError, r"milestones\[1\] is 10, after 20"),
    (S.MultiStepLR, {"milestones": [10, 10]}, ValueError, "must increase, each once"),
    (S.MultiStepLR, {"milestones": [1.5]}, ValueError, r"milestones\[0\] is 1.5; it must be a whole number"),
    (S.MultiStepLR, {"milestones": [-1]}, ValueError, "at least 0"),
    (S.MultiStepLR, {"milestones": "10,20"}, TypeError, "it must be a list of steps"),
    (S.SequentialLR, {"schedulers": [], "milestones": []}, ValueError, "schedulers is empty"),
    (S.SequentialLR, {"schedulers": [S.StepLR(2)], "milestones": [3]}, ValueError, "it must have one fewer"),
    (S.SequentialLR, {"schedulers": [0.1], "milestones": []}, TypeError, r"schedulers\[0\] is 0.1"),
    (
        S.SequentialLR,
        {"schedulers": [S.StepLR(2).then(S.StepLR(3), at=4)], "milestones": []},
        TypeError,
        r"schedulers\[0\] is sequence; it must be a schedule of a torch class",
    ),
    (
        S.SequentialLR,
        {"schedulers": [S.ReduceLROnPlateau()], "milestones": []},
        ValueError,
        r"schedulers\[0\] is reduce_lr_on_plateau; it must be one whose steps need no metric",
    ),
    (S.ChainedScheduler, {"schedulers": []}, ValueError, "ChainedScheduler: schedulers is empty"),
    (S.ConstantLR, {"factor": 0}, ValueError, "factor is 0; it must be a number, above 0, at most 1"),
    (S.ConstantLR, {"total_iters": 2.5}, ValueError, "total_iters is 2.5; it must be a whole number"),
    (S.LinearLR, {"start_factor": 1.5}, ValueError, "start_factor is 1.5; it must be a number, above 0"),
    (S.LinearLR, {"end_factor": -1}, ValueError, "end_factor is -1; it must be a number, at least 0"),
    (S.ExponentialLR, {"gamma": -0.5}, ValueError, "gamma is -0.5"),
    (S.PolynomialLR, {"power": 0}, ValueError, "power is 0; it must be a number, above 0"),
    (S.CosineAnnealingLR, {"T_max": 0}, ValueError, "T_max is 0; it must be a number, above 0"),
    (S.CosineAnnealingLR, {"T_0": 5}, TypeError, r"use CosineAnnealingWarmRestarts\(T_0=5\)"),
    (S.CosineAnnealingWarmRestarts, {"T_0": 2.5}, ValueError, "T_0 is 2.5; it must be a whole number"),
    (S.CosineAnnealingWarmRestarts, {"T_0": 5, "T_mult": 0}, ValueError, "T_mult is 0"),
    (S.CyclicLR, {"base_lr": [], "max_lr": 1}, ValueError, "base_lr is empty; it must be a number, or one"),
    (S.CyclicLR, {"base_lr": [0.1, -1], "max_lr": 1}, ValueError, r"base_lr\[1\] is -1; it must be a number"),
    (
        S.CyclicLR,
        {"base_lr": 0.1, "max_lr": 1, "mode": "square"},
        ValueError,
        "mode is 'square'; it must be 'triangular' or 'triangular2' or 'exp_range'",
    ),
    (
        S.CyclicLR,
        {"base_lr": 0.1, "max_lr": 1, "cycle_momentum": 1},
        TypeError,
        "cycle_momentum is 1; it must be True or False",
    ),
    (
        S.OneCycleLR,
        {"max_lr": 1},
        ValueError,
        "total_steps is missing; give it, or epochs and steps_per_epoch",
    ),
    (S.OneCycleLR, {"max_lr": 1, "total_steps": 0}, ValueError, "total_steps is 0"),
    (
        S.OneCycleLR,
        {"max_lr": 1, "total_steps": 10, "pct_start": 0.1},
        ValueError,
        "pct_start is 0.1; with 10",
    ),
    (
        S.OneCycleLR,
        {"max_lr": 1, "total_steps": 9, "anneal_strategy": "exp"},
        ValueError,
        "anneal_strategy is 'exp'; it must be 'cos' or 'linear'",
    ),
    (S.LambdaLR, {"lr_lambda": 0.95}, TypeError, "lr_lambda is 0.95; it must be a function"),
    (
        S.ReduceLROnPlateau,
        {"factor": 1.0},
        ValueError,
        "factor is 1.0; it must be a number, at least 0, below 1",
    ),
    (S.ReduceLROnPlateau, {"mode": "low"}, ValueError, "mode is 'low'; it must be 'min' or 'max'"),
    (S.Plateau, {"schedule": 0.1}, TypeError, "schedule is 0.1; it must be a schedule"),
    (S.Plateau, {"factor": 1.0}, ValueError, "factor is 1.0; it must be a number, at least 0, below 1"),
    (S.Plateau, {"fires": "after"}, ValueError, "it must be 'beyond' or 'at' or 'exactly'"),
    (S.Plateau, {"patience": 2.5}, ValueError, "patience is 2.5; it must be a whole number"),
    (S.Plateau, {"reports": 0}, ValueError, "reports is 0; it must be a whole number, at least 1"),
    (S.Plateau, {"begin": 5, "end": 5}, ValueError, "end is 5; it must be a whole number, at least 6"),
    (S.Plateau, {"low": True}, TypeError, "low is True; it must be a number"),
    (S.Greedy, {"factor": 1.0}, ValueError, "factor is 1.0; it must be a number, above 0, below 1"),
    (S.Greedy, {"window": 1001}, ValueError, "window is 1001; it must be a number, at most 1000"),
    (S.Greedy, {"mode": "low"}, ValueError, "mode is 'low'"),
    (S.Greedy, {"smooth": 1}, TypeError, "smooth is 1; it must be True or False"),
    (S.SWALR, {"swa_lr": "0.1"}, TypeError, "swa_lr is '0.1'; it must be a number, at least 0"),
    (S.SWALR, {"swa_lr": 0.1, "anneal_epochs": -1}, ValueError, "anneal_epochs is -1"),
    (S.Sequence, {"stages": []}, ValueError, "stages is empty"),
    (
        S.Sequence,
        {"stages": [S.Stage(S.StepLR(2)), S.Stage(S.StepLR(2))]},
        TypeError,
        r"stages\[1\].at is None",
    ),
    (S.Sequence, {"stages": [S.Stage(S.StepLR(2), at=3)]}, ValueError, "the first stage starts at 0"),
]


@pytest.mark.parametrize(("build", "arguments", "error", "says"), REFUSED)
def test_a_builder_refuses(build: Any, arguments: dict[str, Any], error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says):
        build(**arguments)


def test_then_refuses_a_step_that_does_not_increase() -> None:
    with pytest.raises(ValueError, match=r"stages\[2\].at is 20, after 20"):
        S.StepLR(5).then(S.StepLR(3), at=20).then(S.StepLR(2), at=20)


EVERY: list[Schedule] = [
    S.StepLR(30, 0.5),
    S.MultiStepLR([10, 20]),
    S.SequentialLR([S.SequentialLR([S.MultiStepLR([2]), S.StepLR(4)], [9]), S.StepLR(3)], [17]),
    S.MultiStepLR([10, 20]).then(S.StepLR(5), at=20).then(S.MultiStepLR([3]), at=41),
    S.ConstantLR(0.5, 7),
    S.LinearLR(0.1, 0.9, 30),
    S.ExponentialLR(0.97),
    S.PolynomialLR(50, 0.9),
    S.CosineAnnealingLR(20, 1e-3),
    S.CosineAnnealingWarmRestarts(7, 2),
    S.CyclicLR([0.01, 0.02], 0.1, 5, mode="exp_range", gamma=0.99, cycle_momentum=False),
    S.OneCycleLR(0.1, 70, cycle_momentum=False, three_phase=True),
    S.SWALR(0.05, 12, "linear"),
    S.ChainedScheduler([S.LinearLR(), S.SequentialLR([S.OneCycleLR(1.0, 80), S.SWALR(0.5)], [9])]),
    S.Constant(3e-4),
    S.Ramp(10, begin=0).then(S.Ramp(40, end=0, ease="cosine"), at=10),
    S.Ramp(10, begin=0).then(S.StepLR(5), at=10),
    S.Ramp(20, ease="power", power=0.5, counting="inside", warp=2.0, begin=S.Level(relative=0.1)),
    S.Power(20, toward=0.01),
    S.Points([(0, 0.1), (30, S.Level(relative=0.2))], interpolation="cosine"),
    S.Expression("0.5 ** (step / 10)", relative=True),
    S.Decay(0.5, 10, staircase=False),
    S.Steps([10, 30], factors=[0.5, 0.1], boundary="earlier"),
    S.Product([S.Ramp(10, begin=0), S.StepLR(20)]),
    S.Affine(S.CosineAnnealingLR(20), scale=0.5, low=0.01, high=S.Level(relative=0.4)),
    S.Pick("greatest", [S.Power(10), S.Constant(0.05)]),
    S.Warp(S.Decay(0.5, 10), rate=2.0, shift=1, every=3),
    S.Repeat(S.Ramp(10, end=0), 10, growth=1.5, gain=0.5, count=2, afterwards=S.Constant(0.01)),
    S.Tracks([S.Track(S.StepLR(3), scale=2.0), S.Track(S.Ramp(S.Span(steps=9)), group="1", base=0.5)]),
]


GIVEN: list[Schedule] = [
    S.LambdaLR(),
    S.MultiplicativeLR(),
    S.ReduceLROnPlateau("max", min_lr=[0.01, 0.02]),
    S.Plateau(),
    S.Plateau(
        S.Ramp(over=S.Span(tokens=9.0)),
        "max",
        0.5,
        3,
        0.01,
        "abs",
        2,
        S.Level(absolute=0.01),
        "exactly",
        0.1,
        4,
        5,
        60,
        1e-9,
    ),
    S.Plateau(S.StepLR(30), begin=10, low=S.Level(relative=0.1)),
    S.Greedy(),
    S.Greedy(
        "max", 0.5, 3, 0.01, 2, 1, S.Level(absolute=0.01), S.Level(relative=3.0), True, 7, 4, "rel", 1e-9
    ),
]
"""Those whose steps need inputs."""


def test_every_kind_is_among_the_examples() -> None:
    assert {schedule.kind for schedule in (*EVERY, *GIVEN)} == set(codec.KINDS)


@pytest.mark.parametrize("schedule", [*EVERY, *GIVEN])
def test_a_definition_survives_message_and_json(schedule: Schedule) -> None:
    assert codec.decode(codec.encode(schedule)) == schedule
    assert codec.from_json(codec.to_json(schedule)) == schedule


@pytest.mark.parametrize("schedule", [*EVERY, *GIVEN])
def test_a_stored_definition_names_the_releases_of_torch_once(schedule: Schedule) -> None:
    text = codec.to_json(schedule)
    assert text.count(f'"semantics":"{SEMANTICS}"') == text.count("semantics") == 1


@pytest.mark.parametrize("schedule", [*EVERY, *GIVEN])
def test_a_definition_of_before_that_is_the_same_one(schedule: Schedule) -> None:
    text = codec.to_json(schedule)
    before = text.replace(f'"semantics":"{SEMANTICS}",', "").replace(f',"semantics":"{SEMANTICS}"', "")
    assert codec.from_json(before) == schedule
    assert codec.comparable(text) == before
    assert codec.same(before, text)
    assert not codec.same(before, codec.to_json(S.StepLR(17)))


def test_a_definition_of_another_torch_is_refused() -> None:
    with pytest.raises(ValueError, match=r"semantics: is 'torch>=3'; this version knows 'torch>=2.9' only"):
        codec.from_json('{"semantics":"torch>=3","step_lr":{"step_size":3.0}}')


@pytest.mark.parametrize("schedule", EVERY)
def test_an_evaluation_goes_on_from_its_cursor_with_the_same_bits(schedule: Schedule) -> None:
    for base in ({"lr": (0.1, 0.2)}, {"lr": (F32(0.1), 0.3)}):
        whole = cursor.extend(schedule, base, cursor.begin(schedule, base, base), 60)[1]
        at, rows = cursor.begin(schedule, base, base), []
        for count in (1, 8, 2, 30, 19):
            at = cursor.Cursor.from_json(at.to_json(base), base)
            at, more, failure = cursor.extend(schedule, base, at, count)
            assert failure is None
            rows += more
        assert [[v.hex() for v in row["lr"]] for row in rows] == [
            [v.hex() for v in row["lr"]] for row in whole
        ]


def test_every_field_of_a_schedule_is_a_field_of_its_message() -> None:
    from dataclasses import fields

    from lrkeeper.v1 import schedule_pb2

    oneof = schedule_pb2.Schedule.DESCRIPTOR.oneofs_by_name["kind"]
    assert {field.name for field in oneof.fields} == set(codec.KINDS)
    for field in oneof.fields:
        ours = {f.name for f in fields(codec.KINDS[field.name])}  # type: ignore[arg-type]
        assert field.message_type is not None
        assert ours == {f.name for f in field.message_type.fields}


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ({}, "names no kind of schedule"),
        ({"step_lr": {}}, "schedule.step_lr.step_size: is missing"),
        ({"step_lr": {"step_size": 0}}, "step_size is 0"),
        ({"step_lr": {"stepsize": 3}}, "stepsize"),
        ({"cosine": {}}, "cosine"),
        ({"step_lr": {"step_size": 3}, "multi_step_lr": {"milestones": [2]}}, "stands beside step_lr"),
        ({"step_lr": {"step_size": "many"}}, "many"),
        (
            {"cyclic_lr": {"base_lr": [0.1], "max_lr": [1], "mode": 3}},
            "cyclic_lr.mode: is 3; it must be a word",
        ),
        ({"one_cycle_lr": {"max_lr": [1], "three_phase": 1}}, "three_phase: is 1; it must be true or false"),
        (
            {"one_cycle_lr": {"max_lr": "1", "total_steps": 9}},
            "one_cycle_lr.max_lr: is '1'; it must be a list",
        ),
        ({"reduce_lr_on_plateau": {"mode": "low"}}, "mode is 'low'; it must be 'min' or 'max'"),
        ([1], r"is \[1\]; it must be a mapping"),
        ({"sequence": {"stages": [{"at": 3}]}}, r"sequence.stages\[0\].schedule: is missing"),
    ],
)
def test_a_written_definition_is_refused_by_the_path_of_its_field(written: Any, says: str) -> None:
    with pytest.raises(DefinitionError, match=says):
        codec.from_dict(written)


def test_a_small_message_cannot_make_much_work() -> None:
    nested: dict[str, Any] = {"step_lr": {"step_size": 3}}
    for _ in range(codec.MAX_DEPTH):
        nested = {"sequential_lr": {"schedulers": [nested]}}
    with pytest.raises(DefinitionError, match="nested more than 24 deep"):
        codec.from_dict(nested)
    many = {
        "sequential_lr": {"schedulers": [{"step_lr": {"step_size": 3}}] * 600, "milestones": list(range(599))}
    }
    with pytest.raises(DefinitionError, match="more than 512 schedules"):
        codec.from_dict(many)
    with pytest.raises(DefinitionError, match="at most 10000 are taken"):
        codec.from_dict({"multi_step_lr": {"milestones": list(range(10_001))}})


def test_what_torch_takes_is_taken_unchecked_and_fails_at_its_step() -> None:
    schedule = S.StepLR.unchecked(step_size=0)
    at = cursor.begin(schedule, BASE, BASE)
    _, rows, failure = cursor.extend(schedule, BASE, at, 5)
    assert rows == []
    assert failure is not None
    assert (failure.step, failure.type) == (1, "ZeroDivisionError")


def test_a_composite_moves_what_its_members_move() -> None:
    cyclic = S.CyclicLR(0.1, 1, 5)
    assert cyclic.moves == ("lr", "momentum")
    assert S.SequentialLR([S.StepLR(2), S.ChainedScheduler([cyclic])], [3]).moves == ("lr", "momentum")
    assert S.StepLR(2).then(cyclic, at=4).moves == ("lr", "momentum")
    assert S.OneCycleLR(1, 9, cycle_momentum=False).moves == S.StepLR(2).moves == ("lr",)


def test_members_read_what_the_last_constructor_wrote() -> None:
    schedule = S.ChainedScheduler([S.SWALR(0.3), S.SWALR(0.2)])
    memory, _ = schedule.start(BASE, BASE)
    assert memory == {"groups": {"swa_lr": (0.2,)}, "memory": [[0, 1], [0, 1]]}
    assert S.ChainedScheduler([S.SWALR(0.2), S.SWALR(0.2)]).start(BASE, BASE)[0] == memory["memory"]
    assert S.OneCycleLR(1.0, 9).start(BASE, BASE)[0] == 0
    alone = S.ChainedScheduler([S.SWALR(0.2), S.OneCycleLR(1.0, 9)])
    assert alone.start(BASE, BASE)[0] == [[0, 1], 0]


def test_one_number_in_a_file_is_for_all_param_groups() -> None:
    written = {"one_cycle_lr": {"max_lr": 0.1, "total_steps": 900}}
    assert codec.from_dict(written) == S.OneCycleLR(max_lr=0.1, total_steps=900)
    member = {"sequential_lr": {"schedulers": [{"swalr": {"swa_lr": 0.05}}], "milestones": []}}
    assert codec.from_dict(member) == S.SequentialLR([S.SWALR(swa_lr=0.05)], milestones=[])
    assert written == {"one_cycle_lr": {"max_lr": 0.1, "total_steps": 900}}, "the argument was changed"


def test_numbers_for_other_param_groups_are_an_error_at_the_start() -> None:
    schedule = S.OneCycleLR([1, 3], total_steps=3, base_momentum=[0.8, 0.8], max_momentum=[0.9, 0.9, 0.9])
    base: Row = {"lr": (0.1, 0.2), "momentum": (0.9, 0.9)}
    with pytest.raises(ValueError, match="zip"):
        cursor.begin(schedule, base, base)
