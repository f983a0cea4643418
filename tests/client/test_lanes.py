"""Rows come in the background into the line that steps are taken from, and no step sees anything of it."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from lrkeeper import Client, RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from lrkeeper.schedules.table import Table
from lrkeeper.torch.lane import Lane, lane_of, lane_with_room
from lrkeeper.torch.walk import Walk
from tests.client.training import Row, Training, hexes
from tests.support.server import ServerProcess

FALLING = S.ExponentialLR(0.999)
KINDS: dict[str, Callable[[torch.optim.Optimizer], Any]] = {
    "RemoteLR": lambda optimizer: RemoteLR(optimizer, FALLING),
    "drop-in": lambda optimizer: lr_scheduler.ExponentialLR(optimizer, 0.999),
}


@pytest.fixture
def lanes(monkeypatch: pytest.MonkeyPatch) -> list[Lane]:
    """The lanes that schedulers go over to; they do so from their first windows on, however short those are."""
    for name, value in (("_HURRIED", 0.0), ("_SHORTEST", 0.0), ("_NEAR", 0.1)):
        monkeypatch.setattr(f"lrkeeper.torch.ahead.{name}", value)
    made: list[Lane] = []

    def noted(table: Table, times: int) -> Lane:
        made.append(lane_with_room(table, times))
        return made[-1]

    monkeypatch.setattr("lrkeeper.torch.ahead.lane_with_room", noted)
    return made


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps at which the training thread has looked whether there is more."""
    found: list[int] = []
    more = Walk.more

    def noted(self: Walk, quick: Any) -> bool:
        found.append(quick.step)
        return more(self, quick)

    monkeypatch.setattr(Walk, "more", noted)
    return found


def made(kind: str, optimizer: torch.optim.Optimizer, horizon: float) -> Any:
    """Return a scheduler that holds some seconds' values."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LRKEEPER_HORIZON", str(horizon))
        return KINDS[kind](optimizer)


def expected(groups: int) -> itertools.accumulate[list[float]]:
    """Yield torch's values of the falling schedule, from step 0 on."""
    begin = [0.1 / (1 + group) for group in range(groups)]
    return itertools.accumulate(itertools.repeat(0.999), lambda row, f: [lr * f for lr in row], initial=begin)


def training(groups: int) -> Training:
    return Training(*(0.1 / (1 + group) for group in range(groups)))


def goes(
    scheduler: Any, values: Any, steps: int, between: Callable[[int], object] = lambda step: None
) -> None:
    """Step beside torch's values."""
    for step in range(steps):
        between(step)
        scheduler.step()
        row = next(values)
        lrs = [group["lr"] for group in scheduler.optimizer.param_groups]
        assert hexes(lrs) == hexes(row), f"step {scheduler.last_epoch}"
        assert hexes(scheduler.get_last_lr()) == hexes(row)


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_steps_that_race_with_the_rows_have_torchs_values(
    server: ServerProcess, lanes: list[Lane], kind: str, groups: int
) -> None:
    values = expected(groups)
    job = training(groups)
    job.optimizer.step()
    scheduler = made(kind, job.optimizer, 0.02)
    assert hexes(scheduler.get_last_lr()) == hexes(next(values))
    chance = random.Random(groups)

    def disturb(step: int) -> None:
        what = chance.random()
        if what < 0.03:
            time.sleep(0.002)  # so that what comes may overtake
        elif what < 0.033:
            assert scheduler.state_dict()["lrkeeper"]["step"] == step
        elif what < 0.036:
            scheduler._hold.position.interrupt()

    goes(scheduler, values, 4000, disturb)
    assert any(lane.taken for lane in lanes)


@pytest.mark.parametrize("kind", KINDS)
def test_a_job_of_steady_pace_is_supplied_without_a_hand_of_its_thread(
    server: ServerProcess, looks: list[int], kind: str
) -> None:
    job = training(2)
    job.optimizer.step()
    values = expected(2)
    next(values)
    scheduler = made(kind, job.optimizer, 0.4)
    goes(scheduler, values, 1500, lambda step: time.sleep(0.001))
    settled = [step for step in looks if step > 700]
    assert len(settled) <= 2, "that would be a look for each answer"


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_between_any_two_steps_has_the_rows_that_have_come(
    server: ServerProcess, lanes: list[Lane], kind: str
) -> None:
    job = training(1)
    job.optimizer.step()
    values = expected(1)
    next(values)
    scheduler = made(kind, job.optimizer, 0.1)
    goes(scheduler, values, 600, lambda step: time.sleep(0.0005))
    state = scheduler.state_dict()
    other = training(1)
    other.optimizer.step()
    resumed = made(kind, other.optimizer, 0.1)
    resumed.load_state_dict(state)
    goes(resumed, values, 600, lambda step: time.sleep(0.0005))
    assert resumed.last_epoch == 1200


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_acts_at_its_step_though_the_rows_come_by_themselves(
    server: ServerProcess, client: Client, lanes: list[Lane], kind: str, groups: int
) -> None:
    job = training(groups)
    job.optimizer.step()
    scheduler = made(kind, job.optimizer, 0.1)
    used: list[Row] = []
    edit: Any = None
    for step in range(1500):
        if step == 300:
            run = scheduler.state_dict()["lrkeeper"]["run"]
            edit = client.edit_run(run, S.StepLR(7, gamma=0.5), expected_revision=1, reason="a test")
        time.sleep(0.0005)
        scheduler.step()
        assert job.lrs() == hexes(scheduler.get_last_lr())
        used.append(job.lrs())
    stored: dict[int, Row] = {}
    for block in client.list_blocks(run):
        columns = [block.table.column(group) for group in range(groups)]
        for place, row in enumerate(zip(*columns, strict=True)):
            stored[block.table.first_step + place] = hexes(row)
    assert used == [stored[step] for step in range(1, 1501)]
    assert 300 < edit.effective_step < 1400
    assert float.fromhex(used[edit.effective_step + 50][-1]) < 0.1 * float.fromhex(
        used[edit.effective_step - 2][-1]
    )


# The line itself.


def table(first: int, count: int, groups: int = 2) -> Table:
    return Table.from_rows(
        first,
        [{"lr": tuple(step + group / 10 for group in range(groups))} for step in range(first, first + count)],
    )


def rows(lane: Lane) -> list[list[float]]:
    return [lane.rows[i * lane.groups : (i + 1) * lane.groups].tolist() for i in range(lane.stop)]


def test_a_lane_has_the_rows_of_its_tables_one_after_the_other() -> None:
    lane = lane_with_room(table(5, 3), times=4)
    assert (lane.step, lane.end_step) == (4, 8)
    assert lane.has_room(table(8, 9))
    lane.lengthen(table(8, 9))
    assert rows(lane) == [[step, step + 0.1] for step in range(5, 17)]
    assert not lane.has_room(table(17, 1)), "it is full"


@pytest.mark.parametrize("first", [4, 7, 9])
def test_a_lane_takes_only_what_follows(first: int) -> None:
    assert not lane_with_room(table(5, 3), times=4).has_room(table(first, 2))


def test_a_long_answer_gets_a_lane_of_its_own() -> None:
    long = table(1, 1500, groups=100)
    lane = lane_with_room(long, times=16)
    assert lane.end_step == 1501
    assert not lane.has_room(table(1501, 1, groups=100))


def test_a_lane_of_a_table_begins_where_the_job_is() -> None:
    lane = lane_of(table(5, 3), step=4)
    assert (lane.index, lane.step, lane.stop) == (-1, 4, 3)
