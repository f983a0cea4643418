"""Reading schedule files: what is taken, and how what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from lrkeeper import schedules as S
from lrkeeper.cli import schedule_files

SEQUENCE = """
name: warm
schedule:
  sequence:
    stages:
      - schedule: {multi_step_lr: {milestones: [10, 20]}}
      - schedule: {step_lr: {step_size: 5}}
        at: 20
"""


def read(tmp_path: Path, text: str, name: str = "s.yaml") -> schedule_files.ScheduleFile:
    path = tmp_path / name
    path.write_text(text)
    return schedule_files.read(str(path))


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("step_lr: {step_size: 30}", S.StepLR(30)),
        ("step_lr: {step_size: 30, gamma: 3e-4}", S.StepLR(30, gamma=3e-4)),
        ("step_lr: {step_size: '30', gamma: '0.5'}", S.StepLR(30, gamma=0.5)),
        ('{"stepLr": {"stepSize": 30}}', S.StepLR(30)),
        ('{\n\t"step_lr": {\n\t\t"step_size": 30\n\t}\n}', S.StepLR(30)),
        ("multi_step_lr:\n  milestones:\n  - 3\n  - 6\n", S.MultiStepLR([3, 6])),
    ],
)
def test_a_file_may_be_a_definition_alone(text: str, schedule: S.Schedule, tmp_path: Path) -> None:
    assert read(tmp_path, text) == schedule_files.ScheduleFile(None, schedule)


def test_a_file_may_hold_a_name_and_a_definition(tmp_path: Path) -> None:
    found = read(tmp_path, SEQUENCE)
    assert found.name == "warm"
    assert found.schedule == S.MultiStepLR([10, 20]).then(S.StepLR(5), at=20)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("step_lr: {step_size: x}", "step_lr.step_size: is 'x'; it must be a number"),
        ("step_lr: {step_size: true}", "step_lr.step_size: is True; it must be a number"),
        ("step_lr: {step_size: .nan}", "step_lr.step_size: is nan; it must be a number"),
        ("step_lr: {step_size: 2020-01-01}", "it must be a number"),
        ("step_lr: {stepsize: 3}", "step_lr.stepsize: is not known; what may stand here is step_size, gamma"),
        ("step_lr: {}", "step_lr.step_size: is missing"),
        ("step_lr:", "step_lr: is empty"),
        ("step_lr: 30", "step_lr: is 30; it must be a mapping with step_size, gamma"),
        ("step_lr: {step_size: -3}", "step_lr: StepLR: step_size is -3; it must be a number above 0"),
        ("cosines: {}", "cosines: is not known; what may stand here is step_lr, multi_step_lr"),
        ("cosine: {}", "cosine.to: is missing"),
        ("step_lr: {step_size: 1_0e}", "step_lr.step_size: is '1_0e'; it must be a number"),
        ("step_lr: {step_size: 3}\nstep_lr: {step_size: 4}", "line 2, column 1: 'step_lr' stands here twice"),
        ("step_lr: {step_size: 3, step_size: 4}", "line 1, column 25: 'step_size' stands here twice"),
        ('{"step_lr": {"step_size": 3, "step_size": 4}}', "'step_size' stands here twice"),
        ("[{a: 1, ? [x] : 2}]", "line 1, column 11: found unhashable key"),
        ("1: 2", "1: is not known"),
        ("step_lr: {step_size: 3}\nmulti_step_lr: {milestones: [1]}", "multi_step_lr: stands beside step_lr"),
        ("multi_step_lr: {milestones: 5}", "multi_step_lr.milestones: is 5; it must be a list"),
        ("multi_step_lr: {milestones: [1, x]}", "multi_step_lr.milestones[1]: is 'x'; it must be a number"),
        ("[1]", "is [1]; it must be a mapping with step_lr"),
        ("", "is None; it must be a mapping with step_lr"),
        ("schedule: {step_lr: {}}", "schedule.step_lr.step_size: is missing"),
        ("schedule: {step_lr: {step_size: 1}}\nnmae: x", "nmae: is not known beside schedule"),
        ("schedule: {step_lr: {step_size: 1}}\nname: 3", "name: is 3; it must be a text"),
        (
            SEQUENCE.replace("at: 20", "at: 20.5"),
            "schedule.sequence.stages[1].at: is 20.5; it must be a whole number",
        ),
        (
            SEQUENCE.replace("step_size", "stepsize"),
            "schedule.sequence.stages[1].schedule.step_lr.stepsize: is not known",
        ),
        ("step_lr: {step_size: 3", "line 1, column 23: expected ',' or '}'"),
        (
            "repeat: {count: 9223372036854775808}",
            "repeat.count: is 9223372036854775808; it must be a whole number",
        ),
        ("a: &a [*a]", "a: is not known"),
        ("sequence: &a {stages: [{schedule: {sequence: *a}}]}", "is nested too deep"),
        ("[" * 100_000, "is nested too deep"),
        ("step_lr: {step_size: \x07}", "special characters are not allowed"),
    ],
)
def test_what_is_wrong_is_named_by_file_and_path(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(click.ClickException) as raised:
        read(tmp_path, text)
    assert raised.value.message.startswith(f"{tmp_path}/s.yaml: ")
    assert message in raised.value.message
    assert "\n" not in raised.value.message


def test_a_json_file_is_read_as_json(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match=r"s\.json: line 1, column 1: Expecting value"):
        read(tmp_path, "step_lr: {step_size: 3}", name="s.json")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(click.ClickException, match=r"s\.yaml: .*utf-8"):
        schedule_files.read(str(path))


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(click.BadParameter, match="No such file"):
        schedule_files.read(str(tmp_path / "none.yaml"))


@pytest.mark.parametrize("text", ["-", "./base", "a/b", "s.yaml", "s.yml", "s.json"])
def test_a_path_or_an_ending_means_a_file(text: str) -> None:
    assert schedule_files.is_file(text)


@pytest.mark.parametrize("text", ["base", "imagenet-90ep", "v1.2", "yaml"])
def test_anything_else_means_a_stored_schedule(text: str) -> None:
    assert not schedule_files.is_file(text)
