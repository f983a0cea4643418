"""`lrkeeper schedule expand`, and `--verbose` of apply and preview."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from tests.cli.conftest import Cli

WRITTEN = "warmup: 10ba\ncosine: {to: 10%, over: 90ba}\n"
CANONICAL = """\
sequence:
  stages:
  - schedule:
      ramp:
        begin: {absolute: 0}
        end: {relative: 1}
        over: {steps: 10}
    over: {steps: 10}
    label: warmup
  - schedule:
      ramp:
        end: {relative: 0.1}
        over: {steps: 90}
        ease: cosine
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "s.yaml"
    path.write_text(WRITTEN)
    return str(path)


def test_expand_prints_the_canonical_form(cli: Cli, file: str) -> None:
    assert cli.out("schedule", "expand", file) == CANONICAL
    assert cli.out("schedule", "expand", "-", input=CANONICAL) == CANONICAL
    assert (
        json.loads(cli.out("schedule", "expand", file, "--json"))["sequence"]["stages"][0]["label"]
        == "warmup"
    )


def test_expand_reads_what_stands_beside_a_name(cli: Cli) -> None:
    assert cli.out("schedule", "expand", "-", input="name: x\nschedule: {hold: 1x}") == (
        "constant:\n  value: {relative: 1}\n"
    )


def test_expand_keeps_names_that_look_like_numbers(cli: Cli) -> None:
    written = 'lr: 1x\ngroups: {0: {lr: 2x}}\nparameters: {"7": {description: "8"}}\n'
    once = cli.out("schedule", "expand", "-", input=written)
    assert "group: '0'" in once
    assert cli.out("schedule", "expand", "-", input=once) == once


def test_expand_names_the_file_and_the_path_of_what_is_wrong(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("name: x\nschedule: {lr: {stages: [{hold: 1xx}]}}")
    assert f"{path}: schedule.lr.stages[0].hold: is '1xx'" in cli.refusal("schedule", "expand", str(path))


def test_verbose_prints_the_canonical_form_too(cli: Cli, client: Client, name: str, file: str) -> None:
    quiet, loud = (cli.out("schedule", "preview", file, *more) for more in ((), ("--verbose",)))
    assert "  - schedule:\n      ramp:\n" in loud
    assert loud.partition("\n\n")[2] == quiet.partition("\n\n")[2]
    stored = cli.out("schedule", "apply", name, "-f", file, "--verbose")
    assert stored.startswith(f"created schedule {name} (revision 1)\n\nsequence:\n")
    ramp = S.Ramp("90ba", end="10%", ease="cosine")
    schedule = client.get_schedule(name).schedule
    assert isinstance(schedule, S.Sequence)
    assert schedule.stages[1].schedule == ramp


def test_a_schedule_of_a_file_is_unchanged_by_its_canonical_form(
    cli: Cli, client: Client, name: str, file: str
) -> None:
    cli.out("schedule", "apply", name, "-f", file)
    expanded = cli.out("schedule", "expand", file)
    out = cli.out("schedule", "apply", name, "-f", "-", input=expanded)
    assert out == f"schedule {name} is unchanged (revision 1)\n"
