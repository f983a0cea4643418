"""Plateau and Greedy on a server: what they know of the metric outlives it, and the first report decides."""

from __future__ import annotations

from typing import Any

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import ScheduleFails
from lrkeeper.schedules.cursor import begin, extend
from lrkeeper.schedules.given import Given
from lrkeeper.schedules.numbers import Row
from lrkeeper.views import Origin, Place, Window
from tests.protocol import jobs
from tests.support.server import ServerProcess

WARMUP = S.Stage(S.Ramp(over=S.Span(steps=3), begin=S.Level(absolute=0)), over=S.Span(steps=3))
CURVE = S.Ramp(over=S.Span(steps=40), begin=S.Level(relative=1), end=S.Level(relative=0.5))
SCHEDULES: dict[str, S.Schedule] = {
    "plateau": S.Plateau(factor=0.5, patience=1, cooldown=1),
    "plateau of a curve": S.Plateau(CURVE, factor=0.5, patience=1, reports=2, low=S.Level(absolute=0.001)),
    "plateau of torch's": S.Plateau(S.ExponentialLR(0.9), factor=0.5, patience=1),
    "plateau after warmup": S.Sequence([WARMUP, S.Stage(S.Plateau(factor=0.5, patience=1))]),
    "greedy": S.Greedy(
        factor=0.5, patience=1, smooth=True, window=3, reset_start=2, low=S.Level(absolute=0.04)
    ),
}
LOSSES = [1.0, 0.5, 0.5, 0.6, 0.5, 0.7, 0.8, 0.3, float("nan"), 0.4, 0.5, 0.6, 0.7, 0.2, 0.9, 0.9]


def tell(client: Client, place: Place, step: int, metric: float) -> Window:
    given = Given(metric=metric)
    return client.next_lr(place, step, applied_step=step - 1, revision=place.revision, given=given)


def expected(schedule: S.Schedule) -> jobs.Bits:
    base: Row = {"lr": (0.1,)}
    at = begin(schedule, base, base)
    found: jobs.Bits = []
    for loss in LOSSES:
        at, (row,), _ = extend(schedule, base, at, 1, Given(metric=loss))
        found.append((row["lr"][0].hex(),))
    return found


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_the_values_are_the_evaluators_across_a_checkpoint(client: Client, schedule: S.Schedule) -> None:
    place = jobs.begun(client, schedule=schedule)
    wanted = expected(schedule)
    assert len(set(wanted)) > 2
    for step, loss in enumerate(LOSSES[:8], start=1):
        window = tell(client, place, step, loss)
        assert jobs.bits(window.table) == [wanted[step - 1]]
    assert window.table is not None
    origin = Origin(schedule, window.cursor, window.cursor_step, window.table, window.given)
    moved = client.acquire_run(jobs.a_start(jobs.new_name(), schedule=schedule, origin=origin))
    for step, loss in enumerate(LOSSES[8:], start=9):
        assert jobs.bits(tell(client, moved, step, loss).table) == [wanted[step - 1]]


def test_a_server_that_was_killed_goes_on_with_the_counters(own_server: ServerProcess) -> None:
    schedule = SCHEDULES["greedy"]
    with Client(own_server.address) as client:
        place = jobs.begun(client, schedule=schedule)
        found: jobs.Bits = []
        for step, loss in enumerate(LOSSES, start=1):
            found += jobs.bits(tell(client, place, step, loss).table)
            if step == 6:
                own_server.kill()
                own_server.start()
    assert found == expected(schedule)


def test_the_first_report_of_a_step_decides(client: Client) -> None:
    place = jobs.begun(client, schedule=S.Plateau(factor=0.5, patience=0), world_size=2)
    tell(client, place, 1, 1.0)
    first = jobs.bits(tell(client, place, 2, 2.0).table)
    assert first == [((0.05).hex(),)]
    assert jobs.bits(tell(client, jobs.at_rank(place, 1), 2, 0.1).table) == first
    assert client.explain(place.run, 2).given == Given(metric=2.0)


@pytest.mark.parametrize("schedule", [S.Plateau(), S.Greedy()])
def test_a_run_in_its_course_is_not_given_one_since_its_past_reports_are_not_known(
    client: Client, schedule: S.Schedule
) -> None:
    place = jobs.stepped(client, jobs.begun(client), 3)
    with pytest.raises(ScheduleFails, match=r"given no metric: use step\(metric\)"):
        client.edit_run(place.run, schedule, expected_revision=1, reason="r")
    later: Any = S.Sequence([S.Stage(S.Constant(), over=S.Span(steps=8)), S.Stage(schedule)])
    edited = client.edit_run(place.run, later, expected_revision=1, reason="from step 8 on")
    assert edited.effective_step == 4
    jobs.stepped(client, place, 8)
    assert tell(client, place, 9, 1.0).table is not None
