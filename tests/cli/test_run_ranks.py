"""`lrkeeper run show` and `explain`: who lags, who left the timeline, what was lost."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from lrkeeper import Client, views
from lrkeeper import schedules as S
from lrkeeper.cli.run.ranks import put_lost_edits, put_ranks
from lrkeeper.schedules.table import Table
from tests.cli.conftest import Cli
from tests.cli.jobs import start, trained

HALVES = S.StepLR(10, gamma=0.5)


def test_show_tells_who_lags_and_who_was_never_heard_of(cli: Cli, client: Client, name: str) -> None:
    place = start(client, name, HALVES, world_size=6)
    for rank, step in ((0, 9), (1, 4), (4, 9)):
        client.next_lr(replace(place, rank=rank), step + 1, 8, applied_step=step, revision=1)
    lines = cli.out("run", "show", name).splitlines()
    (header,) = [place for place, line in enumerate(lines) if line.startswith("rank ")]
    assert lines[header].split() == ["rank", "at", "step", "behind", "heard", "of"]
    ranks = [line.split() for line in lines[header + 1 : header + 4]]
    assert [rank[:3] for rank in ranks] == [["0", "9", "0"], ["1", "4", "5"], ["4", "9", "0"]]
    assert [rank[-1] for rank in ranks] == ["UTC)", "slowest", "UTC)"]
    assert lines[header + 4] == "not heard of yet, and so holding nothing back: 2-3, 5"
    shown = json.loads(cli.out("run", "show", name, "--json"))
    assert [(rank["rank"], rank["applied_step"], rank["silent"]) for rank in shown["ranks"]] == [
        (0, 9, False),
        (1, 4, False),
        (4, 9, False),
    ]


def test_a_single_rank_is_no_table(cli: Cli, client: Client, name: str) -> None:
    trained(client, name, HALVES, to=3)
    assert "at step" not in cli.out("run", "show", name)


def test_a_single_rank_that_holds_steps_ahead_is_said_to_be_where_it_is(
    cli: Cli, client: Client, name: str
) -> None:
    place = trained(client, name, HALVES, to=3)
    client.next_lr(place, 4, 1, applied_step=3, revision=1)
    assert "\njob " not in cli.out("run", "show", name)
    client.next_lr(place, 5, 20, applied_step=4, revision=1)
    (line,) = [line for line in cli.out("run", "show", name).splitlines() if line.startswith("job ")]
    assert line.split(maxsplit=1)[1] == "step 4 when it asked last; it has been given the steps to 24"


def test_of_hundreds_of_ranks_the_slowest_are_shown(
    client: Client, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    start(client, name, HALVES, world_size=512)
    run, now = client.get_run(name), client.get_server().time
    ranks = tuple(
        views.RankProgress(
            rank, 1000 - rank // 4, now - timedelta(seconds=rank), silent=rank in (511, 200, 201)
        )
        for rank in range(512)
        if rank != 7
    )
    put_ranks(replace(run, ranks=ranks), now)
    first, _, *rows, last = capsys.readouterr().out.splitlines()
    assert first == (
        "511 of 512 ranks heard of, at the steps 873 to 1000; 3 silent: 200-201, 511; the slowest:"
    )
    assert [row.split()[:3] for row in rows[:4]] == [[str(rank), "873", "127"] for rank in range(508, 512)]
    assert [row.split()[-1] for row in rows] == [*["slowest"] * 3, "silent", *["UTC)"] * 4]
    assert "8 min ago" in rows[0]
    assert last == "not heard of yet, and so holding nothing back: 7"


def test_a_deviation_is_shown_and_explained(cli: Cli, client: Client, name: str) -> None:
    place = trained(client, name, HALVES, to=9)
    client.report_deviation(place, Table.from_rows(4, [{"lr": (0.1,)}, {"lr": (0.25,)}]), "forecast")
    lines = cli.out("run", "show", name).splitlines()
    assert any(line.startswith("steps 4 to 5") and "forecast  0.1 … 0.25" in line for line in lines)
    (deviation,) = json.loads(cli.out("run", "show", name, "--json"))["deviations"]
    assert deviation["values"] == [
        {"step": 4, "values": {"lr": [0.1]}},
        {"step": 5, "values": {"lr": [0.25]}},
    ]
    explained = cli.out("run", "explain", name, "5")
    assert "rank 0 (fence 1) had lr 0.25, evaluated by the job while no server was reached" in explained
    assert "deviation" not in cli.out("run", "explain", name, "6")
    (at_5,) = json.loads(cli.out("run", "explain", name, "5", "--json"))["deviations"]
    assert (at_5["kind"], at_5["rank"]) == ("forecast", 0)


def test_lost_edits_are_shown(client: Client, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    trained(client, name, HALVES, to=3)
    client.edit_run(name, S.StepLR(7), expected_revision=1, reason="loss spikes", author="ann@desk")
    (edit,) = client.get_run(name).edits
    put_lost_edits([views.LostEdit(edit, client.get_server().time)])
    header, row = capsys.readouterr().out.splitlines()
    assert header.split()[:4] == ["lost", "edit", "from", "step"]
    assert row.split()[:2] == ["2", "4"]
    assert "ann@desk" in row
    assert "loss spikes" in row
    assert "step_size: 7" in row
