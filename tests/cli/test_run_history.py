"""`lrkeeper run history` and `lrkeeper run explain`, against a real server."""

from __future__ import annotations

import json
from uuid import uuid4

from lrkeeper import Client, views
from lrkeeper import schedules as S
from tests.cli.conftest import Cli
from tests.cli.jobs import start, train, trained
from tests.protocol.jobs import a_group

HALVES = S.StepLR(10, gamma=0.5)


def test_history_makes_one_row_of_equal_steps(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, HALVES, to=25)
    rows = [line.split() for line in cli.out("run", "history", name).splitlines()]
    assert rows == [
        ["steps", "lr", "revision", "edit"],
        ["0–9", "0.1", "1"],
        ["10–19", "0.05", "1"],
        ["20–25", "0.025", "1"],
    ]


def test_history_between_two_steps(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, HALVES, to=25)
    lines = cli.out("run", "history", name, "--from", "9", "--to", "10").splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["9", "0.1"], ["10", "0.05"]]
    assert cli("run", "history", name, "--from", "3", "--to", "2").exit_code == 2


def test_history_shows_an_edit_where_it_begins_to_act(cli: Cli, client: Client, name: str) -> None:
    place = trained(client, name, HALVES, to=5)
    client.edit_run(
        name, S.StepLR(30), expected_revision=1, at_step=8, reason="same value still", author="ann"
    )
    train(client, place, to=12)
    client.edit_run(name, S.StepLR(1), expected_revision=2, at_step=90, reason="late", author="bob")
    lines = cli.out("run", "history", name).splitlines()
    assert lines[1].split() == ["0–7", "0.1", "1"]
    assert lines[2].split(maxsplit=3) == [
        "8–12",
        "0.1",
        "2",
        "ann: same value still; step_lr: {step_size: 30, gamma: 0.1}",
    ]
    assert lines[3] == "pending: from step 90 revision 3, bob: late; step_lr: {step_size: 1, gamma: 0.1}"


def test_history_as_json_has_a_line_for_every_step(cli: Cli, client: Client, name: str) -> None:
    place = trained(client, name, HALVES, to=9, lrs=(0.1, 0.3))
    client.edit_run(name, S.StepLR(3), expected_revision=1, reason="why", author="ann")
    train(client, place, to=12)
    rows = [json.loads(line) for line in cli.out("run", "history", name, "--json").splitlines()]
    assert [row["step"] for row in rows] == list(range(13))
    assert rows[0]["origin"]
    assert rows[9]["values"] == {"lr": [0.1, 0.3]}
    assert (rows[9]["revision"], rows[9]["edit"]) == (1, None)
    assert (rows[10]["revision"], rows[10]["edit"]["reason"]) == (2, "why")
    assert rows[11]["edit"] is None


def test_json_gives_the_committed_bits(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, S.StepLR(1, gamma=0.3), to=40, lrs=(0.1,))
    rows = [json.loads(line) for line in cli.out("run", "history", name, "--json").splitlines()]
    committed = [value for block in client.list_blocks(name) for value in block.table.column(0)]
    assert [row["values"]["lr"][0].hex() for row in rows[1:]] == [value.hex() for value in committed]


def test_history_of_a_branch_that_was_left(cli: Cli, client: Client, name: str) -> None:
    place = trained(client, name, HALVES, to=5)
    client.edit_run(name, S.StepLR(6), expected_revision=1, reason="old one", author="ann")
    train(client, place, to=8)
    client.finish_run(name)
    train(client, start(client, name, S.StepLR(2), on_existing="new_branch"), to=3)
    old = cli.out("run", "history", name, "--branch", "1")
    assert "old one" in old
    assert [line.split()[0] for line in old.splitlines()[1:]] == ["0–5", "6–8"]
    assert [line.split()[0] for line in cli.out("run", "history", name).splitlines()[1:]] == ["0–1", "2–3"]
    assert "has no branch 7" in cli.refusal("run", "history", name, "--branch", "7")


