"""The builders: what they refuse, and what they say instead."""

from __future__ import annotations

from typing import Any

import pytest

from lrkeeper import schedules as S
from lrkeeper.schedules import codec, cursor
from lrkeeper.schedules.numbers import F32, Row
from lrkeeper.schedules.schedule import Schedule
from lrkeeper.schedules.shape import DefinitionError

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
]


@pytest.mark.parametrize("schedule", EVERY)
def test_a_definition_survives_message_and_json(schedule: Schedule) -> None:
    assert codec.decode(codec.encode(schedule)) == schedule
    assert codec.from_json(codec.to_json(schedule)) == schedule


@pytest.mark.parametrize("schedule", EVERY)
def test_an_evaluation_goes_on_from_its_cursor_with_the_same_bits(schedule: Schedule) -> None:
    for base in (BASE, {"lr": (F32(0.1), 0.3)}):
        whole = cursor.extend(schedule, base, cursor.begin(schedule, base, base), 60)[1]
        at, rows = cursor.begin(schedule, base, base), []
        for count in (1, 8, 2, 30, 19):
            at = cursor.Cursor.from_json(at.to_json(), base)
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
