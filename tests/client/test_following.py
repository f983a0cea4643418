"""A job that follows a stored schedule by its name takes each new revision while it trains."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from torch.optim import lr_scheduler as torch_schedulers

from lrkeeper import Client, RemoteLR
from lrkeeper import schedules as S
from tests.client.training import Row, Training, hexes

BEGINS, GOES_ON = 0.999, 0.9985


def lrkeeper(*args: str) -> str:
    """Return what a command prints."""
    return subprocess.run(
        [sys.executable, "-m", "lrkeeper.cli", *args], capture_output=True, text=True, check=True
    ).stdout


def by_the_client(client: Client, name: str, folder: Path) -> int:
    stored = client.get_schedule(name)
    _, followers = client.update_schedule(
        name, S.StepLR(1, gamma=GOES_ON), etag=stored.etag, reason="too slow"
    )
    return followers[0].effective_step


def by_the_command_line(client: Client, name: str, folder: Path) -> int:
    file = folder / "faster.yaml"
    file.write_text(f"step_lr: {{step_size: 1, gamma: {GOES_ON}}}\n")
    answer = lrkeeper("schedule", "apply", name, "-f", str(file), "--reason", "too slow", "--json")
    return int(json.loads(answer)["followers"][0]["effective_step"])


@pytest.fixture
def beside() -> Iterator[Executor]:
    """A thread beside the one that trains."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


def explained(run: str, step: int) -> Any:
    """Return what `run explain` tells of a step."""
    return json.loads(lrkeeper("run", "explain", run, str(step), "--json"))


def used_by_torch(gamma: float, steps: int) -> list[Row]:
    training = Training(0.1, 0.02)
    return training.epochs(torch_schedulers.StepLR(training.optimizer, 1, gamma), steps)


@pytest.mark.parametrize("horizon", [0, 0.5])
@pytest.mark.parametrize("update", [by_the_client, by_the_command_line])
def test_a_new_revision_acts_from_the_runs_frontier_on_and_not_a_step_before(
    client: Client,
    run: str,
    tmp_path: Path,
    beside: Executor,
    update: Callable[[Client, str, Path], int],
    horizon: float,
) -> None:
    name = f"{run}-schedule"
    client.create_schedule(name, S.StepLR(1, gamma=BEGINS))
    training = Training(0.1, 0.02)
    scheduler = RemoteLR(training.optimizer, name, run=run, horizon=horizon)
    about_to_use: list[Row] = []
    training.optimizer.register_step_pre_hook(lambda *_: about_to_use.append(training.lrs()))
    training.epochs(scheduler, 20)
    applied = beside.submit(update, client, name, tmp_path)
    while not applied.done():
        training.epochs(scheduler, 1)
    effective = applied.result()
    assert effective > 20
    training.epochs(scheduler, max(0, effective - scheduler.last_epoch) + 10)

    before, after = (used_by_torch(gamma, len(about_to_use)) for gamma in (BEGINS, GOES_ON))
    assert about_to_use == before[:effective] + after[effective:]
    assert before[effective - 1] != after[effective - 1]
    assert before[effective] != after[effective]

    of_before, of_then = (explained(run, step) for step in (effective - 1, effective))
    assert (of_before["schedule_name"], of_before["schedule_revision"], of_before["edits"]) == (name, 1, [])
    assert (of_then["schedule_name"], of_then["schedule_revision"]) == (name, 2)
    (edit,) = of_then["edits"]
    assert (edit["effective_step"], edit["reason"]) == (effective, "too slow")
    for step, told in ((effective - 1, of_before), (effective, of_then)):
        assert hexes(told["values"]["lr"]) == about_to_use[step]
