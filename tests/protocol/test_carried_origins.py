"""A run that is not here goes on from what its checkpoint carries."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from lrkeeper import Client, messages
from lrkeeper import schedules as S
from lrkeeper.errors import RunExists
from lrkeeper.schedules.table import Table
from lrkeeper.v1.run_service_pb2 import AcquireRunRequest
from lrkeeper.views import Checkpoint, Origin, Place
from tests.protocol import jobs
from tests.protocol.watched import Watched

SCHEDULES = {
    "StepLR": S.StepLR(4, gamma=0.3),
    "MultiStepLR": S.MultiStepLR([3, 14]),
    "SequentialLR": S.SequentialLR([S.StepLR(4, gamma=0.3), S.MultiStepLR([2, 5])], [10]),
    "Sequence": S.MultiStepLR([3, 7]).then(S.StepLR(4, gamma=0.3), at=9),
}


def gone_at(client: Client, step: int, schedule: S.Schedule) -> tuple[Place, Origin]:
    """Return a run that was deleted after its job took a checkpoint, and what that carries."""
    place = jobs.begun(client, schedule=schedule)
    jobs.stepped(client, place, step - 3)
    window = jobs.ask(client, place, step - 2, 8)
    client.delete_run(place.run, force=True)
    return place, jobs.origin_of(place, window, step)


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_the_curve_goes_on_bit_by_bit(client: Client, schedule: S.Schedule) -> None:
    source, origin = gone_at(client, 12, schedule)
    place = client.acquire_run(
        jobs.a_start(source.run, schedule=schedule, checkpoint=jobs.checkpoint_of(source, 12), origin=origin)
    )
    assert place.created
    assert place.run_uid != source.run_uid
    assert (place.fence, place.branch, place.resume_step, place.frontier) == (1, 1, 12, 13)
    assert (place.revision, place.edits, place.schedule) == (1, (), schedule)
    assert place.values == origin.values
    undisturbed = jobs.stepped(client, jobs.begun(client, schedule=schedule), 60)
    jobs.stepped(client, place, 60)
    assert jobs.read(client, place, 13, 61) == jobs.read(client, undisturbed, 13, 61)
    assert client.get_run(place.run).origin_step == 12


def test_an_edit_that_was_in_force_comes_along(client: Client) -> None:
    source = jobs.stepped(client, jobs.begun(client), 4)
    client.edit_run(source.run, jobs.SLOW, expected_revision=1, reason="first")
    window = jobs.ask(client, source, 5, 8)
    client.delete_run(source.run, force=True)
    place = client.acquire_run(
        jobs.a_start(
            source.run,
            checkpoint=jobs.checkpoint_of(source, 9),
            origin=jobs.origin_of(source, window, 9),
        )
    )
    (edit,) = place.edits
    assert (edit.revision, edit.effective_step, edit.schedule) == (2, 9, jobs.SLOW)
    assert (place.revision, place.schedule) == (2, jobs.SLOW)
    jobs.stepped(client, place, 20)
    assert jobs.read(client, place, 10, 21) == jobs.torch_bits(jobs.torch_step(0.999), 21)[10:]
    run = client.get_run(place.run)
    assert (run.revision, run.schedule) == (2, jobs.SLOW)
    # The job still brings its own definition, which is no surprise.
    again = client.acquire_run(jobs.a_start(place.run, checkpoint=jobs.checkpoint_of(place, 15)))
    assert (again.fence, again.schedule) == (2, jobs.SLOW)


def test_the_origin_is_explained_by_the_definition_that_came_along(client: Client) -> None:
    source = jobs.stepped(client, jobs.begun(client), 4)
    client.edit_run(source.run, jobs.SLOW, expected_revision=1, reason="first")
    window = jobs.ask(client, source, 5, 8)
    client.delete_run(source.run, force=True)
    place = client.acquire_run(
        jobs.a_start(
            source.run,
            checkpoint=jobs.checkpoint_of(source, 9),
            origin=jobs.origin_of(source, window, 9),
        )
    )
    why = client.explain(place.run, 9)
    assert why.origin
    assert (why.revision, why.schedule) == (2, jobs.SLOW)


def test_a_name_that_another_run_has_is_not_taken_from_it(client: Client) -> None:
    source, origin = gone_at(client, 12, jobs.HALVING)
    other = client.acquire_run(jobs.a_start(source.run))
    with pytest.raises(RunExists, match="another run name") as caught:
        client.acquire_run(jobs.a_start(source.run, checkpoint=jobs.checkpoint_of(source, 12), origin=origin))
    assert caught.value.details == {"run": source.run}
    assert client.get_run(source.run).uid == other.run_uid


def test_the_origin_is_not_looked_at_where_the_run_is(client: Client) -> None:
    place = jobs.begun(client)
    window = jobs.ask(client, place, 1, 9)
    origin = replace(jobs.origin_of(place, window, 5), values=Table.from_rows(5, [{"lr": (0.7,)}]))
    again = client.acquire_run(
        jobs.a_start(place.run, checkpoint=jobs.checkpoint_of(place, 5), origin=origin)
    )
    assert (again.created, again.run_uid) == (False, place.run_uid)
    assert jobs.bits(again.values) == [((0.1 * 0.5**5).hex(),)]


SEQUENCE = S.StepLR(2).then(S.StepLR(3), at=4)


def a_request(schedule: S.Schedule = jobs.HALVING) -> AcquireRunRequest:
    """Return a request for a run of two groups that was at step 6, evaluated at step 5."""
    memory: Any = 5 if schedule == jobs.HALVING else [5, 1, {"lr": [0.1, 0.2]}, 1]
    start = jobs.a_start(
        jobs.new_name(),
        schedule=schedule,
        groups=(jobs.a_group(0.1), jobs.a_group(0.2)),
        checkpoint=Checkpoint(str(uuid4()), 1, 6),
        origin=Origin(
            schedule,
            json.dumps([5, memory, {"lr": [0.1, 0.2]}]),
            5,
            Table.from_rows(6, [{"lr": (0.01, 0.02)}]),
        ),
    )
    return messages.acquire_request(start)


def set_cursor(text: str) -> Callable[[AcquireRunRequest], object]:
    return lambda request: setattr(request.origin, "cursor", text)


def set_values(table: Table) -> Callable[[AcquireRunRequest], object]:
    return lambda request: request.origin.values.CopyFrom(table.to_message())


def at_step(step: int) -> Callable[[AcquireRunRequest], object]:
    def change(request: AcquireRunRequest) -> None:
        request.checkpoint.step = step
        set_values(Table.from_rows(step, [{"lr": (0.01, 0.02)}]))(request)

    return change


CURSOR = "origin.cursor"
BAD: dict[str, tuple[Callable[[AcquireRunRequest], object], str]] = {
    "no definition": (lambda r: r.origin.ClearField("schedule"), "origin.schedule"),
    "a definition without its field": (
        lambda r: r.origin.schedule.step_lr.ClearField("step_size"),
        "origin.schedule.step_lr.step_size",
    ),
    "no cursor": (set_cursor(""), CURSOR),
    "a cursor that is no JSON": (set_cursor("[5, 5"), CURSOR),
    "a cursor that is a number": (set_cursor("5"), CURSOR),
    "a cursor of two": (set_cursor("[5, 5]"), CURSOR),
    "a cursor of brackets": (set_cursor("[" * 100_000), CURSOR),
    "a cursor whose step is a text": (set_cursor('["5", 5, {"lr": [0.1, 0.2]}]'), CURSOR),
    "a cursor before the start": (set_cursor('[-1, 5, {"lr": [0.1, 0.2]}]'), "origin.cursor_step"),
    "a cursor of one group": (set_cursor('[5, 5, {"lr": [0.1]}]'), CURSOR),
    "a cursor of another track": (set_cursor('[5, 5, {"momentum": [0.1, 0.2]}]'), CURSOR),
    "a cursor of one track more": (set_cursor('[5, 5, {"lr": [0.1, 0.2], "a": [1, 2]}]'), CURSOR),
    "a cursor whose row is a list": (set_cursor("[5, 5, [0.1, 0.2]]"), CURSOR),
    "a cursor whose row holds lists": (set_cursor('[5, 5, {"lr": [[0.1], 0.2]}]'), CURSOR),
    "a memory that is a text": (set_cursor('[5, "5", {"lr": [0.1, 0.2]}]'), CURSOR),
    "a memory that is a mapping": (set_cursor('[5, {"step": 5}, {"lr": [0.1, 0.2]}]'), CURSOR),
    "a memory of another schedule": (set_cursor('[5, [5, 1, null, 1], {"lr": [0.1, 0.2]}]'), CURSOR),
    "a cursor of another step": (set_cursor('[4, 4, {"lr": [0.1, 0.2]}]'), "origin.cursor_step"),
    "values of another step than the checkpoint's": (
        lambda r: setattr(r.checkpoint, "step", 4),
        "origin.values",
    ),
    "a cursor beyond the checkpoint": (at_step(4), "origin.cursor_step"),
    "values of another step": (set_values(Table.from_rows(7, [{"lr": (0.01, 0.02)}])), "origin.values"),
    "values of one group": (set_values(Table.from_rows(6, [{"lr": (0.01,)}])), "origin.values"),
    "values of another track": (
        set_values(Table.from_rows(6, [{"momentum": (0.01, 0.02)}])),
        "origin.values",
    ),
    "values of two steps": (
        set_values(Table.from_rows(6, [{"lr": (0.01, 0.02)}, {"lr": (0.01, 0.02)}])),
        "origin.values",
    ),
    "no values": (lambda r: r.origin.ClearField("values"), "origin.values"),
    "values that are nan": (
        set_values(Table.from_rows(6, [{"lr": (0.01, float("nan"))}])),
        "origin.values",
    ),
    "values with a wrong checksum": (lambda r: setattr(r.origin.values, "crc32", 7), "origin.values"),
    "values of half a number": (lambda r: r.origin.values.columns.append(b"abcd"), "origin.values"),
    "values of a column that is not there": (lambda r: r.origin.values.index.extend([0, 2]), "origin.values"),
    "values of four billion groups": (
        lambda r: setattr(r.origin.values, "groups", 2**32 - 1),
        "origin.values",
    ),
}


@pytest.mark.parametrize(("change", "field"), BAD.values(), ids=BAD)
def test_an_origin_that_does_not_hold_together_is_refused(
    watched: Watched, change: Callable[[AcquireRunRequest], object], field: str
) -> None:
    request = a_request()
    change(request)
    refusal = watched.refuses(lambda: watched.wire.runs.AcquireRun(request))
    assert (refusal.status, refusal.reason) == ("INVALID_ARGUMENT", "InvalidArgument")
    assert refusal.details == {"field": field}
    assert refusal.message.startswith(field)


@pytest.mark.parametrize(
    "memory",
    [
        pytest.param([5, 99, {"lr": [0.1, 0.2]}, 1], id="a stage that is not there"),
        pytest.param([5, 1, {}, 1], id="base values of no track"),
        pytest.param([5, 1, {"lr": [0.1, 0.2, 0.3]}, 1], id="base values of another group"),
        pytest.param([5, 1, "lr", 1], id="base values that are a text"),
        pytest.param([5, 1, {"lr": [0.1, 0.2]}], id="three entries"),
        pytest.param([5, 1, {"lr": [0.1, 0.2]}, []], id="a stage's memory that is a list"),
        pytest.param(5, id="a number"),
        pytest.param(None, id="nothing"),
    ],
)
@pytest.mark.parametrize("step", [5, 6], ids=["at the checkpoint", "behind it"])
def test_a_memory_that_is_not_the_schedules_is_refused(watched: Watched, memory: object, step: int) -> None:
    """The run could not take its next step, today or ever."""
    request = a_request(SEQUENCE)
    request.origin.cursor = json.dumps([5, memory, {"lr": [0.1, 0.2]}])
    request.checkpoint.step = step
    values = Table.from_rows(step, [{"lr": (0.01, 0.02)}])
    request.origin.values.CopyFrom(values.to_message())
    refusal = watched.refuses(lambda: watched.wire.runs.AcquireRun(request))
    assert (refusal.status, refusal.details) == ("INVALID_ARGUMENT", {"field": "origin.cursor"})


@pytest.mark.parametrize("schedule", [jobs.HALVING, SEQUENCE], ids=["StepLR", "Sequence"])
def test_an_origin_that_holds_together_is_taken(watched: Watched, schedule: S.Schedule) -> None:
    """What the tables above change is all that is wrong there."""
    assert watched.wire.runs.AcquireRun(a_request(schedule)).created
