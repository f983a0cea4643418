"""Functions that depend on the step alone: they are called ahead, so that steps have windows."""

from __future__ import annotations

import copy
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as torch_schedulers

from lrkeeper import Client, RemoteLR
from lrkeeper import schedules as S
from lrkeeper.errors import InvalidArgument
from tests.client.processes import as_ranks, in_new_process
from tests.client.training import Row, Training
from tests.support.server import ServerProcess

LRS = (0.1, 0.02)


def fall(epoch: float) -> float:
    return 1.0 / (1.0 + 0.01 * epoch)


def wave(epoch: float) -> Any:
    return torch.cos(torch.tensor(0.05 * epoch))  # a float32


def shrink(epoch: float) -> float:
    return 0.99 + 1e-6 * epoch


Made = tuple[S.Schedule, Callable[[torch.optim.Optimizer], Any]]

DEFINITIONS: dict[str, Callable[[], Made]] = {
    "LambdaLR": lambda: (
        S.LambdaLR([fall, wave], pure=True),
        lambda o: torch_schedulers.LambdaLR(o, [fall, wave]),
    ),
    "MultiplicativeLR": lambda: (
        S.MultiplicativeLR(shrink, pure=True),
        lambda o: torch_schedulers.MultiplicativeLR(o, shrink),
    ),
    "CyclicLR": lambda: (
        S.CyclicLR(0.01, 0.1, step_size_up=7, scale_fn=fall, cycle_momentum=False, pure=True),
        lambda o: torch_schedulers.CyclicLR(
            o, 0.01, 0.1, step_size_up=7, scale_fn=fall, cycle_momentum=False
        ),
    ),
    "SequentialLR": lambda: (
        S.SequentialLR([S.LambdaLR(fall, pure=True), S.MultiplicativeLR(shrink, pure=True)], [150]),
        lambda o: torch_schedulers.SequentialLR(
            o, [torch_schedulers.LambdaLR(o, fall), torch_schedulers.MultiplicativeLR(o, shrink)], [150]
        ),
    ),
}


def torchs(kind: str, count: int) -> list[Row]:
    training = Training(*LRS)
    return training.epochs(DEFINITIONS[kind]()[1](training.optimizer), count)


def made(kind: str, training: Training, **options: Any) -> RemoteLR:
    return RemoteLR(training.optimizer, DEFINITIONS[kind]()[0], **{"horizon": 1.0, **options})


def held(scheduler: RemoteLR) -> int:
    """How many steps are held beyond the scheduler's."""
    position = scheduler._hold.position
    if position.ticket is None:
        return 0
    return max(0, int(position._supply.end - 1 - position.ticket.step))


