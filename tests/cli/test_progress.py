"""`lrkeeper` of schedules that count tokens, samples or epochs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.schedules.given import Given
from tests.cli.conftest import Cli
from tests.cli.jobs import start

RAMP = "ramp: {{over: {{{unit}: 1000}}, begin: {{relative: 1}}, end: {{absolute: 0}}}}\n"
TOKENS = S.Ramp(over=S.Span(tokens=1000), begin=S.Level(relative=1), end=S.Level(absolute=0))
OPTIONS = {
    "epochs": ("--steps-per-epoch", "0.01"),
    "samples": ("--samples-per-step", "100"),
    "tokens": ("--tokens-per-step", "100"),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(RAMP.format(unit="tokens"))
    return path


@pytest.mark.parametrize("unit", OPTIONS)
def test_a_preview_draws_at_the_pace_that_it_is_given(cli: Cli, tmp_path: Path, unit: str) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(RAMP.format(unit=unit))
    found = json.loads(cli.out("schedule", "preview", str(path), "--steps", "13", *OPTIONS[unit], "--json"))
    lrs = [row["values"]["lr"][0] for row in found["rows"]]
    assert lrs == pytest.approx([0.1 - 0.01 * min(step, 10) for step in range(13)], abs=1e-15)
    assert found["failure"] is None


@pytest.mark.parametrize("stored", [False, True])
def test_a_preview_without_a_pace_says_which_option_gives_it(
    stored: bool, cli: Cli, client: Client, name: str, file: Path
) -> None:
    client.create_schedule(name, TOKENS)
    schedule = name if stored else str(file)
    refusal = cli.refusal("schedule", "preview", schedule)
    assert "counts tokens" in refusal
    assert refusal.endswith("say --tokens-per-step\n")
    assert cli.refusal("schedule", "preview", schedule, "--samples-per-step", "8") == refusal


def test_a_file_and_the_server_draw_the_same(cli: Cli, client: Client, name: str, file: Path) -> None:
    client.create_schedule(name, TOKENS)
    options = ("--first-step", "3", "--steps", "5", "--tokens-per-step", "130", "--json")
    here, there = (json.loads(cli.out("schedule", "preview", s, *options)) for s in (str(file), name))
    assert here == there
    assert here["rows"][0] == {"step": 3, "values": {"lr": [pytest.approx(0.061)]}}


@pytest.mark.parametrize("pace", ["0", "-5", "nan", "x"])
def test_a_pace_that_is_none_is_wrong_usage(cli: Cli, file: Path, pace: str) -> None:
    result = cli("schedule", "preview", str(file), "--tokens-per-step", pace)
    assert result.exit_code == 2
    assert "--tokens-per-step" in result.stderr


def test_the_help_says_that_a_pace_is_for_the_drawing_only(cli: Cli) -> None:
    assert " ".join(cli.out("schedule", "preview", "--help").split()).count("for the drawing only") == 3


def test_explain_shows_what_a_step_was_told(cli: Cli, client: Client, name: str) -> None:
    place = start(client, name, TOKENS)
    given = Given(metric=0.5, progress={"tokens": 1_234_567.0, "epochs": 0.25})
    client.next_lr(place, 1, applied_step=0, revision=1, given=given)
    out = cli.out("run", "explain", name, "1")
    assert "metric 0.5; 0.25 epochs so far; 1,234,567 tokens so far" in out
    found = json.loads(cli.out("run", "explain", name, "1", "--json"))
    assert found["given"]["progress"] == {"epochs": 0.25, "tokens": 1_234_567.0}


def test_an_edit_to_tokens_says_that_its_values_are_not_known_yet(
    cli: Cli, client: Client, name: str, file: Path
) -> None:
    start(client, name, S.StepLR(5))
    out = cli.out("run", "set-schedule", name, str(file), "--reason", "r", "--dry-run")
    assert "the values from step 1 on hang on what the job will report" in out
    assert "torch raises" not in out
