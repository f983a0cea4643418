"""The ranks of one start: one incarnation, one fence, one curve."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed
from torch.nn.parallel import DistributedDataParallel

from lrkeeper import Client, RemoteLR, lr_scheduler, views
from lrkeeper.errors import GroupsDiffer, NotConfigured, RankDiffers, ScheduleDiffers
from tests.client.newest import newest, uids
from tests.client.processes import as_ranks, at_once, in_group, in_new_process
from tests.client.training import DEFINITIONS, KINDS, Row, Training, hexes, kept, undisturbed
from tests.support.server import ServerProcess

STEP_LR = DEFINITIONS["StepLR"]


def train_together(
    kind: str, epochs: int, state: dict[str, Any] | None = None
) -> tuple[list[Row], dict[str, Any]]:
    """One rank's training in a process group; return the lrs used and the scheduler's state."""
    training = Training()
    model = DistributedDataParallel(training.model)
    scheduler = kept(kind, training.optimizer)
    if state is not None:
        scheduler.load_state_dict(state)
    for _ in range(epochs):
        training.optimizer.zero_grad()
        model(torch.full((4, 2), 1.0 + torch.distributed.get_rank())).pow(2).mean().backward()
        training.take_step()
        scheduler.step()
    return training.used, scheduler.state_dict()


@pytest.mark.usefixtures("step_by_step")
@pytest.mark.parametrize("kind", ["StepLR drop-in", "SequentialLR RemoteLR"])
def test_the_ranks_of_a_process_group_share_a_run_a_fence_and_the_values(
    client: Client, server: ServerProcess, tmp_path: Path, kind: str
) -> None:
    before = uids(client)
    there = {"LRKEEPER_SERVER": server.address}
    ranks = as_ranks(2, in_group, tmp_path / "first", train_together, kind, 6, **there)
    expected = undisturbed(kind.split()[0], 12)
    assert [used for used, _ in ranks] == [expected[:6]] * 2
    (stored,) = [run for run in newest(client) if run.uid not in before]
    assert stored.holder is not None
    assert (stored.fence, stored.frontier, stored.holder.world_size) == (1, 7, 2)
    states = [state for _, state in ranks]
    assert [(state["lrkeeper"]["run"], state["lrkeeper"]["step"]) for state in states] == [
        (stored.name, 6)
    ] * 2

    # A second start of both, from rank 0's checkpoint: one new fence for the two.
    ranks = as_ranks(2, in_group, tmp_path / "second", train_together, kind, 6, states[0], **there)
    assert [used for used, _ in ranks] == [expected[6:]] * 2
    stored = client.get_run(stored.name)
    assert (stored.fence, stored.branch, stored.frontier) == (2, 1, 13)


@pytest.mark.parametrize("kind", KINDS)
def test_several_ranks_with_nothing_to_agree_through_are_refused_at_construction(
    server: ServerProcess, kind: str
) -> None:
    with pytest.raises(NotConfigured) as caught:
        in_new_process(construct, kind, **rank(1, 2, server))
    for part in ("WORLD_SIZE is 2", "init_process_group()", "incarnation=", "LRKEEPER_INCARNATION"):
        assert part in str(caught.value)


def construct(kind: str) -> None:
    kept(kind, Training().optimizer)


def test_an_id_that_a_process_made_when_it_was_alone_is_none_for_several_ranks(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    RemoteLR(Training().optimizer, STEP_LR).get_last_lr()
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(NotConfigured, match="WORLD_SIZE is 2"):
        RemoteLR(Training().optimizer, STEP_LR)


# Ranks that agree through an id they were given, one after the other here.


def train_alone(
    run: str, epochs: int, state: dict[str, Any] | None = None, *lrs: float, shape: str = "StepLR"
) -> tuple[list[Row], dict[str, Any]]:
    training = Training(*lrs)
    scheduler = RemoteLR(training.optimizer, DEFINITIONS[shape], run=run, incarnation="this-start")
    if state is not None:
        scheduler.load_state_dict(state)
    return training.epochs(scheduler, epochs), scheduler.state_dict()


def train_other_schedule(run: str) -> None:
    train_alone(run, 1, shape="MultiStepLR")


def rank(number: int, size: int, server: ServerProcess) -> dict[str, str]:
    return {"RANK": str(number), "WORLD_SIZE": str(size), "LRKEEPER_SERVER": server.address}


@pytest.mark.usefixtures("step_by_step")
def test_ranks_that_come_late_get_the_values_that_the_first_was_given(
    client: Client, server: ServerProcess, run: str
) -> None:
    curves = [in_new_process(train_alone, run, 5, **rank(number, 4, server))[0] for number in range(4)]
    assert curves == [undisturbed("StepLR", 5)] * 4
    stored = client.get_run(run)
    assert (stored.fence, stored.frontier) == (1, 6)


def test_a_rank_that_is_not_the_first_of_a_new_run_is_not_warned_of_an_earlier_start(
    client: Client, run: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    group = views.Group(None, "float64", {"lr": 0.1}, {"lr": 0.1})
    first = client.acquire_run(views.Start(run, "both", (group,), STEP_LR, rank=1, world_size=2))
    client.next_lr(first, 1, 4, applied_step=0, revision=1)
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    scheduler = RemoteLR(Training().optimizer, STEP_LR, run=run, incarnation="both")
    with caplog.at_level("INFO", logger="lrkeeper"):
        scheduler.get_last_lr()
    (record,) = caplog.records
    assert record.levelname == "INFO"
    assert record.getMessage() == f"run '{run}' begun at step 0; steps below 5 have their values already"


@pytest.mark.usefixtures("step_by_step")
def test_ranks_that_load_the_same_checkpoint_share_one_fence_and_branch(
    client: Client, server: ServerProcess, run: str
) -> None:
    _, state = saved(run)
    curves = [in_new_process(train_alone, run, 3, state, **rank(number, 4, server))[0] for number in range(4)]
    assert curves == [undisturbed("StepLR", 8)[5:]] * 4
    stored = client.get_run(run)
    assert (stored.fence, stored.branch, stored.frontier) == (2, 1, 9)


def saved(run: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the states at steps 4 and 5 of a run that another start has trained."""
    training = Training()
    scheduler = RemoteLR(training.optimizer, STEP_LR, run=run, incarnation="an-earlier-start")
    training.epochs(scheduler, 4)
    earlier = scheduler.state_dict()
    training.epochs(scheduler, 1)
    return earlier, scheduler.state_dict()


