"""Rows come in the background into the line that steps are taken from, and no step sees anything of it."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import torch

from lrkeeper import Client, RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from lrkeeper.schedules import codec
from lrkeeper.schedules.table import Table
from lrkeeper.torch.ahead import Ahead
from lrkeeper.torch.fetching import Fetching, Followed, Later
from lrkeeper.torch.lane import Lane, lane_of, lane_with_room
from lrkeeper.torch.pace import Pace
from lrkeeper.torch.quick import Quick
from lrkeeper.torch.walk import Walk
from lrkeeper.views import Window
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


@pytest.mark.parametrize(("groups", "room"), [(1, 1), (1, 16), (2, 1), (3, 16)])
@pytest.mark.parametrize("kind", KINDS)
def test_an_edit_acts_at_its_step_though_the_rows_come_by_themselves(
    server: ServerProcess,
    client: Client,
    lanes: list[Lane],
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    groups: int,
    room: int,
) -> None:
    monkeypatch.setattr(
        "lrkeeper.torch.ahead._ROOM", room
    )  # the answer with the definition is soon forgotten
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
        used.append(job.lrs())
    stored: dict[int, Row] = {}
    for block in client.list_blocks(run):
        columns = [block.table.column(group) for group in range(groups)]
        for place, row in enumerate(zip(*columns, strict=True)):
            stored[block.table.first_step + place] = hexes(row)
    assert used == [stored[step] for step in range(1, 1501)]
    assert 300 < edit.effective_step < 1400
    assert scheduler.state_dict()["lrkeeper"]["schedule"] == codec.to_json(S.StepLR(7, gamma=0.5))
    assert float.fromhex(used[edit.effective_step + 50][-1]) < 0.1 * float.fromhex(
        used[edit.effective_step - 2][-1]
    )


@pytest.mark.parametrize("groups", [1, 2, 3])
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_that_is_told_to_look_while_it_goes_on_has_its_value(
    server: ServerProcess, lanes: list[Lane], monkeypatch: pytest.MonkeyPatch, kind: str, groups: int
) -> None:
    """As the background does, once a call of its has failed."""
    has_more = Quick._has_more

    def then_told(self: Quick) -> bool:
        found = has_more(self)
        self.end()
        return found

    monkeypatch.setattr(Quick, "_has_more", then_told)
    job = training(groups)
    job.optimizer.step()
    values = expected(groups)
    next(values)
    goes(made(kind, job.optimizer, 0.02), values, 300)


def test_the_pace_of_a_job_that_asks_at_each_step_is_its_own(server: ServerProcess) -> None:
    job = training(1)
    scheduler = RemoteLR(job.optimizer, S.ReduceLROnPlateau(patience=1000), horizon=0.2)
    for _ in range(150):
        job.optimizer.step()
        scheduler.step(1.0)
        time.sleep(0.004)
    assert 5 <= scheduler._hold.position._supply._pace.size <= 60, "0.2 s of steps of 4 ms or more"


# Calls in the background.


class Repeated(Followed):
    """A call that is made again as long as there are answers."""

    def __init__(self, *answers: Any) -> None:
        self.answers = [*answers]
        self.made = 0
        self.more = threading.Event()

    def __call__(self) -> Any:
        self.made += 1
        return self.answers.pop(0)

    @property
    def goes_on(self) -> bool:
        return bool(self.answers)

    @property
    def wanted(self) -> bool:
        return self.more.is_set()

    @property
    def interval(self) -> float:
        return 0.001


def test_a_call_is_made_again_when_it_is_wanted_and_is_not_under_way_in_between() -> None:
    fetching: Fetching[str] = Fetching()
    call = Repeated("first", None, "third")
    fetching.start(call)
    assert fetching.wait(10) == "first"
    until(lambda: not fetching.busy)
    assert call.made == 1
    call.more.set()
    assert until(fetching.collect) == "third", "nothing is to be collected of the second"
    until(lambda: not fetching.busy)
    fetching.start(lambda: "another")
    assert fetching.wait(10) == "another"


def test_an_answer_that_was_looked_at_comes_before_those_after_it() -> None:
    fetching: Fetching[str] = Fetching()
    call = Repeated("first", "second")
    call.more.set()
    fetching.start(call)
    first = until(lambda: fetching._answers.qsize() == 2 and fetching.look())
    fetching.take_back(first)
    assert fetching.busy
    assert [fetching.collect(), fetching.collect(), fetching.collect()] == ["first", "second", None]
    assert not fetching.busy


def test_an_ask_says_where_the_job_is_though_several_lanes_are_ahead_of_it() -> None:
    """As where answers are short beside what is held: it was taken for a lane further on, and ran away from itself."""
    said: list[int] = []

    def call(from_step: int, count: int, *, applied_step: int, revision: int, frontier: int) -> Window:
        said.append(applied_step)
        return Window(table(from_step, 10, 70_000), 1, from_step + 10, None, "", 0, FALLING)

    ahead = Ahead(call, 0, 1, (1, FALLING), 1, Pace(1000, 1.0), 1000.0)
    lanes = [ahead() for _ in range(4)]
    assert all(isinstance(lane, Lane) and lane.stop == 10 for lane in lanes)
    assert said == [0] * 4
    for number, lane in enumerate(lanes):
        assert isinstance(lane, Lane)
        lane.taken, lane.index = True, 3
        said.clear()
        ahead()
        assert said == [10 * number + 4]


def test_asks_that_give_no_rows_become_rarer_and_those_after_rows_do_not() -> None:
    """As where answers are short, and the job stands still: the run holds it to two of them."""

    def answer(first: int | None, count: int = 0) -> Window:
        rows = None if first is None else table(first, count)
        return Window(rows, 1, 1, None, "", 0, FALLING)

    answers = [answer(1, 40), *[answer(None)] * 12, answer(41, 10), answer(None)]
    ahead = Ahead(lambda *_, **__: answers.pop(0), 0, 1, (1, FALLING), 1, Pace(60, 1.0), 60.0)
    lane = ahead()
    assert isinstance(lane, Lane)
    lane.taken, lane.index = True, 14
    waits = [wait.seconds for wait in (ahead() for _ in range(12)) if isinstance(wait, Later)]
    assert len(waits) == 12
    assert waits[0] <= 0.2 < 0.5 <= waits[-1] <= 1.0
    assert ahead() is None
    assert lane.end_step == 51
    lane.index = 25
    last = ahead()
    assert isinstance(last, Later)
    assert last.seconds <= 0.2


def test_a_call_that_failed_is_not_made_again() -> None:
    def fails() -> str:
        raise ValueError("no")

    fetching: Fetching[str] = Fetching()
    fetching.start(fails)
    assert isinstance(fetching.wait(10), ValueError)
    fetching.start(lambda: "another")
    assert fetching.wait(10) == "another"


def until(found: Callable[[], Any]) -> Any:
    """Return the first that is true."""
    end = time.monotonic() + 30
    while not (what := found()):
        assert time.monotonic() < end
        time.sleep(0.001)
    return what


# The line itself.


def table(first: int, count: int, groups: int = 2) -> Table:
    return Table.from_rows(
        first,
        [{"lr": tuple(step + group / 10 for group in range(groups))} for step in range(first, first + count)],
    )


def rows(lane: Lane) -> list[list[float]]:
    return [lane.rows[i * lane.columns : (i + 1) * lane.columns].tolist() for i in range(lane.stop)]


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
