"""A database that is put back from an older backup under a job: nobody notices but the log."""

from __future__ import annotations

import logging
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from lrkeeper import Client, RemoteLR, views
from lrkeeper import schedules as S
from lrkeeper.errors import RunFenced
from tests.client.training import DEFINITIONS, Training, undisturbed
from tests.support.server import ServerProcess


def backup(server: ServerProcess, path: Path) -> None:
    """Back the server's database up while it runs."""
    _db(server, "backup", str(path))


def put_back(server: ServerProcess, path: Path, *, by_hand: bool) -> None:
    """Put a backup in the place of the server's database, which is stopped meanwhile."""
    server.stop()
    if by_hand:
        database = Path(server.database_url.removeprefix("sqlite:///"))
        for beside in database.parent.glob(f"{database.name}-*"):
            beside.unlink()
        database.write_bytes(path.read_bytes())
    else:
        _db(server, "restore", str(path))
    server.start()


def _db(server: ServerProcess, *arguments: str) -> None:
    command = [sys.executable, "-m", "lrkeeper.cli", "db", *arguments, "--database-url", server.database_url]
    subprocess.run(command, check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("by_hand", [False, True])
@pytest.mark.parametrize("horizon", [0, 30])
def test_a_job_goes_on_with_the_same_values(
    own_server: ServerProcess, tmp_path: Path, caplog: pytest.LogCaptureFixture, by_hand: bool, horizon: float
) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["StepLR"], run="run", horizon=horizon)
    training.epochs(scheduler, 5)
    backup(own_server, tmp_path / "backup")
    with Client(own_server.address) as client:
        saved = client.get_run("run").frontier
    before = scheduler.state_dict()["lrkeeper"]
    while before["frontier"] <= saved:  # until there is something to lose
        training.epochs(scheduler, 7)
        before = scheduler.state_dict()["lrkeeper"]
    put_back(own_server, tmp_path / "backup", by_hand=by_hand)
    with caplog.at_level(logging.WARNING, logger="lrkeeper"):
        while "have been put back" not in caplog.text:  # when the rows that it holds are half used
            training.epochs(scheduler, 1)
            assert len(training.used) < 20_000
        training.epochs(scheduler, 10)
    used = undisturbed("StepLR", len(training.used))
    assert training.used == used
    with Client(own_server.address) as client:
        run = client.get_run("run")
        assert run.frontier >= max(before["frontier"], len(used))
        assert run.fence == 1
        # Where the job no longer held some of what was lost, the run goes on on a branch of its own.
        kept = {
            step: block.table.row(step)["lr"][0].hex()
            for block in client.list_blocks("run")
            for step in range(block.table.first_step, block.table.end_step)
        }
    assert len(kept) > 10
    assert {step: lr for step, (lr,) in enumerate(used) if step in kept} == {
        step: lr for step, lr in kept.items() if step < len(used)
    }


@pytest.mark.parametrize("by_hand", [False, pytest.param(True, marks=pytest.mark.long)])
def test_a_job_that_calls_its_functions_ahead_goes_on_with_the_same_values(
    own_server: ServerProcess, tmp_path: Path, caplog: pytest.LogCaptureFixture, by_hand: bool
) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, S.LambdaLR(falling, pure=True), run="run", horizon=0.5)
    training.epochs(scheduler, 50)
    backup(own_server, tmp_path / "backup")
    with Client(own_server.address) as client:
        saved = client.get_run("run").frontier
        while client.get_run("run").frontier < saved + 100:  # until there is something to lose
            training.epochs(scheduler, 1)
    put_back(own_server, tmp_path / "backup", by_hand=by_hand)
    with caplog.at_level(logging.WARNING, logger="lrkeeper"):
        while "have been put back" not in caplog.text:
            training.epochs(scheduler, 1)
            assert len(training.used) < 20_000
        training.epochs(scheduler, 100)
    reference = Training()
    torchs = torch.optim.lr_scheduler.LambdaLR(reference.optimizer, falling)
    assert training.used == reference.epochs(torchs, len(training.used))
    assert scheduler.state_dict()["lrkeeper"]["fence"] == 1


def falling(epoch: float) -> float:
    return 1.0 / (1.0 + 0.01 * epoch)


def test_a_checkpoint_brings_back_what_its_run_has_lost(own_server: ServerProcess, tmp_path: Path) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["StepLR"], run="run", incarnation="first")
    training.epochs(scheduler, 3)
    backup(own_server, tmp_path / "backup")
    training.epochs(scheduler, 6)
    state = scheduler.state_dict()
    put_back(own_server, tmp_path / "backup", by_hand=False)
    second = Training()
    resumed = RemoteLR(
        second.optimizer, DEFINITIONS["StepLR"], run="run", incarnation="second", on_existing="takeover"
    )
    resumed.load_state_dict(state)
    assert second.epochs(resumed, 8) == undisturbed("StepLR", 17)[9:]
    with Client(own_server.address) as client:
        assert client.get_run("run").fence == 2


def test_an_edit_that_was_lost_is_listed(own_server: ServerProcess, tmp_path: Path) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["StepLR"], run="run", horizon=0, incarnation="first")
    training.epochs(scheduler, 3)
    backup(own_server, tmp_path / "backup")
    with Client(own_server.address) as client:
        client.edit_run("run", S.StepLR(1, gamma=0.5), expected_revision=1, reason="sooner", at_step=5)
    training.epochs(scheduler, 4)
    resumed = RemoteLR(training.optimizer, DEFINITIONS["StepLR"], run="run", horizon=0, incarnation="second")
    resumed.load_state_dict(scheduler.state_dict())  # the edits come with the run
    training.epochs(resumed, 2)
    put_back(own_server, tmp_path / "backup", by_hand=False)
    training.epochs(resumed, 3)
    halved = [float.fromhex(lr) for (lr,) in training.used[5:]]
    assert all(after == before / 2 for before, after in pairwise(halved))
    with Client(own_server.address) as client:
        run = client.get_run("run")
    assert [lost.edit.reason for lost in run.lost_edits] == ["sooner"]


def test_a_start_that_has_lost_its_run_does_not_come_back_with_the_database(
    own_server: ServerProcess, tmp_path: Path
) -> None:
    training = Training()
    first = RemoteLR(training.optimizer, DEFINITIONS["StepLR"], run="run", horizon=0, incarnation="first")
    training.epochs(first, 3)
    backup(own_server, tmp_path / "backup")
    group = views.Group(None, "float64", {"lr": 0.1}, {"lr": 0.1})
    second = views.Start("run", "second", (group,), DEFINITIONS["StepLR"], on_existing="takeover")
    with Client(own_server.address) as client:
        assert client.acquire_run(second).fence == 2
    with pytest.raises(RunFenced, match="incarnation second"):
        training.epochs(first, 3)
    put_back(own_server, tmp_path / "backup", by_hand=False)
    with pytest.raises(RunFenced, match="incarnation second"):
        first.step()
    with Client(own_server.address) as client:
        assert client.get_run("run").frontier == 4
