"""sync="broadcast": rank 0 asks the server, and all ranks have what it is given."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed

from lrkeeper import Client, RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from lrkeeper.errors import NotConfigured, RunFenced, ScheduleDiffers, ServerUnavailable
from tests.client.processes import at_once, in_group
from tests.client.training import DEFINITIONS, Row, Training, undisturbed
from tests.support.server import ServerProcess, free_port

STEP_LR = DEFINITIONS["StepLR"]
NOWHERE = "127.0.0.1:1"

Job = Callable[..., Any]


def as_broadcasting(size: int, server: ServerProcess, store: Path, job: Job, *args: Any) -> list[Any]:
    """Return what a job returns on each rank. Only rank 0 has a way to the server."""
    return at_once(
        [
            (
                in_group,
                (store, job, *args),
                {
                    "RANK": str(rank),
                    "WORLD_SIZE": str(size),
                    "LRKEEPER_SERVER": server.address if rank == 0 else NOWHERE,
                    "LRKEEPER_SYNC": "broadcast",
                },
            )
            for rank in range(size)
        ]
    )


def caught(call: Callable[[], object]) -> tuple[str, str]:
    """Return the class and text of what a call raises."""
    try:
        call()
    except Exception as error:
        return type(error).__name__, str(error)
    return "nothing", ""


# All ranks alike.


def trained(kind: str, epochs: int, state: Any = None, pace: float = 0.0) -> tuple[list[Row], Any]:
    training = Training(0.1, 0.02)
    by: Any = {
        "drop-in": lambda: lr_scheduler.StepLR(training.optimizer, 2, gamma=0.7),
        "RemoteLR": lambda: RemoteLR(training.optimizer, STEP_LR),
        "metric": lambda: RemoteLR(training.optimizer, S.ReduceLROnPlateau(patience=1)),
    }
    scheduler = by[kind]()
    if state is not None:
        scheduler.load_state_dict(state)
    for epoch in range(epochs):
        training.update()
        scheduler.step(*([1.0] if kind == "metric" else []))
        if pace and epoch % 5 == int(os.environ["RANK"]):
            time.sleep(pace)  # no two ranks have the same pace
    scheduler.finish()
    return training.used, scheduler.state_dict()


@pytest.mark.parametrize("kind", ["drop-in", "RemoteLR"])
def test_all_ranks_have_the_values_that_rank_0_was_given(
    client: Client, server: ServerProcess, tmp_path: Path, kind: str
) -> None:
    ranks = as_broadcasting(3, server, tmp_path / "store", trained, kind, 60, None, 0.01)
    assert [used for used, _ in ranks] == [undisturbed("StepLR", 60, 0.1, 0.02)] * 3
    entries = [state["lrkeeper"] for _, state in ranks]
    assert {(entry["run"], entry["branch"], entry["step"]) for entry in entries} == {
        (entries[0]["run"], 1, 60)
    }
    assert entries[0]["ahead"] == entries[1]["ahead"] == entries[2]["ahead"]
    stored = client.get_run(entries[0]["run"])
    assert (stored.fence, stored.state) == (1, "finished")
    assert stored.holder is not None
    assert stored.holder.world_size == 3


def resumed(state: Any) -> list[Row]:
    training = Training(0.1, 0.02)
    scheduler = lr_scheduler.StepLR(training.optimizer, 2, gamma=0.7)
    scheduler.load_state_dict(state)
    training.epochs(scheduler, 5)
    scheduler.load_state_dict(state)
    return training.epochs(scheduler, 20)


def test_all_ranks_load_a_checkpoint_and_go_back_to_it(server: ServerProcess, tmp_path: Path) -> None:
    training = Training(0.1, 0.02)
    scheduler = lr_scheduler.StepLR(training.optimizer, 2, gamma=0.7)
    training.epochs(scheduler, 7)
    state = scheduler.state_dict()
    del scheduler
    found = as_broadcasting(2, server, tmp_path / "store", resumed, state)
    assert found == [undisturbed("StepLR", 27, 0.1, 0.02)[7:]] * 2


def metrics(epochs: int) -> list[Row]:
    """Each rank has measured something else: rank 0's counts."""
    training = Training()
    scheduler = RemoteLR(training.optimizer, S.ReduceLROnPlateau(patience=0, factor=0.5))
    rank = int(os.environ["RANK"])
    for epoch in range(epochs):
        training.update()
        scheduler.step(1.0 if rank == 0 else 1.0 / (epoch + 1))
    return training.used


