"""`lrkeeper schedule`, against a real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from tests.cli.conftest import Cli
from tests.cli.jobs import trained

FAILS_AT_8 = """
sequential_lr:
  schedulers:
    - step_lr: {step_size: 2}
    - sequential_lr: {schedulers: [{step_lr: {step_size: 3}}], milestones: []}
  milestones: [8]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text("step_lr: {step_size: 30, gamma: 0.5}\n")
    return path


def test_apply_creates_then_updates_then_changes_nothing(
    cli: Cli, client: Client, name: str, file: Path
) -> None:
    apply = ("schedule", "apply", name, "-f", str(file))
    assert cli.out(*apply, "--reason", "first") == f"created schedule {name} (revision 1)\n"
    assert client.get_schedule(name).reason == "first"
    assert cli.out(*apply) == f"schedule {name} is unchanged (revision 1)\n"
    file.write_text("step_lr: {step_size: 40}\n")
    out = cli.out(*apply)
    assert out == f"updated schedule {name} (revision 2)\nno unfinished run follows it\n"
    assert client.get_schedule(name).schedule == S.StepLR(40)


def test_apply_takes_the_name_from_the_file(cli: Cli, client: Client, name: str, tmp_path: Path) -> None:
    path = tmp_path / "named.yaml"
    path.write_text(f"name: {name}\nschedule: {{step_lr: {{step_size: 3}}}}\n")
    cli.out("schedule", "apply", "-f", str(path))
    assert client.get_schedule(name).schedule == S.StepLR(3)
    result = cli("schedule", "apply", "another", "-f", str(path))
    assert result.exit_code == 2
    assert f"NAME is 'another', and the file says name: '{name}'" in result.stderr


def test_apply_without_any_name_is_wrong_usage(cli: Cli, client: Client, file: Path) -> None:
    result = cli("schedule", "apply", "-f", str(file))
    assert result.exit_code == 2
    assert "the schedule has no name" in result.stderr


def test_apply_reads_standard_input(cli: Cli, client: Client, name: str) -> None:
    cli.out("schedule", "apply", name, "-f", "-", input='{"step_lr": {"step_size": 7}}')
    assert client.get_schedule(name).schedule == S.StepLR(7)


def test_apply_says_from_which_step_each_follower_has_the_revision(
    cli: Cli, client: Client, name: str, file: Path
) -> None:
    client.create_schedule(name, S.StepLR(10))
    trained(client, f"{name}-a", name, to=3)
    trained(client, f"{name}-b", name, to=11)
    lines = cli.out("schedule", "apply", name, "-f", str(file)).splitlines()
    assert lines[0] == f"updated schedule {name} (revision 2)"
    assert [line.split() for line in lines[2:]] == [[f"{name}-a", "4"], [f"{name}-b", "12"]]


def test_a_follower_that_refuses_the_revision_makes_status_1(
    cli: Cli, client: Client, name: str, tmp_path: Path
) -> None:
    client.create_schedule(name, S.StepLR(10))
    trained(client, f"{name}-a", name, to=3)
    trained(client, f"{name}-b", name, to=11)
    path = tmp_path / "fails.yaml"
    path.write_text(FAILS_AT_8)
    result = cli("schedule", "apply", name, "-f", str(path), "--json")
    assert result.exit_code == 1
    assert result.stderr == "Error: 1 of 2 following runs did not take revision 2\n"
    took, refused = json.loads(result.stdout)["followers"]
    assert took == {"run": f"{name}-a", "effective_step": 4, "refusal": ""}
    assert "cannot get beyond step 7" in refused["refusal"]


def test_apply_as_json_has_the_stored_schedule(cli: Cli, client: Client, name: str, file: Path) -> None:
    found = json.loads(cli.out("schedule", "apply", name, "-f", str(file), "--reason", "r", "--json"))
    stored = client.get_schedule(name)
    assert found["change"] == "created"
    assert found["schedule"] == {"step_lr": {"step_size": 30, "gamma": 0.5}}
    assert (found["name"], found["revision"], found["etag"]) == (name, 1, stored.etag)
    assert (found["reason"], found["followers"]) == ("r", [])


