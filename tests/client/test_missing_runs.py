"""A checkpoint whose run the server does not know."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from lrkeeper import Client, RemoteLR
from lrkeeper import schedules as S
from lrkeeper.errors import CheckpointAhead, GroupsDiffer, RunExists, RunNotFound
from tests.client.processes import in_new_process
from tests.client.relay import relay_to
from tests.client.training import DEFINITIONS, KINDS, SHAPES, Row, Training, kept, undisturbed
from tests.support.server import ServerProcess

SAVED_AT = 6


@pytest.fixture(scope="module")
def other_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that knows none of the shared one's runs."""
    folder = tmp_path_factory.mktemp("other-server")
    with ServerProcess(folder / "runs.sqlite3", log=folder / "server.log") as server:
        yield server


@pytest.fixture
def elsewhere(other_server: ServerProcess, server: ServerProcess) -> Iterator[Client]:
    """A client of the other server; the environment names the shared one."""
    with Client(other_server.address) as client:
        yield client


def names(client: Client) -> set[str]:
    return {run.name for run in client.list_runs()}


def saved(name: str, *lrs: Any, shape: str = "SequentialLR") -> dict[str, Any]:
    """Return the state of a run of the shared server."""
    training = Training(*lrs)
    scheduler = RemoteLR(training.optimizer, DEFINITIONS[shape], run=name)
    training.epochs(scheduler, SAVED_AT)
    return scheduler.state_dict()


def go_on(shape: str, state: dict[str, Any], epochs: int, *lrs: Any) -> tuple[list[Row], dict[str, Any]]:
    """Resume, wherever the environment says, and go on there if the run is not known."""
    training = Training(*lrs)
    scheduler = RemoteLR(training.optimizer, DEFINITIONS[shape], on_missing="create")
    scheduler.load_state_dict(state)
    training.epochs(scheduler, epochs)
    return training.used, scheduler.state_dict()


def test_a_run_that_the_server_does_not_know_is_an_error_that_names_the_way_on(
    elsewhere: Client, run: str
) -> None:
    state = saved(run)
    training = Training()
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["SequentialLR"], server=elsewhere.server)
    with pytest.raises(RunNotFound, match=rf"(?s){run}.*{elsewhere.server}.*on_missing='create'") as caught:
        scheduler.load_state_dict(state)
    assert caught.value.details["run"] == run
    assert (training.lrs(), scheduler.last_epoch) == (Training().lrs(), 0)
    assert run not in names(elsewhere)


def test_a_drop_in_says_so_too(elsewhere: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    training = Training()
    scheduler = kept("StepLR drop-in", training.optimizer)
    training.epochs(scheduler, 2)
    monkeypatch.setenv("LRKEEPER_SERVER", elsewhere.server)
    with pytest.raises(RunNotFound, match="on_missing='create'"):
        kept("StepLR drop-in", Training().optimizer).load_state_dict(scheduler.state_dict())


def test_a_run_of_the_same_name_that_is_another_one_is_no_substitute(elsewhere: Client, run: str) -> None:
    other = RemoteLR(Training().optimizer, DEFINITIONS["StepLR"], run=run, server=elsewhere.server)
    other.get_last_lr()
    state = saved(run)
    scheduler = RemoteLR(Training().optimizer, DEFINITIONS["SequentialLR"], server=elsewhere.server)
    with pytest.raises(RunNotFound, match=f"uid {state['lrkeeper']['run_uid']}"):
        scheduler.load_state_dict(state)
    create = RemoteLR(
        Training().optimizer, DEFINITIONS["SequentialLR"], server=elsewhere.server, on_missing="create"
    )
    create.load_state_dict(state)
    with pytest.raises(RunExists, match=f"another run '{run}' than the checkpoint's"):
        create.step()


def test_a_run_deleted_since_is_not_known(client: Client, run: str) -> None:
    state = saved(run)
    client.delete_run(run, force=True)
    scheduler = RemoteLR(Training().optimizer, DEFINITIONS["SequentialLR"])
    with pytest.raises(RunNotFound, match=run):
        scheduler.load_state_dict(state)


@pytest.mark.usefixtures("step_by_step")
@pytest.mark.parametrize("number", [float, torch.tensor])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_run_goes_on_from_the_checkpoint_on_an_empty_server(
    elsewhere: Client, run: str, shape: str, number: Any
) -> None:
    state = saved(run, number(0.1), number(0.02), shape=shape)
    expected = undisturbed(shape, SAVED_AT + 9, number(0.1), number(0.02))
    there = {"LRKEEPER_SERVER": elsewhere.server}

    used, later = in_new_process(go_on, shape, state, 4, number(0.1), number(0.02), **there)
    assert used == expected[SAVED_AT : SAVED_AT + 4]
    stored = elsewhere.get_run(run)
    assert (stored.origin_step, stored.frontier, stored.fence) == (SAVED_AT, SAVED_AT + 5, 1)
    assert stored.uid == later["lrkeeper"]["run_uid"]

    # From a later checkpoint the run is known there.
    used, _ = in_new_process(go_on, shape, later, 5, number(0.1), number(0.02), **there)
    assert used == expected[SAVED_AT + 4 :]
    stored = elsewhere.get_run(run)
    assert (stored.fence, stored.frontier, stored.edits) == (2, SAVED_AT + 10, ())


@pytest.mark.usefixtures("step_by_step")
@pytest.mark.parametrize("edited_at", [SAVED_AT, SAVED_AT - 2])
def test_a_run_goes_on_elsewhere_under_the_edit_in_force(
    elsewhere: Client, client: Client, run: str, edited_at: int
) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["StepLR"], run=run)
    training.epochs(scheduler, edited_at - 1)
    plan_b = S.MultiStepLR([2, 5], gamma=0.25).then(S.StepLR(2, gamma=0.9), at=7)
    client.edit_run(run, plan_b, expected_revision=1, reason="plan B")
    training.epochs(scheduler, SAVED_AT + 1 - edited_at)
    state = scheduler.state_dict()
    rest = training.epochs(scheduler, 9)

    there = {"LRKEEPER_SERVER": elsewhere.server}
    used, later = in_new_process(go_on, "StepLR", state, 3, **there)
    assert used == rest[:3]
    used, _ = in_new_process(go_on, "StepLR", later, 6, **there)
    assert used == rest[3:]
    (edit,) = elsewhere.get_run(run).edits
    assert edit.schedule == plan_b


