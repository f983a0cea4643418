"""`lrkeeper run list, show, finish, delete`, against a real server."""

from __future__ import annotations

import json
from itertools import pairwise

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.cli.run.rows import sampled
from tests.cli.conftest import Cli
from tests.cli.jobs import start, train, trained

HALVES = S.StepLR(10, gamma=0.5)


def test_list_has_the_runs_with_all_the_labels(cli: Cli, client: Client, name: str) -> None:
    trained(client, f"{name}-a", HALVES, to=12, labels={"team": name, "seed": "1"}, unit="epoch")
    trained(client, f"{name}-b", HALVES, to=1, labels={"team": name, "seed": "2"}, lrs=(0.1, 0.2))
    header, second, first = cli.out("run", "list", "--label", f"team={name}").splitlines()
    assert header.split()[:4] == ["run", "state", "step", "lr"]
    assert first.split()[:5] == [f"{name}-a", "active", "12", "epoch", "0.05"]
    assert "step_lr: {step_size: 10, gamma: 0.5}" in first
    assert f"seed=1, team={name}" in first
    assert second.split()[:5] == [f"{name}-b", "active", "1", "0.1,", "0.2"]
    one = cli.out("run", "list", "--label", f"team={name}", "--label", "seed=1")
    assert [line.split()[0] for line in one.splitlines()[1:]] == [f"{name}-a"]


def test_list_by_state(cli: Cli, client: Client, name: str) -> None:
    trained(client, f"{name}-a", HALVES, to=1, labels={"of": name})
    trained(client, f"{name}-b", HALVES, to=1, labels={"of": name})
    client.finish_run(f"{name}-a")
    label = ("--label", f"of={name}", "--json")
    active = json.loads(cli.out("run", "list", "--state", "active", *label))
    finished = json.loads(cli.out("run", "list", "--state", "finished", *label))
    assert [run["name"] for run in active] == [f"{name}-b"]
    assert [run["name"] for run in finished] == [f"{name}-a"]
    assert finished[0]["state"] == "finished"


def test_list_of_nothing_says_so(cli: Cli, client: Client, name: str) -> None:
    assert cli.out("run", "list", "--label", f"of={name}") == "there is no such run\n"
    assert cli.out("run", "list", "--label", f"of={name}", "--json") == "[]\n"


def test_a_label_without_value_is_wrong_usage(cli: Cli) -> None:
    assert "'seed' is not KEY=VALUE" in cli("run", "list", "--label", "seed").stderr
    assert cli("run", "list", "--label", "a=1", "--label", "a=2").exit_code == 2


def test_show_tells_where_a_run_stands_and_who_holds_it(cli: Cli, client: Client, name: str) -> None:
    place = trained(
        client,
        name,
        HALVES,
        to=25,
        unit="epoch",
        lrs=(0.1, 0.1, 0.3),
        world_size=8,
        labels={"team": "vision"},
        holder_labels={"host": "node7", "pid": "4242"},
    )
    out = cli.out("run", "show", name)
    facts = dict(line.split(maxsplit=1) for line in out.split("\n\n")[0].splitlines())
    assert facts["run"] == name
    assert facts["state"] == "active"
    assert facts["lr"] == "0.025, 0.025, 0.075 (step 25; a step is one epoch)"
    assert facts["frontier"].startswith("26,")
    assert facts["schedule"] == "step_lr: {step_size: 10, gamma: 0.5}"
    assert facts["revision"] == "1"
    assert facts["labels"] == "team=vision"
    assert "8 ranks" in facts["holder"]
    assert "host=node7, pid=4242" in facts["holder"]
    assert place.incarnation in facts["holder"]
    assert " s ago (" in facts["heard"]
    assert "follows" not in facts
    assert "⡇" in out  # the curve
    assert "(epoch)" in out


