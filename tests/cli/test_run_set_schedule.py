"""`lrkeeper run set-schedule`, against a real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from tests.cli.conftest import Cli
from tests.cli.jobs import train, trained

HALVES = S.StepLR(10, gamma=0.5)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "s.yaml"
    path.write_text("multi_step_lr: {milestones: [3], gamma: 0.1}\n")
    return str(path)


def test_the_answer_says_from_which_step_and_with_which_values(
    cli: Cli, client: Client, name: str, file: str
) -> None:
    place = trained(client, name, HALVES, to=11)
    out = cli.out("run", "set-schedule", name, file, "--reason", "loss plateaued")
    first, *rows = out.splitlines()
    assert first == "effective from step 12 (revision 2)"
    assert [row.split() for row in rows[1:]] == [
        ["11", "0.05", "before"],
        ["12–15", "0.010000000000000002", "after"],
    ]
    (edit,) = client.get_run(name).edits
    assert (edit.effective_step, edit.reason, edit.schedule) == (12, "loss plateaued", S.MultiStepLR([3]))
    train(client, place, to=14)
    assert client.explain(name, 12).values.row(12) == {"lr": (0.010000000000000002,)}


def test_a_step_ahead_is_taken_and_one_behind_is_clamped(
    cli: Cli, client: Client, name: str, file: str
) -> None:
    trained(client, name, HALVES, to=11)
    ahead = cli.out("run", "set-schedule", name, file, "--reason", "r", "--at-step", "20")
    assert ahead.startswith("effective from step 20 (revision 2)\n")
    assert "committed already" not in ahead
    behind = cli.out("run", "set-schedule", name, file, "--reason", "r", "--at-step", "4")
    assert behind.startswith(
        "effective from step 12 (revision 3)\n"
        "later than --at-step 4: the steps below 12 were committed already\n"
    )


def test_the_pending_edits_it_supersedes_are_named(cli: Cli, client: Client, name: str, file: str) -> None:
    trained(client, name, HALVES, to=11)
    for revision, step in ((1, 15), (2, 30), (3, 40)):
        client.edit_run(
            name, S.StepLR(5), expected_revision=revision, at_step=step, reason=f"at {step}", author="ann"
        )
    options = ("--reason", "r", "--at-step", "30")
    planned = cli.out("run", "set-schedule", name, file, *options, "--dry-run")
    assert "would supersede the pending revision 3 (from step 30, ann: at 30)" in planned
    out = cli.out("run", "set-schedule", name, file, *options)
    assert "supersedes the pending revision 3 (from step 30, ann: at 30)" in out
    assert "supersedes the pending revision 4 (from step 40, ann: at 40)" in out
    assert "revision 2 (" not in out


def test_a_dry_run_changes_nothing(cli: Cli, client: Client, name: str, file: str) -> None:
    trained(client, name, HALVES, to=11)
    out = cli.out("run", "set-schedule", name, file, "--reason", "r", "--dry-run")
    assert out.startswith("would be effective from step 12 (revision 2)\n")
    assert out.endswith(f"nothing was changed; run {name} is at revision 1\n")
    assert client.get_run(name).edits == ()


def test_a_stored_schedule_is_followed_from_then_on(cli: Cli, client: Client, name: str) -> None:
    client.create_schedule(name, S.StepLR(3))
    trained(client, name, HALVES, to=11)
    cli.out("run", "set-schedule", name, name, "--reason", "r")
    run = client.get_run(name)
    assert (run.schedule_name, run.schedule_revision) == (name, 1)


def test_as_json(cli: Cli, client: Client, name: str, file: str) -> None:
    trained(client, name, HALVES, to=11)
    client.edit_run(name, S.StepLR(5), expected_revision=1, at_step=15, reason="old")
    found = json.loads(
        cli.out("run", "set-schedule", name, file, "--reason", "r", "--at-step", "3", "--json")
    )
    assert (found["effective_step"], found["revision"], found["clamped"]) == (12, 3, True)
    assert [edit["reason"] for edit in found["superseded"]] == ["old"]
    assert found["preview"][0] == {"step": 11, "values": {"lr": [0.05]}}
    assert (found["dry_run"], found["failure"]) == (False, None)


def test_a_schedule_that_ends_within_the_preview_is_told(
    cli: Cli, client: Client, name: str, tmp_path: Path
) -> None:
    trained(client, name, HALVES, to=4)
    path = tmp_path / "fails.yaml"
    path.write_text(
        "sequential_lr: {milestones: [6], schedulers: [{step_lr: {step_size: 2}},"
        " {sequential_lr: {schedulers: [{step_lr: {step_size: 3}}]}}]}"
    )
    out = cli.out("run", "set-schedule", name, str(path), "--reason", "r", "--dry-run")
    assert "step 6 cannot be reached: torch raises NotImplementedError there" in out
    refusal = cli.refusal("run", "set-schedule", name, str(path), "--reason", "r", "--at-step", "9")
    assert "cannot get beyond step 5" in refusal


def test_what_cannot_be_is_refused_and_changes_nothing(
    cli: Cli, client: Client, name: str, file: str
) -> None:
    trained(client, name, HALVES, to=11)
    common = ("run", "set-schedule", name, file, "--reason", "r")
    assert "is at revision 1" in cli.refusal(*common, "--expected-revision", "2")
    assert "after not_after_step 5" in cli.refusal(*common, "--not-after-step", "5")
    assert "there is no run 'nosuch'" in cli.refusal("run", "set-schedule", "nosuch", *common[3:])
    assert "there is no schedule 'nosuch'" in cli.refusal(*common[:3], "nosuch", *common[4:])
    assert client.get_run(name).edits == ()
    client.finish_run(name)
    assert "is finished" in cli.refusal(*common)


def test_an_edit_needs_a_reason(cli: Cli, name: str, file: str) -> None:
    result = cli("run", "set-schedule", name, file)
    assert result.exit_code == 2
    assert "--reason" in result.stderr
