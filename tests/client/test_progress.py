"""Jobs that tell their progress: `scheduler.step(tokens=…)`, and what comes of it."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest

from lrkeeper import Client, RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from lrkeeper.errors import InvalidArgument
from lrkeeper.schedules.given import NotTold
from tests.client.processes import as_ranks, in_new_process
from tests.client.training import Row, Training, hexes
from tests.support.server import ServerProcess

TO_ZERO = S.Level(absolute=0)
TOKENS = S.Ramp(over=S.Span(tokens=1000), begin=S.Level(relative=1), end=TO_ZERO)
"""From 0.1 to 0 in 1000 tokens."""


def line(*totals: float) -> list[Row]:
    """Return the lrs of TOKENS at these totals."""
    return [hexes([0.1 * ((1000 - total) / 1000)]) for total in totals]


def go(training: Training, scheduler: RemoteLR, totals: list[float]) -> list[Row]:
    """Train a step for each total; return the lrs after them."""
    found = []
    for total in totals:
        training.update()
        scheduler.step(tokens=total)
        found.append(training.lrs())
    return found


def test_the_lr_follows_the_tokens_not_the_steps(client: Client, server: ServerProcess, run: str) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, TOKENS, run=run)
    assert training.lrs() == hexes([0.1])
    assert go(training, scheduler, [100, 150, 150, 800]) == line(100, 150, 150, 800)
    assert scheduler.get_last_lr() == pytest.approx([0.02])
    assert client.explain(run, 4).given.progress == {"tokens": 800.0}


@pytest.mark.parametrize("mode", ["on", "off"])
@pytest.mark.parametrize("told", [{}, {"samples": 5}, {"tokens": None}])
def test_a_step_that_is_not_told_says_what_to_pass_and_nothing_moves(
    server: ServerProcess, mode: str, told: dict[str, Any]
) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, TOKENS, mode=mode)
    go(training, scheduler, [100])
    books, state = dict(scheduler.__dict__), scheduler.state_dict()
    with pytest.raises(NotTold, match=r"step 2 of run .* counts tokens.* use step\(tokens=…\)"):
        scheduler.step(**told)
    assert training.lrs() == line(100)[0]
    assert scheduler.state_dict() == state
    assert {k: v for k, v in scheduler.__dict__.items() if k in books} == books
    assert go(training, scheduler, [200]) == line(200)


@pytest.mark.parametrize("mode", ["on", "off"])
def test_totals_that_go_down_are_refused_and_nothing_moves(server: ServerProcess, mode: str) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, TOKENS, mode=mode)
    go(training, scheduler, [100, 300])
    with pytest.raises(
        InvalidArgument, match=re.escape("given.progress.tokens is 200.0, and the run had 300.0")
    ):
        scheduler.step(tokens=200)
    assert training.lrs() == line(300)[0]
    assert go(training, scheduler, [300, 400]) == line(300, 400)


@pytest.mark.parametrize("total", [-1, float("nan"), float("inf")])
def test_a_total_that_is_none_is_refused_here(server: ServerProcess, total: float) -> None:
    scheduler = RemoteLR(Training().optimizer, TOKENS)
    with pytest.raises(ValueError, match=r"step: tokens is .*; it must be a finite number, at least 0"):
        scheduler.step(tokens=total)


def test_a_metric_and_tokens_come_in_one_step(client: Client, server: ServerProcess, run: str) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, S.Plateau(TOKENS, factor=0.5, patience=0), run=run)
    found = []
    for loss, tokens in ((1.0, 100), (1.0, 200), (0.5, 500)):
        training.update()
        scheduler.step(loss, tokens=tokens)
        found += [group["lr"] for group in training.optimizer.param_groups]
    assert found == pytest.approx([0.09, 0.04, 0.025])
    given = client.explain(run, 2).given
    assert (given.metric, given.progress) == (1.0, {"tokens": 200.0})
    with pytest.raises(TypeError, match=r"given no metric: use step\(metric\)"):
        scheduler.step(tokens=600)


def test_several_schedules_count_several_things(server: ServerProcess) -> None:
    for axis in ("epochs", "samples", "tokens"):
        over = S.Span(**{axis: 4.0})  # type: ignore[arg-type]
        curve = S.Ramp(over=over, begin=S.Level(relative=1), end=TO_ZERO)
        training = Training()
        scheduler = RemoteLR(training.optimizer, curve)
        training.update()
        scheduler.step(**{"epochs": 9, "samples": 9, "tokens": 9, axis: 1})
        assert training.lrs() == hexes([0.1 + (0.0 - 0.1) * 0.25])


def test_drop_ins_take_none(server: ServerProcess) -> None:
    scheduler: Any = lr_scheduler.StepLR(Training().optimizer, 3)
    with pytest.raises(TypeError, match="unexpected keyword argument 'tokens'"):
        scheduler.step(tokens=5)


# Resuming.


def train(batch: int, steps: int, state: dict[str, Any] | None = None) -> tuple[list[Row], dict[str, Any]]:
    """Train with batches of so many tokens; the job's own count goes into its checkpoint."""
    training = Training()
    scheduler = RemoteLR(training.optimizer, TOKENS)
    seen = 0
    if state is not None:
        scheduler.load_state_dict(state["scheduler"])
        seen = state["tokens"]
    totals = [seen + batch * step for step in range(1, steps + 1)]
    found = go(training, scheduler, [*map(float, totals)])
    return found, {"scheduler": scheduler.state_dict(), "tokens": totals[-1]}


