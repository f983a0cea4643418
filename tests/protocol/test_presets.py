"""Definitions that come with the server."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources

import pytest
import yaml

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import InvalidArgument, ScheduleNotFound
from lrkeeper.schedules import codec
from tests.protocol.jobs import a_start, ask, new_name

PRESETS = sorted(
    f"presets/{file.name.removesuffix('.yaml')}"
    for file in resources.files("lrkeeper.server.presets").iterdir()
    if file.name.endswith(".yaml")
)
NUMBERS = {"total_steps": 10.0, "warmup_steps": 2.0, "warmup_fraction": 0.2, "peak": 1.0, "final": 0.1}

CURVES: dict[str, list[float]] = {
    "presets/constant-with-warmup": [0, 0.5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
    "presets/cosine-restarts": [0, 0.5, 1, 0.55, 1, 0.55, 1, 0.55, 1, 0.55, 0.1, 0.1],
    "presets/inverse-sqrt": [0, 0.5, *(2**0.5 * step**-0.5 for step in range(2, 12))],
    "presets/one-cycle": [0.04, 0.52, 1, 0.9657, 0.8682, 0.7222, 0.55, 0.3778, 0.2318, 0.1343, 0.1, 0.1],
    "presets/warmup-cosine": [0, 0.5, 1, 0.9657, 0.8682, 0.7222, 0.55, 0.3778, 0.2318, 0.1343, 0.1, 0.1],
    "presets/warmup-linear": [0, 0.5, 1, 0.8875, 0.775, 0.6625, 0.55, 0.4375, 0.325, 0.2125, 0.1, 0.1],
    "presets/wsd": [0, 0.5, 1, 1, 1, 1, 1, 1, 1, 1, 0.1, 0.1],
}


def numbers_of(client: Client, name: str) -> dict[str, float]:
    schedule = client.get_schedule(name).schedule
    assert isinstance(schedule, S.Tracks)
    return {p.name: NUMBERS[p.name] for p in schedule.parameters if p.name in NUMBERS}


def test_every_preset_has_a_curve_here() -> None:
    assert set(CURVES) == set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_its_curve(client: Client, name: str) -> None:
    found = client.preview_schedule(name, 12, parameters=numbers_of(client, name), base_lrs=[0.3])
    assert found.failure is None
    assert [found.table.row(step)["lr"][0] for step in range(12)] == pytest.approx(CURVES[name], abs=1e-4)


@pytest.mark.parametrize("name", PRESETS)
def test_without_a_peak_the_param_groups_keep_their_own_lrs(client: Client, name: str) -> None:
    numbers = {**numbers_of(client, name), "final": 0.0}
    numbers = {n: v for n, v in numbers.items() if n in numbers_of(client, name)}
    del numbers["peak"]
    table = client.preview_schedule(name, 5, parameters=numbers, base_lrs=[1.0, 0.25]).table
    for step in range(5):
        one, quarter = table.row(step)["lr"]
        assert quarter == pytest.approx(one / 4)


@pytest.mark.parametrize("name", PRESETS)
def test_the_parameters_of_a_preset_say_what_they_mean(client: Client, name: str) -> None:
    stored = client.get_schedule(name)
    assert (stored.name, stored.preset, stored.etag, stored.author) == (name, True, "", "lrkeeper")
    assert stored.reason.endswith(".")
    assert isinstance(stored.schedule, S.Tracks)
    assert all(parameter.description for parameter in stored.schedule.parameters)
    text = (
        resources.files("lrkeeper.server.presets")
        .joinpath(f"{name.removeprefix('presets/')}.yaml")
        .read_text()
    )
    assert codec.from_dict(yaml.safe_load(text)["schedule"]) == stored.schedule


def test_presets_are_listed_apart(client: Client) -> None:
    assert [stored.name for stored in client.list_presets()] == PRESETS
    assert not [stored for stored in client.list_schedules() if stored.preset]


def test_a_run_begins_with_a_preset_and_is_edited_to_another(client: Client) -> None:
    run = new_name()
    start = a_start(run, schedule="presets/warmup-cosine", parameters={"total_steps": 10, "warmup_steps": 2})
    place = client.acquire_run(start)
    assert client.acquire_run(start).fence == place.fence
    ask(client, place, 1)
    edited = client.edit_run(run, "presets/warmup-linear", expected_revision=1, reason="straight")
    assert edited.preview.row(2)["lr"] == (0.1,)
    assert client.get_run(run).schedule_name == ""


CHANGES: dict[str, Callable[[Client, str], object]] = {
    "created": lambda client, name: client.create_schedule(name, S.StepLR(3)),
    "updated": lambda client, name: client.update_schedule(name, S.StepLR(3), etag="x"),
    "deleted": lambda client, name: client.delete_schedule(name),
}


@pytest.mark.parametrize("how", CHANGES)
@pytest.mark.parametrize("name", ["presets/wsd", "presets/of-mine"])
def test_no_preset_is_ever_changed(client: Client, how: str, name: str) -> None:
    with pytest.raises(
        InvalidArgument, match="what begins with 'presets/' comes with the server and is never"
    ):
        CHANGES[how](client, name)


def test_a_preset_that_is_not_there_is_not_found(client: Client) -> None:
    for call in (
        lambda: client.get_schedule("presets/wsdd"),
        lambda: client.get_schedule("presets/wsd", 2),
        lambda: client.preview_schedule("presets/wsdd", 3),
        lambda: client.acquire_run(a_start(new_name(), schedule="presets/wsdd")),
    ):
        with pytest.raises(ScheduleNotFound, match="presets/wsd"):
            call()
    for name in ("presets/", "presets/a/b", "other/wsd"):
        with pytest.raises(InvalidArgument, match="name is"):
            client.get_schedule(name)
