"""A run is taken back or forked under a job that trains, and jobs go on with it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from lrkeeper import Client, RemoteLR
from lrkeeper import schedules as S
from lrkeeper.errors import BadCheckpoint, NotTheForkStep, RunFenced, WrongBranch
from tests.client.training import DEFINITIONS, KINDS, Row, Training, kept, undisturbed

BOTH = ["StepLR drop-in", "StepLR RemoteLR"]


def trained(kind: str, saved_at: tuple[int, ...], to: int) -> tuple[Training, Any, dict[int, dict[str, Any]]]:
    """Return a job at a step, and what it saved on the way."""
    training = Training()
    scheduler = kept(kind, training.optimizer)
    saved = {}
    for step in range(1, to + 1):
        training.epochs(scheduler, 1)
        if step in saved_at:
            saved[step] = copy.deepcopy(scheduler.state_dict())
    return training, scheduler, saved


def gone_on(kind: str, state: dict[str, Any], count: int, **options: Any) -> list[Row]:
    """Return what another start uses that loads a state."""
    training = Training()
    scheduler = kept(kind, training.optimizer, **options)
    scheduler.load_state_dict(copy.deepcopy(state))
    return training.epochs(scheduler, count)


@pytest.fixture
def new_start(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Make what is built from now on part of another start of the job."""
    return lambda name: monkeypatch.setenv("LRKEEPER_INCARNATION", name)


