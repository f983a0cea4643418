"""`lrkeeper schedule preview` of stages and of long curves, `diff`, and pictures."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from tests.cli.conftest import Cli

LONG = "stages: [{warmup: linear, over: 2Kba}, {hold: 1x, over: 8Mba, label: stable}, {decay: 1-sqrt, over: 1Mba}]"


@pytest.fixture
def long(tmp_path: Path) -> str:
    path = tmp_path / "long.yaml"
    path.write_text(LONG)
    return str(path)


@pytest.fixture
def drops(tmp_path: Path) -> str:
    path = tmp_path / "drops.yaml"
    path.write_text("step_lr: {step_size: 30, gamma: 0.5}")
    return str(path)


def test_a_long_curve_is_shown_at_some_of_its_steps(cli: Cli, long: str) -> None:
    lines = cli.out("schedule", "preview", long, "--steps", "10000000", "--lr", "1").splitlines()
    start = lines.index(next(line for line in lines if line.startswith("stage ")))
    assert [line.split()[:3] for line in lines[start + 1 : start + 4]] == [
        ["warmup", "0", "1999"],
        ["stable", "2000", "8001999"],
        ["decay", "8002000", "9999999"],
    ]
    assert lines[-1] == "(21 of the steps; --json has more)"
    assert lines[-2].split() == ["9999999", "0.0"]


def test_the_samples_of_a_long_curve_are_its_exact_values(cli: Cli, long: str) -> None:
    options = ("--steps", "9100000", "--first-step", "1000", "--lr", "1", "--json")
    found = json.loads(cli.out("schedule", "preview", long, *options))
    values = {row["step"]: row["values"]["lr"][0] for row in found["rows"]}
    assert 2000 < len(values) < 3100
    assert (values[1000], values[2000], values[8_002_000], values[9_100_999]) == (0.5, 1.0, 1.0, 0.0)
    assert found["stages"][0] == {
        "label": "warmup",
        "first_step": 1000,
        "last_step": 1999,
        "start": {"lr": [0.5]},
        "end": {"lr": [0.9995]},
    }


def test_a_stored_schedule_may_be_as_long(cli: Cli, client: Client, name: str, long: str) -> None:
    cli.out("schedule", "apply", name, "-f", long)
    options = ("--steps", "9000000", "--json")
    here, there = (json.loads(cli.out("schedule", "preview", s, *options)) for s in (long, name))
    assert here == there


def test_a_long_curve_of_a_torch_class_is_refused(cli: Cli, drops: str) -> None:
    says = cli.refusal("schedule", "preview", drops, "--steps", "100001")
    assert "each value of this schedule follows from those before: at most 100,000 steps are shown" in says


def test_labels_stand_where_their_stages_begin(cli: Cli) -> None:
    written = r'stages: [{warmup: 25}, {hold: 1x, label: "a\x1b"}]'
    out = cli.out("schedule", "preview", "-", "--steps", "50", input=written)
    labels = next(line for line in out.splitlines() if line.strip().startswith("warmup "))
    assert (labels.index("warmup"), labels.index(r"a\x1b")) == (13, 38)


def test_many_values_are_shown_at_some_steps(cli: Cli) -> None:
    out = cli.out("schedule", "preview", "-", "--steps", "1000", input="exponential_lr: {gamma: 0.999}")
    assert out.endswith("(21 of the steps; --json has more)\n")
    assert len(out.splitlines()) < 50


def test_pictures_are_written(cli: Cli, long: str, tmp_path: Path) -> None:
    png, svg = tmp_path / "a.png", tmp_path / "b.svg"
    cli.out("schedule", "preview", long, "--steps", "9002000", "--png", str(png), "--svg", str(svg))
    assert png.read_bytes().startswith(b"\x89PNG")
    drawn = svg.read_text()
    for text in ("long.yaml", "warmup", "stable", "decay", "step"):
        assert f"<!-- {text} -->" in drawn


def test_the_same_picture_has_the_same_bytes(cli: Cli, drops: str, tmp_path: Path) -> None:
    pictures = [tmp_path / name for name in ("a.svg", "b.svg")]
    for picture in pictures:
        cli.out("schedule", "preview", drops, "--svg", str(picture))
    assert pictures[0].read_bytes() == pictures[1].read_bytes()


def test_without_matplotlib_the_extra_is_named(
    cli: Cli, drops: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    says = cli.refusal("schedule", "preview", drops, "--png", str(tmp_path / "a.png"))
    assert says == "Error: pictures need matplotlib: pip install 'lrkeeper[plot]'\n"
    cli.out("schedule", "preview", drops)


def test_a_picture_that_cannot_be_written_is_an_error(cli: Cli, drops: str, tmp_path: Path) -> None:
    says = cli.refusal("schedule", "preview", drops, "--png", str(tmp_path / "none" / "a.png"))
    assert "none/a.png: No such file or directory" in says


def test_diff_tells_where_two_part_and_by_how_much(
    cli: Cli, client: Client, name: str, drops: str, tmp_path: Path
) -> None:
    client.create_schedule(name, S.MultiStepLR([30, 50], gamma=0.5))
    result = cli("schedule", "diff", drops, name, "--steps", "70", "--png", str(tmp_path / "d.png"))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-4:] == [
        f"A: {drops}",
        f"B: {name}",
        "they part at step 50",
        "the largest difference is 0.025, of lr at step 50: A has 0.05, B has 0.025 (B is 0.5 times A)",
    ]
    assert (tmp_path / "d.png").exists()


def test_diff_of_the_same_is_status_0(cli: Cli, drops: str) -> None:
    out = cli.out("schedule", "diff", drops, drops)
    assert out.endswith("they are the same in these 100 steps\n")


def test_diff_as_json(cli: Cli, drops: str) -> None:
    result = cli("schedule", "diff", drops, "-", "--json", "--lr", "1", "--lr", "2", input="hold: 1x")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "first_step": 30,
        "largest": {"difference": 1.75, "step": 90, "track": "lr", "group": 1, "values": [0.25, 2.0]},
    }


def test_diff_of_long_curves_finds_the_very_step(cli: Cli, long: str) -> None:
    other = LONG.replace("8Mba", "7654321ba")
    result = cli("schedule", "diff", long, "-", "--steps", "100000000", "--json", input=other)
    assert json.loads(result.stdout)["first_step"] == 2000 + 7_654_321 + 1


def test_diff_of_a_schedule_that_ends_and_one_that_does_not(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "cycle.yaml"
    path.write_text("one_cycle_lr: {max_lr: 0.1, total_steps: 9, cycle_momentum: false}")
    result = cli("schedule", "diff", str(path), str(path), "--steps", "50")
    assert "they are the same" in result.stdout
    result = cli("schedule", "diff", str(path), "-", "--steps", "50", "--json", input="hold: 1x")
    assert json.loads(result.stdout)["first_step"] == 0


TRACKS = """
parameters: {n: {}}
lr: {stages: [{warmup: linear, over: $n}, {hold: 1x}]}
weight_decay: {base: 0.1, cosine: {to: 0, over: 50ba}}
"""


def test_the_tracks_of_a_definition_are_panels_with_the_names_of_the_groups(cli: Cli, tmp_path: Path) -> None:
    picture = tmp_path / "a.svg"
    options = ("--set", "n=10", "--groups", "body,head", "--lr", "1", "--lr", "2", "--svg", str(picture))
    out = cli.out("schedule", "preview", "-", *options, input=TRACKS)
    assert out.count("-> (step)") == 2
    drawn = picture.read_text()
    for text in ("lr", "weight_decay", "body", "head", "warmup"):
        assert f"<!-- {text} -->" in drawn


def test_diff_gives_each_the_parameters_that_it_has(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "tracks.yaml"
    path.write_text(TRACKS)
    other = "parameters: {m: {}}\nlr: {warmup: $m}\nweight_decay: {base: 0.1, cosine: {to: 0, over: 50ba}}"
    options = ("--set", "n=10", "--set", "m=20", "--json")
    result = cli("schedule", "diff", str(path), "-", *options, input=other)
    assert json.loads(result.stdout)["first_step"] == 1
    assert cli("schedule", "diff", str(path), str(path), "--set", "k=1").exit_code == 2
    assert "needs a number for n" in cli.refusal("schedule", "diff", str(path), str(path))


def test_stages_of_tokens_are_marked_where_the_pace_says(cli: Cli) -> None:
    written = "stages: [{warmup: linear, over: 1Ktok}, {hold: 1x}]"
    out = cli.out("schedule", "preview", "-", "--tokens-per-step", "50", input=written)
    line = next(line for line in out.splitlines() if line.startswith("hold "))
    assert line.split()[:3] == ["hold", "20", "99"]