def test_a_rank_with_another_checkpoint_is_refused_with_the_difference(
    client: Client, server: ServerProcess, run: str
) -> None:
    earlier, state = saved(run)
    in_new_process(train_alone, run, 1, state, **rank(0, 2, server))
    with pytest.raises(
        RankDiffers, match=r"rank 1 stands at step 4, but the first rank .* at step 5; load the same"
    ):
        in_new_process(train_alone, run, 1, earlier, **rank(1, 2, server))
    assert client.get_run(run).fence == 2


def test_a_rank_with_another_schedule_or_other_groups_is_refused(
    client: Client, server: ServerProcess, run: str
) -> None:
    in_new_process(train_alone, run, 1, **rank(0, 2, server))
    with pytest.raises(ScheduleDiffers, match="brings MultiStepLR"):
        in_new_process(train_other_schedule, run, **rank(1, 2, server))
    with pytest.raises(GroupsDiffer, match="the job has 2, the run 1"):
        in_new_process(train_alone, run, 1, None, 0.1, 0.1, **rank(1, 2, server))
    assert client.get_run(run).fence == 1


def test_two_schedulers_of_each_rank_mean_the_same_two_runs(client: Client, server: ServerProcess) -> None:
    """Rank 1 looks at them in another order than rank 0: the names must not follow that."""
    before = uids(client)
    found = [
        in_new_process(
            train_two, number == 1, **rank(number, 2, server), LRKEEPER_INCARNATION=f"of-{os.getpid()}"
        )
        for number in (0, 1)
    ]
    assert found[0] == found[1]
    assert len([run for run in newest(client) if run.uid not in before]) == 2


def train_two(reverse: bool) -> list[tuple[str, list[Row]]]:
    trainings = [Training(0.1), Training(0.3)]
    schedulers = [lr_scheduler.StepLR(training.optimizer, 2, gamma=0.7) for training in trainings]
    for scheduler in reversed(schedulers) if reverse else schedulers:
        scheduler.get_last_lr()
    curves = [
        training.epochs(scheduler, 3) for training, scheduler in zip(trainings, schedulers, strict=True)
    ]
    names = [scheduler.state_dict()["lrkeeper"]["run"] for scheduler in schedulers]
    assert hexes([0.1, 0.3]) == (curves[0][0][0], curves[1][0][0])
    return list(zip(names, curves, strict=True))


def test_ranks_whose_agents_count_restarts_otherwise_are_one_start(
    client: Client, server: ServerProcess, tmp_path: Path
) -> None:
    """As torchrun's on two machines do; what they say are labels."""
    before = uids(client)
    calls = [
        (
            in_group,
            (tmp_path / "store", train_together, "StepLR RemoteLR", 4),
            {
                **rank(number, 2, server),
                "TORCHELASTIC_RUN_ID": "the-job",
                "TORCHELASTIC_RESTART_COUNT": str(3 * number),
            },
        )
        for number in range(2)
    ]
    assert [used for used, _ in at_once(calls)] == [undisturbed("StepLR", 4)] * 2
    (stored,) = [run for run in newest(client) if run.uid not in before]
    assert stored.fence == 1