def test_apply_of_a_bad_file_stores_nothing(cli: Cli, client: Client, name: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("step_lr: {step_size: 0}")
    assert f"{path}: step_lr: StepLR: step_size is 0" in cli.refusal(
        "schedule", "apply", name, "-f", str(path)
    )
    cli.refusal("schedule", "show", name)


def test_list_has_every_schedule_in_a_row(cli: Cli, client: Client, name: str) -> None:
    client.create_schedule(name, S.MultiStepLR([3, 6]), author="ann@host")
    (row,) = [line for line in cli.out("schedule", "list").splitlines() if line.startswith(name)]
    assert row.split()[:3] == [name, "1", "0"]
    assert "ann@host" in row
    assert row.endswith("multi_step_lr: {milestones: [3, 6], gamma: 0.1}")
    (found,) = [s for s in json.loads(cli.out("schedule", "list", "--json")) if s["name"] == name]
    assert found["schedule"] == {"multi_step_lr": {"milestones": [3, 6], "gamma": 0.1}}


def test_what_show_prints_is_a_schedule_file(cli: Cli, client: Client, name: str, tmp_path: Path) -> None:
    schedule = S.MultiStepLR([10, 20]).then(S.StepLR(5, gamma=3e-5), at=20)
    client.create_schedule(name, schedule, reason="why not")
    facts, _, definition = cli.out("schedule", "show", name).partition("\n\n")
    assert "why not" in facts
    cli.out("schedule", "apply", f"{name}-copy", "-f", "-", input=definition)
    assert client.get_schedule(f"{name}-copy").schedule == schedule


def test_show_of_an_earlier_revision(cli: Cli, client: Client, name: str) -> None:
    first = client.create_schedule(name, S.StepLR(1))
    client.update_schedule(name, S.StepLR(2), etag=first.etag)
    shown = json.loads(cli.out("schedule", "show", name, "--revision", "1", "--json"))
    assert shown["schedule"]["step_lr"]["step_size"] == 1
    assert f"there is no revision 9 of schedule '{name}'" in cli.refusal(
        "schedule", "show", name, "--revision", "9"
    )


def test_a_file_is_previewed_without_a_server(cli: Cli, file: Path) -> None:
    out = cli.out("schedule", "preview", str(file), "--steps", "70")
    assert "⡇" in out  # the curve
    assert out.endswith("steps  lr\n0–29   0.1\n30–59  0.05\n60–69  0.025\n")


def test_a_file_and_the_server_give_the_same_preview(cli: Cli, client: Client, name: str, file: Path) -> None:
    cli.out("schedule", "apply", name, "-f", str(file))
    options = ("--steps", "100", "--first-step", "25", "--lr", "0.3", "--lr", "1e-3", "--json")
    here, there = (json.loads(cli.out("schedule", "preview", s, *options)) for s in (str(file), name))
    assert here == there
    assert here["rows"][0] == {"step": 25, "values": {"lr": [0.3, 0.001]}}
    assert here["rows"][-1] == {"step": 124, "values": {"lr": [0.3 * 0.5**4, 1e-3 * 0.5**4]}}


@pytest.mark.parametrize("stored", [False, True])
def test_preview_says_where_torch_would_raise(
    stored: bool, cli: Cli, client: Client, name: str, tmp_path: Path
) -> None:
    path = tmp_path / "fails.yaml"
    path.write_text(FAILS_AT_8)
    cli.out("schedule", "apply", name, "-f", str(path))
    schedule = name if stored else str(path)
    last = cli.out("schedule", "preview", schedule).splitlines()[-1]
    assert last.startswith("step 8 cannot be reached: torch raises NotImplementedError there")
    failure = json.loads(cli.out("schedule", "preview", schedule, "--json"))["failure"]
    assert (failure["step"], failure["type"]) == (8, "NotImplementedError")
    assert "cannot get beyond step 7" in cli.refusal("schedule", "preview", schedule, "--first-step", "9")


def test_preview_of_a_far_step(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "fall.yaml"
    path.write_text("schedule: {ramp: {over: {steps: 1000000000}, begin: {absolute: 1}, end: {absolute: 0}}}")
    far = ("--first-step", "999999998", "--steps", "3", "--json")
    found = json.loads(cli.out("schedule", "preview", str(path), *far))
    assert [row["values"]["lr"] for row in found["rows"]] == [[2e-9], [1e-9], [0.0]]
    path.write_text("schedule: {step_lr: {step_size: 3}}")
    refusal = cli.refusal("schedule", "preview", str(path), *far)
    assert "first_step is 999999998; it must be from 0 to 10000000" in refusal


def test_preview_of_values_that_are_not_finite(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "grows.yaml"
    path.write_text("step_lr: {step_size: 1, gamma: 1e300}")
    out = cli.out("schedule", "preview", str(path), "--steps", "4")
    assert out.splitlines()[-1].split() == ["2–3", "inf"]
    rows = json.loads(cli.out("schedule", "preview", str(path), "--steps", "4", "--json"))["rows"]
    assert rows[3]["values"]["lr"] == ["Infinity"]


@pytest.mark.parametrize(
    "options", [("--steps", "0"), ("--first-step", "-1"), ("--lr", "nan"), ("--lr", "x")]
)
def test_preview_of_an_impossible_range_is_wrong_usage(
    options: tuple[str, ...], cli: Cli, file: Path
) -> None:
    assert cli("schedule", "preview", str(file), *options).exit_code == 2


def test_delete_frees_the_name(cli: Cli, client: Client, name: str) -> None:
    client.create_schedule(name, S.StepLR(1))
    assert cli.out("schedule", "delete", name) == f"deleted schedule {name}\n"
    assert f"there is no schedule '{name}'" in cli.refusal("schedule", "delete", name)


def test_delete_as_json_names_the_schedule(cli: Cli, client: Client, name: str) -> None:
    client.create_schedule(name, S.StepLR(1))
    found = json.loads(cli.out("schedule", "delete", name, "--json"))
    assert found == {"change": "deleted", "name": name}


def test_a_schedule_that_a_run_follows_is_not_deleted(cli: Cli, client: Client, name: str) -> None:
    client.create_schedule(name, S.StepLR(1))
    trained(client, name, name, to=1)
    assert "is followed by 1 unfinished run" in cli.refusal("schedule", "delete", name)