def test_a_run_goes_on_elsewhere_from_within_a_sequence(elsewhere: Client, run: str) -> None:
    schedule = S.MultiStepLR([2, 4], gamma=0.3).then(S.StepLR(2, gamma=0.7), at=4)
    training = Training()
    scheduler = RemoteLR(training.optimizer, schedule, run=run)
    training.epochs(scheduler, SAVED_AT)
    state = scheduler.state_dict()
    rest = training.epochs(scheduler, 6)
    second = Training()
    resumed = RemoteLR(second.optimizer, schedule, server=elsewhere.server, on_missing="create")
    resumed.load_state_dict(state)
    assert second.epochs(resumed, 6) == rest


def test_a_checkpoint_before_the_run_on_that_server_begins_is_refused(elsewhere: Client, run: str) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["StepLR"], run=run)
    training.epochs(scheduler, 3)
    early = scheduler.state_dict()
    training.epochs(scheduler, 3)
    in_new_process(go_on, "StepLR", scheduler.state_dict(), 2, LRKEEPER_SERVER=elsewhere.server)
    with pytest.raises((RunExists, CheckpointAhead), match=run):
        in_new_process(go_on, "StepLR", early, 2, LRKEEPER_SERVER=elsewhere.server)
    assert elsewhere.get_run(run).fence == 1


def test_the_same_checkpoint_goes_on_there_again(elsewhere: Client, run: str) -> None:
    """A job that crashed before it could save its first checkpoint there."""
    state = saved(run)
    expected = undisturbed("SequentialLR", SAVED_AT + 4)[SAVED_AT:]
    for fence in (1, 2):
        used, _ = in_new_process(go_on, "SequentialLR", state, 4, LRKEEPER_SERVER=elsewhere.server)
        assert used == expected
        assert elsewhere.get_run(run).fence == fence


def test_all_ranks_of_a_start_go_on_there_under_one_fence(elsewhere: Client, run: str) -> None:
    state = saved(run)
    expected = undisturbed("SequentialLR", SAVED_AT + 4)[SAVED_AT:]
    for number in range(2):
        used, _ = in_new_process(
            go_on,
            "SequentialLR",
            state,
            4,
            LRKEEPER_SERVER=elsewhere.server,
            LRKEEPER_INCARNATION="this-start",
            WORLD_SIZE="2",
            RANK=str(number),
        )
        assert used == expected
    assert elsewhere.get_run(run).fence == 1


def test_an_answer_that_got_lost_is_given_again(elsewhere: Client, run: str) -> None:
    state = saved(run)
    with relay_to(elsewhere.server) as relay:
        relay.lose["AcquireRun"] = 1
        training = Training()
        scheduler = RemoteLR(
            training.optimizer, DEFINITIONS["SequentialLR"], server=relay.address, on_missing="create"
        )
        scheduler.load_state_dict(state)
        assert training.epochs(scheduler, 4) == undisturbed("SequentialLR", SAVED_AT + 4)[SAVED_AT:]
        assert relay.calls["AcquireRun"] == 2
    assert elsewhere.get_run(run).fence == 1


def test_other_param_groups_are_refused_there_as_well(elsewhere: Client, run: str) -> None:
    state = saved(run, 0.1, 0.02)
    scheduler = RemoteLR(
        Training().optimizer, DEFINITIONS["SequentialLR"], server=elsewhere.server, on_missing="create"
    )
    with pytest.raises(GroupsDiffer, match="of 2 param groups; the optimizer has 1"):
        scheduler.load_state_dict(state)
    assert run not in names(elsewhere)


def test_on_missing_changes_nothing_where_the_run_is_known(client: Client, run: str, tmp_path: Path) -> None:
    state = saved(run)
    used, _ = go_on("SequentialLR", state, 4)
    assert used == undisturbed("SequentialLR", SAVED_AT + 4)[SAVED_AT:]
    stored = client.get_run(run)
    assert (stored.uid, stored.origin_step) == (state["lrkeeper"]["run_uid"], 0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_is_deleted_under_its_job_ends_it_when_it_has_used_what_it_holds(
    client: Client, server: ServerProcess, kind: str
) -> None:
    training = Training()
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, 3)
    place = scheduler.state_dict()["lrkeeper"]
    client.delete_run(place["run"], force=True)

    def train_on() -> None:
        for _ in range(20_000):
            training.epochs(scheduler, 1)

    with pytest.raises(RunNotFound, match=place["run_uid"]):
        train_on()
    before = scheduler.state_dict(), training.lrs(), scheduler.last_epoch
    with pytest.raises(RunNotFound):
        scheduler.step()
    assert (scheduler.state_dict(), training.lrs(), scheduler.last_epoch) == before
    assert training.used == undisturbed(kind.split()[0], len(training.used))
    assert place["run"] not in names(client), "no new one was made"