def until_held(training: Training, scheduler: RemoteLR, steps: int) -> None:
    for _ in range(5000):
        if held(scheduler) >= steps:
            return
        training.epochs(scheduler, 1)
    raise AssertionError("the window does not grow")


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_steps_have_torchs_bits_and_most_of_them_ask_nobody(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    asked: list[int] = []
    call = Client.next_lr

    def noted(self: Client, *args: Any, **options: Any) -> Any:
        if threading.current_thread() is threading.main_thread():
            asked.append(args[1])
        return call(self, *args, **options)

    monkeypatch.setattr(Client, "next_lr", noted)
    training = Training(*LRS)
    scheduler = made(kind, training, horizon=1.0)
    assert training.epochs(scheduler, 400) == torchs(kind, 400)
    assert len(asked) < 100


@pytest.mark.parametrize("kind", ["LambdaLR", "SequentialLR"])
def test_a_server_that_is_away_for_less_than_the_window_goes_unnoticed(
    own_server: ServerProcess, kind: str
) -> None:
    training = Training(*LRS)
    scheduler = made(kind, training, horizon=2.0)
    until_held(training, scheduler, 40)
    own_server.kill()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        training.epochs(scheduler, 30)
    own_server.start()
    training.epochs(scheduler, 100)
    assert training.used == torchs(kind, len(training.used))


@pytest.mark.parametrize("kind", ["MultiplicativeLR", "SequentialLR"])
def test_a_checkpoint_amid_a_window_goes_on_also_elsewhere(
    own_server: ServerProcess, shared_server: ServerProcess, kind: str
) -> None:
    training = Training(*LRS)
    scheduler = made(kind, training, horizon=2.0, server=own_server.address)
    until_held(training, scheduler, 40)
    training.epochs(scheduler, 7)
    state, done = scheduler.state_dict(), len(training.used)
    assert len(state["lrkeeper"]["ahead"]) >= 30
    expected = torchs(kind, done + 60)[done:]
    assert in_new_process(resumed, kind, state, LRKEEPER_SERVER=own_server.address) == expected
    assert in_new_process(resumed, kind, state, "create", LRKEEPER_SERVER=shared_server.address) == expected


def resumed(kind: str, state: dict[str, Any], on_missing: Any = "error") -> list[Row]:
    training = Training(*LRS)
    scheduler = made(kind, training, on_missing=on_missing)
    scheduler.load_state_dict(state)
    return training.epochs(scheduler, 60)


def test_a_function_that_raises_does_so_at_its_step(server: ServerProcess) -> None:
    def ends(epoch: float) -> float:
        if epoch == 123:
            raise KeyError("no factor")
        return fall(epoch)

    training = Training()
    scheduler = RemoteLR(training.optimizer, S.LambdaLR(ends, pure=True), horizon=1.0)
    with pytest.raises(KeyError, match="no factor"):
        training.epochs(scheduler, 200)
    assert scheduler.last_epoch == 122


def test_a_function_that_gives_no_number_at_a_step_has_windows_up_to_it(server: ServerProcess) -> None:
    training = Training()
    schedule = S.LambdaLR(lambda epoch: fall(epoch) if epoch != 200 else float("nan"), pure=True)
    scheduler = RemoteLR(training.optimizer, schedule, horizon=100.0)
    until_held(training, scheduler, 40)
    while scheduler.last_epoch < 150:
        training.epochs(scheduler, 1)
    assert held(scheduler) == 199 - scheduler.last_epoch
    with pytest.raises(InvalidArgument, match="nan"):
        training.epochs(scheduler, 100)
    assert scheduler.last_epoch == 199


@pytest.mark.parametrize("by", [0, pytest.param(40, marks=pytest.mark.long)])
def test_checkpoints_after_an_edit_amid_a_window_are_those_of_its_definition(
    own_server: ServerProcess, shared_server: ServerProcess, run: str, by: int
) -> None:
    """From wherever it is taken, the job goes on elsewhere as it would here."""
    training = Training(*LRS)
    scheduler = made("SequentialLR", training, run=run, horizon=2.0, server=own_server.address)
    until_held(training, scheduler, 40)
    with Client(own_server.address) as client:
        frontier = client.get_run(run).frontier
        stages = S.SequentialLR([S.StepLR(10), S.StepLR(7)], [frontier + by + 20])
        at = client.edit_run(
            run, stages, expected_revision=1, at_step=frontier + by, reason="steps"
        ).effective_step
    states = []
    while scheduler.last_epoch < at + 60:
        training.epochs(scheduler, 1)
        states.append(scheduler.state_dict())
    training.epochs(scheduler, 40)
    for state in states[-60::7]:
        step = state["last_epoch"]
        assert step >= at
        used = in_new_process(goes_on, state, LRKEEPER_SERVER=shared_server.address)
        assert used == training.used[step : step + 30], step


def goes_on(state: dict[str, Any]) -> list[Row]:
    training = Training(*LRS)
    name = f"{state['lrkeeper']['run']}-{state['last_epoch']}"
    scheduler = made("SequentialLR", training, on_missing="create", run=name)
    state["lrkeeper"] |= {"run": name, "ahead": []}  # nothing but the place itself
    scheduler.load_state_dict(state)
    return training.epochs(scheduler, 30)


def test_what_was_committed_first_rules(server: ServerProcess, client: Client, run: str) -> None:
    """Also where another start's functions return something else; what the run was given is on record."""
    training = Training()
    scheduler = RemoteLR(training.optimizer, S.LambdaLR(fall, pure=True), run=run, horizon=2.0)
    until_held(training, scheduler, 40)
    training.epochs(scheduler, 20)
    frontier = client.get_run(run).frontier
    again = Training()
    other = RemoteLR(
        again.optimizer, S.LambdaLR(shrink, pure=True), run=run, horizon=2.0, on_existing="takeover"
    )
    again.epochs(other, frontier + 30)
    reference = Training()
    expected = reference.epochs(torch_schedulers.LambdaLR(reference.optimizer, fall), frontier)
    assert again.used[:frontier] == expected
    reference = Training()
    shrunk = reference.epochs(torch_schedulers.LambdaLR(reference.optimizer, shrink), frontier + 30)
    assert again.used[frontier:] == shrunk[frontier:]
    for step in (1, frontier - 1, frontier, frontier + 5):
        given = client.explain(run, step).given
        assert given is not None
        assert given.factors == ((fall if step < frontier else shrink)(step),)


def test_an_edit_acts_at_its_step_amid_a_window(server: ServerProcess, client: Client, run: str) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, S.LambdaLR(fall, pure=True), run=run, horizon=1.0)
    until_held(training, scheduler, 20)
    half = S.ConstantLR(0.5, total_iters=10**6)
    wanted = client.get_run(run).frontier + 70
    at = client.edit_run(run, half, expected_revision=1, at_step=wanted, reason="half").effective_step
    training.epochs(scheduler, at + 100 - len(training.used))
    reference = Training()
    expected = reference.epochs(torch_schedulers.LambdaLR(reference.optimizer, fall), at)
    assert training.used[:at] == expected
    assert training.used[at:] == [((0.1 * 0.5).hex(),)] * 100


def test_ranks_that_call_ahead_each_by_itself_agree(server: ServerProcess, client: Client, run: str) -> None:
    ranks = as_ranks(2, train_rank, run, LRKEEPER_SERVER=server.address, LRKEEPER_INCARNATION="both")
    assert ranks == [torchs("LambdaLR", 300)] * 2


def train_rank(run: str) -> list[Row]:
    training = Training(*LRS)
    return training.epochs(made("LambdaLR", training, run=run, horizon=0.5), 300)


def test_a_copy_calls_ahead_for_itself(server: ServerProcess) -> None:
    training = Training(*LRS)
    scheduler = made("LambdaLR", training, horizon=1.0)
    until_held(training, scheduler, 20)
    optimizer, other = copy.deepcopy((training.optimizer, scheduler))
    used = []
    for _ in range(100):
        optimizer.step()
        used.append(tuple(group["lr"].hex() for group in optimizer.param_groups))
        other.step()
    done = len(training.used)
    assert used == torchs("LambdaLR", done + 100)[done:]
