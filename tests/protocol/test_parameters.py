"""Definitions whose numbers a run gives: starts, edits, roll-outs, previews."""

from __future__ import annotations

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import InvalidArgument, ScheduleFails
from lrkeeper.views import Group
from tests.protocol.jobs import a_start, ask, bits, new_name

LENGTH = S.Span(parameter="length")


def to(height: float, **more: float) -> S.Tracks:
    """Return a definition that goes to a height over a length that the run gives."""
    parameters = [S.Parameter("length"), *(S.Parameter(name, value) for name, value in more.items())]
    return S.Tracks([S.Track(S.Ramp(LENGTH, end=S.Level(absolute=height)))], parameters=parameters)


def lrs(client: Client, run: str, steps: range) -> list[float]:
    return [client.explain(run, step).values.row(step)["lr"][0] for step in steps]


def test_the_definition_of_a_run_has_its_numbers(client: Client) -> None:
    run = new_name()
    place = client.acquire_run(a_start(run, schedule=to(0), parameters={"length": 4}))
    assert place.schedule == S.Tracks([S.Track(S.Ramp(S.Span(steps=4), end=S.Level(absolute=0)))])
    assert client.get_run(run).schedule == place.schedule


def test_a_stored_definition_is_followed_with_the_runs_numbers(client: Client) -> None:
    stored = client.create_schedule(new_name("schedule"), to(0))
    short, long, bare = new_name(), new_name(), new_name()
    for run, length in ((short, 2), (long, 8)):
        place = client.acquire_run(a_start(run, schedule=stored.name, parameters={"length": length}))
        ask(client, place, 1)
    client.acquire_run(a_start(bare, schedule=S.StepLR(3)))
    _, followers = client.update_schedule(stored.name, to(0.3, unused=1), etag=stored.etag)
    assert {f.run: f.refusal for f in followers} == {short: "", long: ""}
    assert client.get_run(short).schedule == S.Tracks(
        [S.Track(S.Ramp(S.Span(steps=2), end=S.Level(absolute=0.3)))]
    )
    assert client.get_run(long).schedule == S.Tracks(
        [S.Track(S.Ramp(S.Span(steps=8), end=S.Level(absolute=0.3)))]
    )
    with pytest.raises(ScheduleFails, match="needs a number for length; an edit may give parameters"):
        client.edit_run(bare, stored.name, expected_revision=1, reason="follow")


def test_a_follower_that_lacks_a_number_refuses_the_update(client: Client) -> None:
    stored = client.create_schedule(new_name("schedule"), S.StepLR(3))
    run = new_name()
    client.acquire_run(a_start(run, schedule=stored.name))
    _, (follower,) = client.update_schedule(stored.name, to(0), etag=stored.etag)
    assert "cannot take the definition: the definition needs a number for length" in follower.refusal
    assert client.get_run(run).revision == 1


def test_an_edit_gives_numbers_that_later_revisions_have_too(client: Client) -> None:
    stored = client.create_schedule(new_name("schedule"), to(0))
    run = new_name()
    place = client.acquire_run(a_start(run))
    edited = client.edit_run(run, stored.name, expected_revision=1, reason="follow", parameters={"length": 4})
    assert edited.preview.row(1)["lr"][0] == pytest.approx(0.075)
    ask(client, place, 1)
    client.update_schedule(stored.name, to(0.5), etag=stored.etag)
    ask(client, place, 2)
    assert lrs(client, run, range(3)) == pytest.approx([0.1, 0.075, 0.3])


def test_an_edit_keeps_the_numbers_that_it_does_not_give(client: Client) -> None:
    run = new_name()
    place = client.acquire_run(a_start(run, schedule=to(0, final=0), parameters={"length": 4, "final": 3}))
    client.edit_run(run, to(1), expected_revision=1, reason="inline")
    ask(client, place, 1)
    assert lrs(client, run, range(2)) == pytest.approx([0.1, 0.325])


def test_a_repeated_edit_with_numbers_changes_nothing_twice(client: Client) -> None:
    run, request_id = new_name(), "0b2f3f5e-6f1c-4b76-8a37-1d2c5f0d3a11"
    client.acquire_run(a_start(run))
    for _ in range(2):
        edited = client.edit_run(
            run, to(0), expected_revision=1, reason="r", request_id=request_id, parameters={"length": 4}
        )
        assert edited.revision == 2


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({}, "needs a number for length"),
        ({"length": 3, "width": 2}, "no parameter 'width': it has length"),
        ({"length": float("nan")}, "length is nan; it must be a finite number"),
        ({"length": -3}, "over.steps is -3.0; it must be a number, above 0"),
    ],
)
def test_numbers_that_do_not_fit_are_refused_everywhere(
    client: Client, parameters: dict[str, float], says: str
) -> None:
    stored = client.create_schedule(new_name("schedule"), to(0))
    run = new_name()
    for schedule in (to(0), stored.name):
        with pytest.raises(InvalidArgument, match=says):
            client.acquire_run(a_start(new_name(), schedule=schedule, parameters=parameters))
        with pytest.raises(InvalidArgument, match=says):
            client.preview_schedule(schedule, 3, parameters=parameters)
    client.acquire_run(a_start(run))
    with pytest.raises((InvalidArgument, ScheduleFails), match=says):
        client.edit_run(run, to(0), expected_revision=1, reason="r", parameters=parameters)
    assert client.get_run(run).revision == 1


def test_a_definition_without_parameters_takes_none(client: Client) -> None:
    with pytest.raises(InvalidArgument, match="no parameter 'gamma': it has none"):
        client.acquire_run(a_start(new_name(), schedule=S.StepLR(3), parameters={"gamma": 0.5}))


def test_a_preview_has_the_param_groups_that_it_is_given(client: Client) -> None:
    schedule = S.Tracks(
        [
            S.Track(S.Ramp(LENGTH, end=S.Level(absolute=0)), group="encoder.*"),
            S.Track(name="weight_decay", link="lr * 10"),
            S.Track(S.Constant(S.Level(relative=0.5)), "momentum"),
        ],
        parameters=[S.Parameter("length", 2)],
    )
    groups = [Group(name, "float64", {"lr": 0.1}, {"lr": 0.1}) for name in ("encoder.1", "head")]
    found = client.preview_schedule(schedule, 2, groups=groups)
    assert found.table.row(1) == {"lr": (0.05, 0.1), "momentum": (0.5, 0.5), "weight_decay": (0.5, 1.0)}
    alone = client.preview_schedule(schedule, 2, base_lrs=[0.1, 0.2], parameters={"length": 4})
    assert alone.table.row(1)["lr"] == (0.1, 0.2)
    assert bits(alone.table)[1] == ((0.1).hex(), (0.2).hex())


def test_tracks_that_a_start_brings_are_checked_at_once(client: Client) -> None:
    schedule = S.Tracks([S.Track(S.StepLR.unchecked(step_size=0))])
    with pytest.raises(
        InvalidArgument, match=r"schedule.tracks.tracks\[0\].schedule.step_lr: .*step_size is 0"
    ):
        client.acquire_run(a_start(new_name(), schedule=schedule))