@pytest.mark.parametrize("mode", ["on", "off"])
def test_the_batch_may_change_between_two_starts(server: ServerProcess, mode: str) -> None:
    """As where a job goes on on more machines: twice the batch, half the steps, and the same end."""
    where = {"LRKEEPER_MODE": mode, "LRKEEPER_SERVER": server.address}
    first, state = in_new_process(train, 100, 4, **where)
    assert first == line(100, 200, 300, 400)
    second, state = in_new_process(train, 200, 2, state, **where)
    assert second == line(600, 800)
    third, _ = in_new_process(train, 50, 4, state, **where)
    assert third == line(850, 900, 950, 1000)


def test_the_world_may_grow_between_two_starts(client: Client, server: ServerProcess) -> None:
    """Two ranks with the old batch each: all tell the total of both."""
    where = {"LRKEEPER_SERVER": server.address}
    first, state = in_new_process(train, 100, 4, **where)
    ranks = as_ranks(2, train, 200, 3, state, **where, LRKEEPER_INCARNATION=uuid4().hex)
    assert [used for used, _ in ranks] == [line(600, 800, 1000)] * 2
    stored = client.get_run(state["scheduler"]["lrkeeper"]["run"])
    assert (stored.fence, stored.frontier) == (2, 8)
    assert first == line(100, 200, 300, 400)


def test_the_batch_may_change_from_one_step_to_the_next(server: ServerProcess) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, TOKENS)
    assert go(training, scheduler, [100, 200, 400, 800, 800]) == line(100, 200, 400, 800, 800)


def test_a_resumed_job_goes_through_committed_steps_with_their_values(server: ServerProcess) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, TOKENS)
    go(training, scheduler, [100, 200])
    state = scheduler.state_dict()
    go(training, scheduler, [300, 400])
    scheduler.load_state_dict(state)
    assert training.lrs() == line(200)[0]
    assert go(training, scheduler, [299, 390, 500]) == line(300, 400, 500)


def test_a_state_goes_to_another_server_with_its_totals(
    server: ServerProcess, own_server: ServerProcess
) -> None:
    training, second = Training(), Training()
    scheduler = RemoteLR(training.optimizer, TOKENS, server=server.address)
    go(training, scheduler, [100, 200])
    moved = RemoteLR(second.optimizer, TOKENS, server=own_server.address, on_missing="create")
    moved.load_state_dict(scheduler.state_dict())
    with pytest.raises(InvalidArgument, match=r"the run had 200\.0 before"):
        moved.step(tokens=100)
    assert go(second, moved, [300]) == line(300)


# Ranks.


def train_one_rank(tokens: dict[int, list[float]]) -> list[Row]:
    import os

    training = Training()
    scheduler = RemoteLR(training.optimizer, TOKENS)
    return go(training, scheduler, tokens[int(os.environ["RANK"])])


def test_of_two_ranks_that_tell_different_totals_the_first_decides(
    client: Client, server: ServerProcess, run: str
) -> None:
    tokens = {0: [100.0, 200.0, 300.0], 1: [110.0, 210.0, 310.0]}
    where = {"LRKEEPER_SERVER": server.address, "LRKEEPER_RUN": run, "LRKEEPER_INCARNATION": uuid4().hex}
    one, other = as_ranks(2, train_one_rank, tokens, **where)
    assert one == other
    decided = [client.explain(run, step).given.progress or {} for step in (1, 2, 3)]
    assert one == line(*(progress["tokens"] for progress in decided))
    assert client.get_run(run).frontier == 4


# Off mode, edits.


def test_without_a_server_the_values_are_the_same(server: ServerProcess) -> None:
    ramp = S.Ramp(over=S.Span(tokens=300.0), begin=TO_ZERO)
    schedule = S.Sequence([S.Stage(ramp, over=S.Span(tokens=300.0)), S.Stage(TOKENS)])
    here, there = Training(0.1, 0.02), Training(0.1, 0.02)
    local = RemoteLR(here.optimizer, schedule, mode="off")
    remote = RemoteLR(there.optimizer, schedule, server=server.address)
    totals = [50.0, 299.9, 300.0, 700.0, 1300.0, 9000.0]
    assert here.lrs() == there.lrs() == hexes([0.0, 0.0])
    assert go(here, local, totals) == go(there, remote, totals)


def test_a_state_goes_back_without_a_server(server: ServerProcess) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, TOKENS, mode="off")
    go(training, scheduler, [100, 200])
    state = scheduler.state_dict()
    go(training, scheduler, [300, 400])
    scheduler.load_state_dict(state)
    assert go(training, scheduler, [300, 400, 500]) == line(300, 400, 500)


@pytest.mark.usefixtures("step_by_step")
def test_a_running_job_is_made_to_count_tokens(client: Client, server: ServerProcess, run: str) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, S.Constant(S.Level(relative=0.5)), run=run)
    assert go(training, scheduler, [100, 200]) == [hexes([0.05])] * 2
    client.edit_run(run, TOKENS, expected_revision=1, reason="the batch grows")
    assert go(training, scheduler, [400, 800]) == line(400, 800)
    client.edit_run(run, S.Constant(S.Level(relative=0.5)), expected_revision=2, reason="and back")
    training.update()
    scheduler.step()
    assert training.lrs() == hexes([0.05])


@pytest.mark.usefixtures("step_by_step")
def test_a_job_that_tells_nothing_stops_where_its_run_is_made_to_count(
    client: Client, server: ServerProcess, run: str
) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, S.Constant(), run=run)
    training.epochs(scheduler, 2)
    client.edit_run(run, TOKENS, expected_revision=1, reason="by mistake")
    with pytest.raises(NotTold, match=r"use step\(tokens=…\)"):
        scheduler.step()
    client.edit_run(run, S.Constant(), expected_revision=2, reason="taken back")
    training.epochs(scheduler, 1)
    assert training.lrs() == hexes([0.1])
