"""`lrkeeper run rollback` and `lrkeeper run fork`, against a real server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from tests.cli.conftest import Cli
from tests.cli.jobs import start, train, trained

HALVES = S.StepLR(10, gamma=0.5)


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "s.yaml"
    path.write_text("multi_step_lr: {milestones: [3], gamma: 0.1}\n")
    return str(path)


def back(name: str, *more: str, to_step: int = 8) -> list[str]:
    return ["run", "rollback", name, "--to-step", str(to_step), "--reason", "it diverged", *more]


def test_what_is_left_behind_is_said_before_and_what_was_done_after(
    cli: Cli, client: Client, name: str
) -> None:
    place = trained(client, name, HALVES, to=11, holder_labels={"host": "node-3"})
    client.edit_run(name, S.StepLR(5), expected_revision=1, at_step=15, reason="sooner", author="ann")
    out = cli.out(*back(name, "--yes"))
    first, second, third, header, *rows, last = out.splitlines()
    assert first == f"leaves steps 9 to 11 behind; run history {name} --branch 1 shows them"
    assert second == "drops revision 2 (from step 15, ann: sooner): step_lr: {step_size: 5, gamma: 0.1}"
    assert third.startswith(
        f"fences the start that holds the run: fence 1, incarnation {place.incarnation}, "
    )
    assert "host=node-3" in third
    assert header.split() == ["steps", "lr"]
    assert [row.split() for row in rows] == [["8–9", "0.1"], ["10–12", "0.05"]]
    assert last == f"run {name} is on branch 2 (revision 3, fence 2)"
    run = client.get_run(name)
    assert (run.branch, run.frontier, run.holder, run.lineage[-1].reason) == (2, 9, None, "it diverged")


def test_it_asks_first(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, HALVES, to=11)
    refused = cli(*back(name), input="n\n")
    assert refused.exit_code == 1
    assert "leaves steps 9 to 11 behind" in refused.stdout
    assert f"Take run {name} back to step 8?" in refused.stderr
    assert client.get_run(name).branch == 1
    assert cli(*back(name), input="y\n").exit_code == 0
    assert client.get_run(name).branch == 2


def test_a_dry_run_changes_nothing(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, HALVES, to=11)
    before = client.get_run(name)
    out = cli.out(*back(name, "--dry-run"))
    assert out.endswith(f"nothing was changed; run {name} is on branch 1, at revision 1\n")
    assert client.get_run(name) == before


def test_edits_are_kept_and_the_branch_gets_a_schedule(
    cli: Cli, client: Client, name: str, file: str
) -> None:
    trained(client, name, HALVES, to=11)
    client.edit_run(name, S.StepLR(5), expected_revision=1, at_step=15, reason="sooner", author="ann")
    out = cli.out(*back(name, "--yes", "--keep-edits", "--schedule", file))
    assert "drops" not in out
    assert [row.split() for row in out.splitlines()[3:-1]] == [["8", "0.1"], ["9–12", "0.010000000000000002"]]
    ours = [edit for edit in client.get_run(name).edits if edit.branch == 2]
    assert [(e.effective_step, e.reason) for e in ours] == [(9, "it diverged"), (15, "sooner")]


def test_json_has_all_of_it(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, HALVES, to=11)
    client.edit_run(name, S.StepLR(5), expected_revision=1, at_step=15, reason="sooner", author="ann")
    found = json.loads(cli.out(*back(name, "--yes", "--json")))
    assert found["left"] == {"branch": 1, "steps": 3}
    assert (found["branch"], found["fence"], found["frontier"], found["revision"]) == (2, 2, 9, 3)
    assert [edit["reason"] for edit in found["dropped"]] == ["sooner"]
    assert found["preview"][0] == {"step": 8, "values": {"lr": [0.1]}}
    assert (found["run"], found["dry_run"], found["failure"]) == (name, False, None)


def test_what_the_server_refuses_is_one_line(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, HALVES, to=11)
    assert "has the steps from 0 to 11" in cli.refusal(*back(name, "--yes", to_step=12))
    assert "is at revision 1" in cli.refusal(*back(name, "--yes", "--expected-revision", "2"))
    assert cli("run", "rollback", name, "--to-step", "3").exit_code == 2  # no reason


def test_show_and_history_tell_of_the_branches(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, HALVES, to=11)
    client.rollback_run(name, 8, expected_revision=1, reason="it diverged", author="ann")
    shown = cli.out("run", "show", name)
    assert "none (fence 2)" in shown
    train(client, start(client, name, HALVES), to=13)
    for out in (cli.out("run", "show", name), cli.out("run", "history", name)):
        (line,) = (line for line in out.splitlines() if line.startswith("2  ") and "it diverged" in line)
        assert "8…13" in line
        assert "ann" in line
    history = cli.out("run", "history", name, "--json").splitlines()
    assert [json.loads(line)["branch"] for line in history] == [1] * 8 + [2] * 6
    old = cli.out("run", "history", name, "--branch", "1")
    assert "10–11" in old


def test_a_fork_is_made_and_shown(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, HALVES, to=11)
    out = cli.out("run", "fork", name, f"{name}-b", "--at-step", "6", "--reason", "to compare")
    assert out.splitlines() == [
        f"made run {name}-b, forked from {name}, at step 6 of branch 1",
        "schedule: step_lr: {step_size: 10, gamma: 0.5}",
    ]
    run = client.get_run(f"{name}-b")
    assert (run.frontier, run.lineage[0].reason) == (7, "to compare")
    shown = cli.out("run", "show", f"{name}-b")
    assert f"{name}, at step 6 of branch 1" in shown
    assert "none (fence 0)" in shown
    listed = json.loads(cli.out("run", "show", f"{name}-b", "--json"))
    assert listed["forked_from"]["step"] == 6
    assert "Error: there is a run" in cli.refusal(
        "run", "fork", name, f"{name}-b", "--at-step", "6", "--reason", "again"
    )


def test_a_fork_takes_edits_along_from_the_branch_that_is_named(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, HALVES, to=11)
    client.edit_run(name, S.StepLR(5), expected_revision=1, at_step=15, reason="sooner", author="ann")
    client.rollback_run(name, 4, expected_revision=2, reason="it diverged")
    more = ["--branch", "1", "--keep-edits", "--reason", "r"]
    out = cli.out("run", "fork", name, f"{name}-b", "--at-step", "10", *more)
    assert out.splitlines()[-1] == "revision 2 acts from step 15: step_lr: {step_size: 5, gamma: 0.1}"
    found = json.loads(cli.out("run", "fork", name, f"{name}-c", "--at-step", "10", *more, "--json"))
    assert (found["name"], found["frontier"], found["edits"][0]["effective_step"]) == (f"{name}-c", 11, 15)
