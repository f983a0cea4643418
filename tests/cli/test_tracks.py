"""Definitions of several hyperparameters on the command line."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest

from lrkeeper import Client, views
from lrkeeper import schedules as S
from tests.cli.conftest import Cli

WRITTEN = """
tracks:
  total: {parameter: total_steps}
  parameters: [{name: total_steps, description: how long}, {name: floor, value: 0.5}]
  tracks:
    - schedule: {ramp: {over: {fraction: 0.5}, end: {parameter: floor}}}
    - {group: "encoder.*", scale: 2, schedule: {constant: {}}}
    - {name: weight_decay, group: head, link: 0.1 * lr / base_lr}
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "tracks.yaml"
    path.write_text(WRITTEN)
    return str(path)


def lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


RESOLVED = [
    "param group track base scale follows",
    "0 encoder.1 lr {lr} 2 constant: {{value: {{relative: 1}}}}",
    "0 encoder.1 weight_decay {wd} - nothing: the base value stays",
    "1 head weight_decay {wd} 1 0.1 * lr / base_lr",
]


def test_a_preview_shows_what_rules_each_group(cli: Cli, file: str, client: Client, name: str) -> None:
    options = ("--groups", "encoder.1,head", "--set", "total_steps=8", "--base", "weight_decay=0.3")
    here = cli.out("schedule", "preview", file, *options, "--lr", "0.1")
    for line in RESOLVED:
        assert line.format(lr=0.1, wd=0.3) in lines(here)
    assert "weight_decay" in here
    cli.out("schedule", "apply", name, "-f", file)
    assert cli.out("schedule", "preview", name, *options, "--lr", "0.1") == here


def test_show_has_the_parameters_and_what_rules_each_group(
    cli: Cli, file: str, client: Client, name: str
) -> None:
    cli.out("schedule", "apply", name, "-f", file)
    shown = lines(cli.out("schedule", "show", name, "--groups", "encoder.1,head"))
    for line in RESOLVED:
        assert line.format(lr="its own", wd="its own") in shown
    assert "total_steps - how long" in shown
    assert "floor 0.5" in shown


def test_run_show_has_what_rules_each_group(cli: Cli, client: Client, name: str) -> None:
    values = {"lr": 0.1, "weight_decay": 0.3}
    groups = (
        views.Group("encoder.1", "float64", values, values),
        views.Group(None, "float64", values, values),
    )
    schedule = S.Tracks(
        [S.Track(S.StepLR(3)), S.Track(S.Constant(), "weight_decay", group="encoder*", base=0.2)]
    )
    client.acquire_run(views.Start(name, uuid4().hex, groups, schedule))
    shown = lines(cli.out("run", "show", name))
    assert "0 encoder.1 weight_decay 0.2 1 constant: {value: {relative: 1}}" in shown
    assert "1 weight_decay 0.3 - nothing: the base value stays" in shown


def test_a_preset_is_previewed_by_its_name(cli: Cli, client: Client) -> None:
    wsd = ("schedule", "preview", "presets/wsd", "--set", "total_steps=10_000", "--set", "peak=3e-4")
    assert "0.0003" in cli.out(*wsd, "--steps", "2", "--first-step", "5000")
    assert "presets/wsd" in cli.out("schedule", "list")
    assert "none: it comes with the server" in cli.out("schedule", "show", "presets/wsd")
    assert "needs a number for total_steps" in cli.refusal("schedule", "preview", "presets/wsd")


def test_an_edit_gives_numbers(cli: Cli, client: Client, name: str) -> None:
    group = views.Group(None, "float64", {"lr": 0.1}, {"lr": 0.1})
    client.acquire_run(views.Start(name, uuid4().hex, (group,), S.StepLR(3)))
    edit = ("run", "set-schedule", name, "presets/warmup-linear", "--reason", "try")
    assert "needs a number for total_steps" in cli.refusal(*edit)
    cli.out(*edit, "--set", "total_steps=10", "--set", "warmup_steps=2")
    assert client.get_run(name).revision == 2


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--set", "total_steps"), "'total_steps' is not NAME=NUMBER"),
        (("--set", "total_steps=many"), "'total_steps=many' is not NAME=NUMBER"),
        (("--groups", "a,b", "--lr", "1", "--lr", "2", "--lr", "3"), "3 are given for 2 param groups"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    cli: Cli, file: str, options: tuple[str, ...], says: str
) -> None:
    result = cli("schedule", "preview", file, *options)
    assert result.exit_code == 2
    assert says in result.stderr


def test_a_file_whose_parameters_are_not_given_is_refused(cli: Cli, file: str) -> None:
    assert "needs a number for total_steps (how long)" in cli.refusal("schedule", "preview", file)