def test_show_tells_the_states_of_the_edits(cli: Cli, client: Client, name: str) -> None:
    client.create_schedule(name, HALVES)
    place = trained(client, name, name, to=5)

    def edit(revision: int, step: int, reason: str) -> None:
        client.edit_run(
            name, S.StepLR(revision), expected_revision=revision, at_step=step, reason=reason, author="ann"
        )

    edit(1, 6, "first")
    edit(2, 8, "second")
    train(client, place, to=10)
    edit(3, 20, "third")
    edit(4, 18, "fourth")
    out = cli.out("run", "show", name)
    rows = [line.split() for line in out.split("\n\n")[1].splitlines()[1:]]
    states = {row[0]: (row[1], " ".join(row[2 : row.index("ann") - 3])) for row in rows}
    assert states == {
        "2": ("6", "past"),
        "3": ("8", "in force"),
        "4": ("20", "superseded"),
        "5": ("18", "pending"),
    }
    client.finish_run(name)
    assert "not reached" in cli.out("run", "show", name)


def test_show_of_a_run_that_follows_a_schedule_names_it(cli: Cli, client: Client, name: str) -> None:
    client.create_schedule(name, HALVES)
    trained(client, name, name, to=5)
    assert f"follows        {name}, revision 1\n" in cli.out("run", "show", name)


def test_show_says_when_a_run_will_follow_a_schedule(cli: Cli, client: Client, name: str) -> None:
    client.create_schedule(name, HALVES)
    trained(client, name, S.StepLR(3), to=5)
    client.edit_run(name, name, expected_revision=1, at_step=50, reason="later")
    out = cli.out("run", "show", name)
    assert f"follows        {name}, revision 1 (from step 50)\n" in out
    assert "schedule       step_lr: {step_size: 3, gamma: 0.1}\n" in out


def test_show_of_a_run_without_steps_has_no_curve(cli: Cli, client: Client, name: str) -> None:
    start(client, name, HALVES)
    assert "⡇" not in cli.out("run", "show", name)


def test_show_as_json_has_everything(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, HALVES, to=12)
    client.edit_run(name, S.StepLR(3), expected_revision=1, reason="why", author="ann")
    found = json.loads(cli.out("run", "show", name, "--json"))
    assert (found["name"], found["frontier"], found["revision"], found["fence"]) == (name, 13, 2, 1)
    assert found["latest"] == {"step": 12, "values": {"lr": [0.05]}}
    assert found["edits"][0]["effective_step"] == 13
    assert found["edits"][0]["schedule"] == {"step_lr": {"step_size": 3, "gamma": 0.1}}
    assert (found["edits"][0]["author"], found["edits"][0]["reason"]) == ("ann", "why")
    assert found["holder"]["world_size"] == 1


def test_of_a_long_run_show_draws_enough_steps_and_those_of_its_edits(
    cli: Cli, client: Client, name: str
) -> None:
    place = trained(client, name, HALVES, to=1000)
    client.edit_run(name, S.StepLR(1, gamma=1.0), expected_revision=1, at_step=1234, reason="up")
    train(client, place, to=5000)
    spans = list(sampled(client, client.get_run(name)))
    steps = [span.first for span in spans]
    assert (steps[0], steps[-1]) == (0, 5000)
    assert {1233, 1234} <= set(steps)
    assert len(steps) < 300
    assert max(after - before for before, after in pairwise(steps)) <= 25
    assert spans[steps.index(1234)].values == {"lr": (0.1,)}
    assert "⡇" in cli.out("run", "show", name)


def test_finish_ends_a_run_and_repeating_it_changes_nothing(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, HALVES, to=7)
    assert cli.out("run", "finish", name) == f"run {name} is finished, at step 7\n"
    assert cli.out("run", "finish", name) == f"run {name} is finished, at step 7\n"
    assert client.get_run(name).state == "finished"


def test_finish_as_json_is_the_run_as_show_has_it(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, HALVES, to=7)
    finished = json.loads(cli.out("run", "finish", name, "--json"))
    assert (finished["name"], finished["state"], finished["frontier"]) == (name, "finished", 8)
    assert finished == json.loads(cli.out("run", "show", name, "--json"))


def test_delete_as_json_names_the_run(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, HALVES, to=7)
    found = json.loads(cli.out("run", "delete", name, "--force", "--json"))
    assert found == {"change": "deleted", "name": name}


def test_a_run_in_use_is_deleted_only_with_force(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, HALVES, to=7)
    assert "is in use" in cli.refusal("run", "delete", name)
    assert cli.out("run", "delete", name, "--force") == f"deleted run {name}\n"
    assert f"there is no run '{name}'" in cli.refusal("run", "show", name)