def test_the_metric_of_rank_0_decides(server: ServerProcess, tmp_path: Path) -> None:
    theirs = Training()
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs.optimizer, patience=0, factor=0.5)
    for _ in range(8):
        theirs.update()
        plateau.step(1.0)
    assert as_broadcasting(2, server, tmp_path / "store", metrics, 8) == [theirs.used] * 2


def looked_at_alone() -> list[Row]:
    """As scripts log on rank 0."""
    training = Training()
    scheduler = RemoteLR(training.optimizer, STEP_LR)
    for _ in range(5):
        if os.environ["RANK"] == "0":
            scheduler.get_last_lr()
            scheduler.state_dict()
        training.update()
        scheduler.step()
    return training.used


def test_a_rank_may_look_at_its_lr_alone(server: ServerProcess, tmp_path: Path) -> None:
    found = as_broadcasting(2, server, tmp_path / "store", looked_at_alone)
    assert found == [undisturbed("StepLR", 5)] * 2


def changed_on_one_rank() -> list[Row]:
    training = Training()
    scheduler = lr_scheduler.StepLR(training.optimizer, 2, gamma=0.7)
    for step in range(40):
        if step == 20 and os.environ["RANK"] == "1":
            training.optimizer.param_groups[0]["lr"] = 0.5
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            training.epochs(scheduler, 1)
    return training.used


def test_a_rank_that_writes_its_lr_does_not_part_from_the_others(
    server: ServerProcess, tmp_path: Path
) -> None:
    first, second = as_broadcasting(2, server, tmp_path / "store", changed_on_one_rank)
    assert first == undisturbed("StepLR", 40)
    assert second[20] == ((0.5).hex(),)
    assert second[:20] + second[21:] == first[:20] + first[21:]


# What is refused.


def fenced(server: str, run: str) -> tuple[tuple[str, str], int, Row]:
    training = Training()
    scheduler = RemoteLR(training.optimizer, STEP_LR, run=run, horizon=0)
    training.epochs(scheduler, 3)
    if os.environ["RANK"] == "0":
        with Client(server) as client:
            revision = client.get_run(run).revision
            client.rollback_run(run, 1, expected_revision=revision, reason="a test")
    said = caught(scheduler.step)
    return said, scheduler.last_epoch, training.lrs()


def test_all_ranks_raise_what_rank_0_is_refused_with(server: ServerProcess, tmp_path: Path, run: str) -> None:
    ranks = as_broadcasting(2, server, tmp_path / "store", fenced, server.address, run)
    assert ranks[0] == ranks[1]
    (name, text), step, lrs = ranks[0]
    assert (name, step, lrs) == (RunFenced.__name__, 3, undisturbed("StepLR", 4)[3])
    assert run in text


def with_another_schedule(run: str) -> tuple[str, str]:
    training = Training()
    scheduler = RemoteLR(training.optimizer, S.StepLR(7), run=run, on_existing="takeover")
    return caught(lambda: training.epochs(scheduler, 1))


def test_all_ranks_are_told_that_the_run_has_another_schedule(
    server: ServerProcess, tmp_path: Path, run: str
) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, STEP_LR, run=run, incarnation="an-earlier-start")
    training.epochs(scheduler, 1)
    del scheduler
    ranks = as_broadcasting(2, server, tmp_path / "store", with_another_schedule, run)
    assert ranks[0] == ranks[1]
    assert ranks[0][0] == ScheduleDiffers.__name__


def too_many_steps() -> tuple[tuple[str, str], int]:
    training = Training()
    scheduler = lr_scheduler.OneCycleLR(training.optimizer, 0.4, total_steps=9, cycle_momentum=False)
    said = caught(lambda: training.epochs(scheduler, 100))
    return said, len(training.used)


def test_all_ranks_come_to_the_end_of_a_schedule(server: ServerProcess, tmp_path: Path) -> None:
    ranks = as_broadcasting(2, server, tmp_path / "store", too_many_steps)
    assert ranks[0] == ranks[1]
    (name, _), steps = ranks[0]
    assert (name, steps) == ("ValueError", 10)


