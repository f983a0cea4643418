"""Runs that follow composable kinds: what the server commits is what the definition gives anywhere."""

from __future__ import annotations

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import InvalidArgument
from lrkeeper.schedules import Schedule, cursor
from tests.protocol import jobs
from tests.support.server import ServerProcess

WARMUP = S.Ramp(10, begin=0)
SCHEDULES: dict[str, Schedule] = {
    "closed": WARMUP.then(S.Ramp(40, end=0, ease="cosine"), at=10),
    "beside a torch class": WARMUP.then(S.StepLR(5, 0.7), at=10).then(S.Power(7), at=23),
    "a product with a torch class": S.Product([WARMUP, S.MultiStepLR([20, 30])]),
    "cycles": S.Repeat(S.Ramp(7, end=S.Level(relative=0.1)), 7, growth=1.5, gain=0.8),
    "a formula": S.Expression("base * (0.5 if u % 7 < 3 else 1) / (1 + step / 20)"),
}


def bits_of(schedule: Schedule, end: int) -> jobs.Bits:
    """Return the bits of the steps in [0, end), evaluated here."""
    base = {"lr": (0.1,)}
    at = cursor.begin(schedule, base, base)
    _, rows, failure = cursor.extend(schedule, base, at, end - 1)
    assert failure is None
    return [(row["lr"][0].hex(),) for row in (at.row, *rows)]


@pytest.mark.parametrize("kind", SCHEDULES)
def test_a_run_goes_on_with_the_same_bits_after_a_crash(own_server: ServerProcess, kind: str) -> None:
    expected = bits_of(SCHEDULES[kind], 61)
    with Client(own_server.address) as client:
        first = jobs.begun(client, schedule=SCHEDULES[kind])
        for begin, count in ((1, 5), (6, 11), (17, 1), (18, 10)):
            jobs.ask(client, first, begin, count)
        own_server.kill()
        own_server.start()
        checkpoint = jobs.checkpoint_of(first, 21)
        start = jobs.a_start(first.run, schedule=SCHEDULES[kind], checkpoint=checkpoint)
        again = jobs.stepped(client, client.acquire_run(start), 60)
        assert jobs.bits(again.values) == expected[21:22]
        assert jobs.read(client, again, 1, 61) == expected[1:]


@pytest.mark.parametrize("kind", SCHEDULES)
def test_an_edit_goes_on_as_if_it_had_ruled_from_the_start(client: Client, kind: str) -> None:
    place = jobs.stepped(client, jobs.begun(client, schedule=S.Constant()), 20)
    edited = client.edit_run(place.run, SCHEDULES[kind], expected_revision=1, reason="", at_step=30)
    expected = bits_of(SCHEDULES[kind], 61)
    assert jobs.bits(edited.preview) == [((0.1).hex(),), *expected[30:34]]
    jobs.stepped(client, place, 60)
    assert jobs.read(client, place, 30, 61) == expected[30:]


def test_a_run_cannot_begin_with_what_has_no_meaning(client: Client) -> None:
    for schedule, says in (
        (S.Repeat.unchecked(schedule=S.StepLR(3), period=S.Span(steps=5)), "Repeat: schedule is step_lr"),
        (S.Ramp(S.Span(fraction=0.1)), "no total is given"),
        (S.Expression.unchecked(text="1 +"), "Expression: text: unexpected the end"),
    ):
        with pytest.raises(InvalidArgument, match=says):
            jobs.begun(client, schedule=schedule)