def test_history_of_a_branch_begins_at_its_own_origin(cli: Cli, client: Client, name: str) -> None:
    place = trained(client, f"{name}-lost", HALVES, to=5)
    moved = start(
        client,
        name,
        HALVES,
        checkpoint=views.Checkpoint(run_uid=str(uuid4()), branch=1, step=5),
        origin=views.Origin(
            HALVES, place.cursor, place.cursor_step, client.explain(f"{name}-lost", 5).values
        ),
    )
    train(client, moved, to=8)
    client.finish_run(name)
    train(client, start(client, name, HALVES, on_existing="new_branch"), to=3)
    rows = [
        json.loads(line) for line in cli.out("run", "history", name, "--branch", "1", "--json").splitlines()
    ]
    assert [row["step"] for row in rows] == [5, 6, 7, 8]
    assert rows[0]["origin"]


def test_history_beyond_the_frontier_says_how_far_the_run_is(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, HALVES, to=5)
    out = cli.out("run", "history", name, "--from", "6")
    assert out == "no step from 6 on is committed; the run has got to step 5\n"


def test_explain_tells_value_schedule_edits_and_holder(cli: Cli, client: Client, name: str) -> None:
    client.create_schedule(name, HALVES)
    place = trained(client, name, S.StepLR(99), to=5, holder_labels={"host": "node7"})
    client.edit_run(name, name, expected_revision=1, reason="loss plateaued", author="ann")
    train(client, place, to=12)
    facts = dict(line.split(maxsplit=1) for line in cli.out("run", "explain", name, "11").splitlines())
    assert facts["step"] == "11 of branch 1"
    assert facts["lr"] == "0.05"
    assert facts["schedule"] == f"{name} revision 1 (step_lr: {{step_size: 10, gamma: 0.5}})"
    assert facts["revision"] == "2"
    assert facts["edit"].startswith("revision 2, from step 6,")
    assert facts["edit"].endswith("ann: loss plateaued")
    assert "host=node7" in facts["asked"]
    before = cli.out("run", "explain", name, "5")
    assert "none in force" in before
    assert "step_size: 99" in before


def test_explain_of_the_origin_and_of_a_step_to_come(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, HALVES, to=5)
    assert "the timeline begins here" in cli.out("run", "explain", name, "0")
    assert "step 6 " in cli.refusal("run", "explain", name, "6")
    assert cli("run", "explain", name, "-1").exit_code == 2


def test_explain_as_json(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, HALVES, to=12)
    found = json.loads(cli.out("run", "explain", name, "10", "--json"))
    assert (found["run"], found["step"], found["values"]) == (name, 10, {"lr": [0.05]})
    assert (found["revision"], found["fence"], found["edits"]) == (1, 1, [])
    assert found["schedule"] == {"step_lr": {"step_size": 10, "gamma": 0.5}}


def test_a_run_whose_job_added_param_groups_is_one_timeline(cli: Cli, client: Client, name: str) -> None:
    place = trained(client, name, S.ExponentialLR(0.5), to=2)
    more = views.Start(
        name,
        place.incarnation,
        (a_group(0.1), a_group(0.8)),
        S.ExponentialLR(0.5),
        checkpoint=views.Checkpoint(place.run_uid, place.branch, 2),
        adds_groups=True,
    )
    train(client, client.acquire_run(more), to=4)
    lines = cli.out("run", "export", name).splitlines()
    assert lines == [
        "step,lr[0],lr[1]",
        "0,0.1,",
        "1,0.05,",
        "2,0.025,0.8",
        "3,0.0125,0.4",
        "4,0.00625,0.2",
    ]
    shown = cli.out("run", "history", name)
    assert [line.split()[0] for line in shown.splitlines() if line[:1].isdigit()] == list("01234")
    assert "2, from step 2" in cli.out("run", "show", name)
    explained = json.loads(cli.out("run", "explain", name, "1", "--json"))
    assert (explained["branch"], explained["values"]) == (1, {"lr": [0.05]})
    refused = cli("run", "export", name, "--as", "torch")
    assert (refused.exit_code, "param groups were added" in refused.stderr) == (1, True)