def test_ranks_that_cannot_talk_to_each_other_are_refused(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(NotConfigured, match=r"sync is 'broadcast'.*init_process_group\(\)"):
        RemoteLR(Training().optimizer, STEP_LR, sync="broadcast", incarnation="both")


def test_a_rank_that_is_alone_needs_no_process_group(server: ServerProcess) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, STEP_LR, sync="broadcast")
    assert training.epochs(scheduler, 20) == undisturbed("StepLR", 20)


# Outages.


def short_patience() -> None:
    for name, seconds in (("walk._GRACE", 0.2), ("supply._PATIENCE", 0.05), ("position._LOOK_SECONDS", 0.2)):
        module, _, attribute = name.partition(".")
        setattr(__import__(f"lrkeeper.torch.{module}", fromlist=[attribute]), attribute, seconds)


def through_an_outage(choice: Any, server_file: Path, port: int) -> tuple[list[Row], int, int, str]:
    """Rank 0 has a server of its own, which it kills and starts again."""
    short_patience()
    warnings.simplefilter("ignore")
    rank = int(os.environ["RANK"])
    own = ServerProcess(server_file, log=server_file.with_suffix(".log"), port=port)
    if rank == 0:
        own.start()
    training = Training()
    scheduler = RemoteLR(
        training.optimizer, STEP_LR, on_outage=choice, max_stall=1.0, horizon=0.1, server=f"127.0.0.1:{port}"
    )
    position: Any = scheduler._hold.position
    training.epochs(scheduler, 10)
    if rank == 0:
        own.kill()
    while position._outage is None:
        training.epochs(scheduler, 1)
    last = scheduler.last_epoch - 1
    training.epochs(scheduler, 15)
    if rank == 0:
        own.start()
    while position._outage is not None:
        training.epochs(scheduler, 1)
        time.sleep(0.01)
    end = scheduler.last_epoch - 1
    training.epochs(scheduler, 10)
    run = scheduler.state_dict()["lrkeeper"]["run"]
    kinds = ""
    if rank == 0:
        with Client(own.address) as client:
            kinds = " ".join(
                f"{d.kind} {d.values.first_step}-{d.values.end_step - 1}"
                for d in client.get_run(run).deviations
            )
        own.stop()
    return training.used, last, end, kinds


@pytest.mark.parametrize("choice", ["auto", "hold"])
def test_all_ranks_go_through_an_outage_with_the_same_values(
    server: ServerProcess, tmp_path: Path, choice: str
) -> None:
    ranks = as_broadcasting(
        2, server, tmp_path / "store", through_an_outage, choice, tmp_path / "own.sqlite3", free_port()
    )
    assert ranks[0][:3] == ranks[1][:3]
    used, last, end, kinds = ranks[0]
    expected = undisturbed("StepLR", len(used))
    kind = "hold" if choice == "hold" else "forecast"
    assert kinds == f"{kind} {last + 1}-{end}"
    if choice == "hold":
        expected[last : end + 1] = [expected[last]] * (end + 1 - last)
    assert used == expected


def without_a_server(state: Any) -> tuple[list[Row], tuple[str, str]]:
    short_patience()
    warnings.simplefilter("ignore")
    training = Training(0.1, 0.02)
    scheduler = RemoteLR(
        training.optimizer, STEP_LR, server=NOWHERE, on_outage="wait", max_stall=0.3, incarnation="a-start"
    )
    scheduler.load_state_dict(state)
    said = caught(lambda: training.epochs(scheduler, 100))
    return training.used, said


def test_all_ranks_start_from_what_a_checkpoint_carries(server: ServerProcess, tmp_path: Path) -> None:
    training = Training(0.1, 0.02)
    scheduler = RemoteLR(training.optimizer, STEP_LR)
    training.epochs(scheduler, 10)
    state = scheduler.state_dict()
    carried = scheduler._hold.position._supply.end - 1 - 10
    assert carried > 0
    ranks = as_broadcasting(2, server, tmp_path / "store", without_a_server, state)
    assert ranks[0] == ranks[1]
    used, (name, _) = ranks[0]
    assert used == undisturbed("StepLR", 10 + len(used), 0.1, 0.02)[10:]
    assert (len(used), name) == (carried + 1, ServerUnavailable.__name__)