@pytest.fixture(autouse=True)
def each_step_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the run is where the job is."""
    monkeypatch.setenv("LRKEEPER_HORIZON", "0")


@pytest.mark.parametrize("kind", KINDS)
def test_a_live_job_is_fenced_and_another_start_goes_on_from_before_the_step(
    client: Client, run: str, monkeypatch: pytest.MonkeyPatch, new_start: Any, kind: str
) -> None:
    monkeypatch.setenv("LRKEEPER_RUN", run)
    training, scheduler, saved = trained(kind, (4, 8), 10)
    client.rollback_run(run, 6, expected_revision=1, reason="the loss exploded", author="op")
    before = training.lrs()
    with pytest.raises(RunFenced, match="taken back to step 6 by op: the loss exploded"):
        training.epochs(scheduler, 1)
    assert training.lrs() == before
    new_start(f"{run}-second")
    with pytest.raises(WrongBranch, match="step 8 of branch 1"):
        gone_on(kind, saved[8], 1)
    assert gone_on(kind, saved[4], 9) == undisturbed(kind.split()[0], 13)[4:]
    found = client.get_run(run)
    assert (found.branch, found.frontier) == (2, 14)


@pytest.mark.parametrize("kind", BOTH)
def test_a_job_goes_on_with_another_schedule_from_the_step_on(
    client: Client, run: str, monkeypatch: pytest.MonkeyPatch, new_start: Any, kind: str
) -> None:
    monkeypatch.setenv("LRKEEPER_RUN", run)
    *_, saved = trained(kind, (4,), 10)
    client.rollback_run(run, 4, expected_revision=1, reason="too fast", schedule=S.StepLR(3, gamma=0.3))
    new_start(f"{run}-second")
    used = gone_on(kind, saved[4], 8)
    assert used[0] == undisturbed("StepLR", 5)[4]
    whole = Training()
    expected = whole.epochs(RemoteLR(whole.optimizer, S.StepLR(3, gamma=0.3), mode="off"), 12)
    assert used[1:] == expected[5:]


@pytest.mark.parametrize("kind", BOTH)
def test_a_fork_is_trained_beside_the_original(
    client: Client, run: str, monkeypatch: pytest.MonkeyPatch, new_start: Any, kind: str
) -> None:
    monkeypatch.setenv("LRKEEPER_RUN", run)
    training, scheduler, saved = trained(kind, (4, 6), 8)
    client.fork_run(run, f"{run}-fork", 6, reason="to compare")
    client.edit_run(f"{run}-fork", S.StepLR(2, gamma=0.5), expected_revision=1, reason="another gamma")
    monkeypatch.setenv("LRKEEPER_RUN", f"{run}-fork")
    with pytest.raises(NotTheForkStep):
        gone_on(kind, saved[4], 1)
    other = Training()
    fork = kept(kind, other.optimizer)
    fork.load_state_dict(copy.deepcopy(saved[6]))
    assert fork.last_epoch == 6
    for _ in range(4):  # in turns
        other.epochs(fork, 1)
        training.epochs(scheduler, 1)
    whole = Training()
    expected = whole.epochs(RemoteLR(whole.optimizer, S.StepLR(2, gamma=0.5), mode="off"), 11)
    assert other.used == [undisturbed("StepLR", 7)[6], *expected[7:10]]
    assert gone_on(kind, fork.state_dict(), 1) == expected[10:]  # the fork's own state leads to the fork
    assert training.used == undisturbed("StepLR", 12)
    assert client.get_run(run).fence == 1


def test_a_run_that_is_no_fork_of_the_states_is_refused(client: Client, run: str) -> None:
    *_, saved = trained("StepLR RemoteLR", (4,), 5)
    training = Training()
    RemoteLR(training.optimizer, S.StepLR(2), run=run).get_last_lr()
    for name in (run, f"{run}-none"):
        with pytest.raises(BadCheckpoint, match="leave run= out"):
            gone_on("StepLR RemoteLR", saved[4], 1, run=name)


def test_the_state_of_a_fork_before_its_first_step_leads_to_the_fork(client: Client, run: str) -> None:
    training = Training()
    scheduler = kept("StepLR RemoteLR", training.optimizer, run=run)
    training.epochs(scheduler, 6)
    state = scheduler.state_dict()
    client.fork_run(run, f"{run}-fork", 6, reason="to compare")
    fork = kept("StepLR RemoteLR", Training().optimizer, run=f"{run}-fork")
    fork.load_state_dict(state)
    assert gone_on("StepLR RemoteLR", fork.state_dict(), 4) == undisturbed("StepLR", 10)[6:]
    assert client.get_run(f"{run}-fork").frontier == 11
    assert client.get_run(run).frontier == 7


@pytest.mark.parametrize("kind", BOTH)
def test_a_job_that_holds_a_window_ends_at_its_end_and_has_used_one_branch_only(
    client: Client, run: str, monkeypatch: pytest.MonkeyPatch, new_start: Any, kind: str
) -> None:
    monkeypatch.setenv("LRKEEPER_RUN", run)
    monkeypatch.setenv("LRKEEPER_HORIZON", "30")
    training, scheduler, saved = trained(kind, (4,), 30)
    client.rollback_run(run, 6, expected_revision=1, reason="back", schedule=S.StepLR(3, gamma=0.3))
    with pytest.raises(RunFenced, match="taken back to step 6"):
        training.epochs(scheduler, 20_000)
    assert len(training.used) > 30
    assert training.used == undisturbed("StepLR", len(training.used))
    new_start(f"{run}-second")
    monkeypatch.setenv("LRKEEPER_HORIZON", "30")
    whole = Training()
    expected = whole.epochs(RemoteLR(whole.optimizer, S.StepLR(3, gamma=0.3), mode="off"), 40)
    assert gone_on(kind, saved[4], 36) == undisturbed("StepLR", 7)[4:] + expected[7:]


def test_a_job_that_begins_on_a_fork_counts_on_from_its_step(client: Client, run: str) -> None:
    training = Training()
    training.epochs(RemoteLR(training.optimizer, DEFINITIONS["StepLR"], run=run, horizon=0), 6)
    client.fork_run(run, f"{run}-fork", at_step=4, reason="another loss")
    second = Training()
    scheduler = RemoteLR(second.optimizer, DEFINITIONS["StepLR"], run=f"{run}-fork", horizon=0)
    assert second.epochs(scheduler, 3) == undisturbed("StepLR", 7)[4:]
    assert scheduler.last_epoch == 7
    assert scheduler.state_dict()["lrkeeper"]["step"] == 7
