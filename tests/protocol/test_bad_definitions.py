"""Definitions that a person would store, edit or look at: what is wrong is said at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import uuid4

import pytest
from google.protobuf import json_format

from lrkeeper import schedules as S
from lrkeeper.schedules import codec
from lrkeeper.schedules.sequence import Stage
from lrkeeper.schedules.shape import DefinitionError
from lrkeeper.v1 import run_pb2, run_service_pb2, schedule_service_pb2
from lrkeeper.v1.schedule_pb2 import Schedule
from tests.protocol import jobs
from tests.protocol.watched import Watched

DROPS: dict[str, object] = {"step_lr": {"step_size": 3}}


def deep(levels: int) -> dict[str, object]:
    """Return schedules one in another."""
    found: dict[str, object] = DROPS
    for _ in range(levels - 1):
        found = {"sequential_lr": {"schedulers": [found]}}
    return found


def wide(nodes: int) -> dict[str, object]:
    """Return one schedule of so many."""
    return {
        "sequential_lr": {
            "schedulers": [DROPS] * (nodes - 1),
            "milestones": list(range(1, nodes - 1)),
        }
    }


BAD: dict[str, tuple[dict[str, object], str, str]] = {
    "torch of another time": (
        {"step_lr": {"step_size": 3}, "semantics": "torch>=3"},
        "schedule.semantics",
        "is 'torch>=3'; this version knows 'torch>=2.9' only",
    ),
    "a kind of what is no number": (
        {"step_lr": {"step_size": 3}, "float32": ["gama"]},
        "schedule.float32",
        "has 'gama', which is no number of this definition",
    ),
    "no kind": ({}, "schedule", "step_lr"),
    "no step size": ({"step_lr": {"gamma": 0.5}}, "schedule.step_lr.step_size", "missing"),
    "a step size of 0": ({"step_lr": {"step_size": 0}}, "schedule.step_lr", "step_size is 0"),
    "a negative step size": ({"step_lr": {"step_size": -3}}, "schedule.step_lr", "step_size is -3"),
    "a step size that is nan": ({"step_lr": {"step_size": "NaN"}}, "schedule.step_lr", "step_size is nan"),
    "an infinite step size": ({"step_lr": {"step_size": "Infinity"}}, "schedule.step_lr", "step_size is inf"),
    "a negative gamma": ({"step_lr": {"step_size": 3, "gamma": -0.5}}, "schedule.step_lr", "gamma is -0.5"),
    "a gamma that is nan": (
        {"step_lr": {"step_size": 3, "gamma": "NaN"}},
        "schedule.step_lr",
        "gamma is nan",
    ),
    "an infinite gamma": (
        {"multi_step_lr": {"milestones": [3], "gamma": "-Infinity"}},
        "schedule.multi_step_lr",
        "gamma is -inf",
    ),
    "decreasing milestones": (
        {"multi_step_lr": {"milestones": [20, 10]}},
        "schedule.multi_step_lr",
        "milestones[1] is 10, after 20",
    ),
    "a milestone twice": (
        {"multi_step_lr": {"milestones": [10, 10]}},
        "schedule.multi_step_lr",
        "milestones[1] is 10, after 10",
    ),
    "half a step": (
        {"multi_step_lr": {"milestones": [2.5]}},
        "schedule.multi_step_lr",
        "milestones[0] is 2.5",
    ),
    "a negative milestone": (
        {"multi_step_lr": {"milestones": [-1]}},
        "schedule.multi_step_lr",
        "milestones[0] is -1",
    ),
    "a milestone that is nan": (
        {"multi_step_lr": {"milestones": ["NaN"]}},
        "schedule.multi_step_lr",
        "milestones[0] is nan",
    ),
    "too many milestones": (
        {"multi_step_lr": {"milestones": list(range(10_001))}},
        "schedule.multi_step_lr.milestones",
        "10001",
    ),
    "no members": ({"sequential_lr": {}}, "schedule.sequential_lr", "schedulers is empty"),
    "a milestone too few": (
        {"sequential_lr": {"schedulers": [DROPS, DROPS]}},
        "schedule.sequential_lr",
        "milestones has 0 entries",
    ),
    "a milestone too many": (
        {"sequential_lr": {"schedulers": [DROPS], "milestones": [3]}},
        "schedule.sequential_lr",
        "milestones has 1 entries",
    ),
    "members' milestones that decrease": (
        {"sequential_lr": {"schedulers": [DROPS] * 3, "milestones": [6, 5]}},
        "schedule.sequential_lr",
        "milestones[1] is 5, after 6",
    ),
    "a member that is no torch class": (
        {"sequential_lr": {"schedulers": [{"sequence": {"stages": [{"schedule": DROPS}]}}]}},
        "schedule.sequential_lr",
        "schedulers[0] is sequence",
    ),
    "a bad member": (
        {"sequential_lr": {"schedulers": [{"step_lr": {"step_size": -1}}]}},
        "schedule.sequential_lr.schedulers[0].step_lr",
        "step_size is -1",
    ),
    "a member of no kind": (
        {"sequential_lr": {"schedulers": [DROPS, {}], "milestones": [5]}},
        "schedule.sequential_lr.schedulers[1]",
        "step_lr",
    ),
    "no stages": ({"sequence": {}}, "schedule.sequence", "stages is empty"),
    "a first stage that starts later": (
        {"sequence": {"stages": [{"schedule": DROPS, "at": 5}]}},
        "schedule.sequence",
        "stages[0].at is 5",
    ),
    "a stage without a start": (
        {"sequence": {"stages": [{"schedule": DROPS}, {"schedule": DROPS}]}},
        "schedule.sequence",
        "whole number",
    ),
    "a stage that starts at 0": (
        {"sequence": {"stages": [{"schedule": DROPS}, {"schedule": DROPS, "at": 0}]}},
        "schedule.sequence",
        "whole number",
    ),
    "stages that go back": (
        {
            "sequence": {
                "stages": [{"schedule": DROPS}, {"schedule": DROPS, "at": 9}, {"schedule": DROPS, "at": 8}]
            }
        },
        "schedule.sequence",
        "must increase",
    ),
    "a stage without a schedule": (
        {"sequence": {"stages": [{"at": 0}]}},
        "schedule.sequence.stages[0].schedule",
        "missing",
    ),
    "too deep": (deep(25), "schedule.sequential_lr.schedulers[0]", "24 deep"),
    "too many schedules": (wide(513), "schedule.sequential_lr.schedulers[511]", "512 schedules"),
}

BIGGEST = {"as deep as may be": deep(24), "of as many schedules as may be": wide(512)}


def message(definition: dict[str, object]) -> Schedule:
    return json_format.ParseDict(definition, Schedule())


def create(watched: Watched, schedule: Schedule) -> object:
    request = schedule_service_pb2.CreateScheduleRequest(name=jobs.new_name("schedule"), schedule=schedule)
    return watched.wire.schedules.CreateSchedule(request)


def preview(watched: Watched, schedule: Schedule) -> object:
    request = schedule_service_pb2.PreviewScheduleRequest(schedule=schedule, steps=3)
    return watched.wire.schedules.PreviewSchedule(request)


def edit(watched: Watched, schedule: Schedule) -> object:
    request = run_service_pb2.EditRunRequest(
        run=watched.run,
        request_id=str(uuid4()),
        expected_revision=1,
        replace=run_pb2.Replace(schedule=schedule),
    )
    return watched.wire.runs.EditRun(request)


def update(watched: Watched, schedule: Schedule) -> object:
    request = schedule_service_pb2.UpdateScheduleRequest(
        name="no-schedule", etag="some/1", request_id=str(uuid4()), schedule=schedule
    )
    return watched.wire.schedules.UpdateSchedule(request)


CALLS: dict[str, tuple[Callable[[Watched, Schedule], object], str]] = {
    "CreateSchedule": (create, ""),
    "UpdateSchedule": (update, ""),
    "EditRun": (edit, "replace."),
    "PreviewSchedule": (preview, ""),
}


@pytest.mark.parametrize(("definition", "field", "shown"), BAD.values(), ids=BAD)
@pytest.mark.parametrize(("call", "prefix"), CALLS.values(), ids=CALLS)
def test_a_bad_definition_is_refused_and_its_place_named(
    watched: Watched,
    call: Callable[[Watched, Schedule], object],
    prefix: str,
    definition: dict[str, object],
    field: str,
    shown: str,
) -> None:
    schedule = message(definition)
    refusal = watched.refuses(lambda: call(watched, schedule))
    assert (refusal.status, refusal.reason) == ("INVALID_ARGUMENT", "InvalidArgument")
    path = f"{prefix}{field}"
    if definition is BAD["too deep"][0]:
        assert refusal.details is not None
        assert refusal.details["field"].startswith(path)
    else:
        assert refusal.details == {"field": path}
    assert refusal.message.startswith(path)
    assert shown in refusal.message


@pytest.mark.parametrize("definition", [bad[0] for bad in BAD.values()], ids=BAD)
def test_a_bad_definition_is_refused_before_it_is_sent(
    watched: Watched, definition: dict[str, object]
) -> None:
    with pytest.raises(DefinitionError, match=r"^schedule"):
        codec.from_dict(definition)
    with pytest.raises(DefinitionError) as here:
        codec.decode(message(definition))
    there = watched.refuses(lambda: preview(watched, message(definition)))
    assert there.message == str(here.value)[: len(there.message)]


@pytest.mark.parametrize("definition", BIGGEST.values(), ids=BIGGEST)
def test_a_definition_may_be_large(watched: Watched, definition: dict[str, object]) -> None:
    answer = create(watched, message(definition))
    assert isinstance(answer, schedule_service_pb2.CreateScheduleResponse)
    assert codec.decode(answer.schedule.schedule) == codec.from_dict(definition)


@pytest.mark.parametrize(
    ("build", "shown"),
    [
        (lambda: S.StepLR(0), "step_size is 0"),
        (lambda: S.StepLR(3, gamma=-1), "gamma is -1"),
        (lambda: S.StepLR(3, gamma=float("nan")), "gamma is nan"),
        (lambda: S.MultiStepLR([20, 10]), "milestones[1] is 10, after 20"),
        (lambda: S.MultiStepLR([10, 10]), "milestones[1] is 10, after 10"),
        (lambda: S.SequentialLR([], []), "schedulers is empty"),
        (lambda: S.SequentialLR([S.StepLR(3), S.StepLR(3)], []), "milestones has 0 entries"),
    ],
)
def test_a_builder_refuses_what_the_server_would(build: Callable[[], object], shown: str) -> None:
    with pytest.raises(ValueError, match=re.escape(shown)):
        build()


@pytest.mark.parametrize(
    ("build", "shown"),
    [
        (lambda: S.Sequence((Stage(S.StepLR(3)), Stage(S.StepLR(3)))), "stages[1].at is "),
        (lambda: S.StepLR(3).then(S.StepLR(3), at=0), "stages[1].at is 0"),
        (lambda: S.StepLR(3).then(S.StepLR(3), at=9).then(S.StepLR(3), at=8), "stages[2].at is 8, after 9"),
    ],
    ids=["no start", "a start at 0", "starts that go back"],
)
def test_a_bad_start_of_a_stage_is_named_as_the_definition_spells_it(
    build: Callable[[], object], shown: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(shown)):
        build()
