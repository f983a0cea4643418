"""Every drop-in does what torch's class does, with values that come from a server."""

from __future__ import annotations

import copy
import io
import math
import pickle
import weakref
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
import torch

from lrkeeper import Client, lr_scheduler
from lrkeeper import schedules as S
from lrkeeper.errors import BadCheckpoint, InvalidArgument, RunFinished
from tests.client.classes import CLASSES, OPTIMIZERS, TAKE_EPOCHS, TORCH, bits, falling, run
from tests.support.server import ServerProcess

pytestmark = pytest.mark.filterwarnings("ignore:.*epoch parameter", "ignore:.*optimizer.step")

every_class = pytest.mark.parametrize("name", CLASSES)
every_optimizer = pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS)
Optimizer = Callable[[], torch.optim.Optimizer]


def built(module: Any, name: str, optimizer: Optimizer) -> Any:
    return CLASSES[name](module, optimizer())


@every_optimizer
@every_class
def test_it_steps_as_torchs(server: ServerProcess, name: str, optimizer: Optimizer) -> None:
    theirs, ours = built(TORCH, name, optimizer), built(lr_scheduler, name, optimizer)
    assert bits(ours.optimizer) == bits(theirs.optimizer)
    assert run(ours, 0, 30) == run(theirs, 0, 30)
    state = ours.state_dict()
    assert state.pop("lrkeeper")["step"] == 30
    assert state.keys() == theirs.state_dict().keys()


@every_optimizer
@every_class
def test_it_goes_on_from_what_other_code_writes(
    server: ServerProcess, name: str, optimizer: Optimizer
) -> None:
    def trained(module: Any) -> list[Any]:
        scheduler = built(module, name, optimizer)
        group = scheduler.optimizer.param_groups[1]

        def meddle(epoch: int) -> None:
            if epoch % 6 == 2:
                lr = 0.03 * (epoch + 1)
                group["lr"] = torch.tensor(lr) if torch.is_tensor(group["lr"]) else lr

        return run(scheduler, 0, 25, before=meddle)

    assert trained(lr_scheduler) == trained(TORCH)


@every_optimizer
@pytest.mark.parametrize("name", TAKE_EPOCHS)
def test_it_takes_an_epoch_as_torchs(server: ServerProcess, name: str, optimizer: Optimizer) -> None:
    theirs, ours = built(TORCH, name, optimizer), built(lr_scheduler, name, optimizer)
    assert run(ours, 0, 25, epochs=(4, 9, 10)) == run(theirs, 0, 25, epochs=(4, 9, 10))


@every_optimizer
@every_class
def test_it_resumes_from_a_checkpoint_of_plain_types(
    server: ServerProcess, name: str, optimizer: Optimizer
) -> None:
    theirs = built(TORCH, name, optimizer)
    expected = run(theirs, 0, 24)
    first = built(lr_scheduler, name, optimizer)
    assert run(first, 0, 9) == expected[:9]
    file = io.BytesIO()
    torch.save({"optimizer": first.optimizer.state_dict(), "scheduler": first.state_dict()}, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    second = built(lr_scheduler, name, optimizer)
    second.optimizer.load_state_dict(loaded["optimizer"])
    second.load_state_dict(loaded["scheduler"])
    assert run(second, 9, 24) == expected[9:]


@every_optimizer
@every_class
def test_a_job_of_torchs_own_moves_in(client: Client, name: str, optimizer: Optimizer) -> None:
    theirs = built(TORCH, name, optimizer)
    run(theirs, 0, 9)
    books, held = copy.deepcopy((theirs.state_dict(), theirs.optimizer.state_dict()))
    ours = built(lr_scheduler, name, optimizer)
    ours.load_state_dict(books)
    ours.optimizer.load_state_dict(held)
    assert run(ours, 9, 24) == run(theirs, 9, 24)
    kept = client.get_run(ours.state_dict()["lrkeeper"]["run"])
    assert kept.origin_step == 9
    assert kept.frontier >= 25


def test_a_job_of_twelve_thousand_steps_moves_in_and_its_run_begins_there(client: Client) -> None:
    theirs = built(TORCH, "ExponentialLR", OPTIMIZERS["SGD, floats"])
    theirs.gamma = 0.9999
    for _ in range(12_000):
        theirs.optimizer.step()
        theirs.step()
    books, held = copy.deepcopy((theirs.state_dict(), theirs.optimizer.state_dict()))
    ours = built(lr_scheduler, "ExponentialLR", OPTIMIZERS["SGD, floats"])
    ours.load_state_dict(books)
    ours.optimizer.load_state_dict(held)
    assert run(ours, 0, 40) == run(theirs, 0, 40)
    place = ours.state_dict()["lrkeeper"]
    assert (client.get_run(place["run"]).origin_step, place["step"]) == (12_000, 12_040)


@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))], ids=["copy", "pickle"]
)
@every_class
def test_a_copy_goes_on_as_torchs(server: ServerProcess, name: str, copied: Callable[[Any], Any]) -> None:
    optimizer = OPTIMIZERS["SGD, floats"]
    theirs, ours = built(TORCH, name, optimizer), built(lr_scheduler, name, optimizer)
    run(theirs, 0, 5)
    run(ours, 0, 5)
    assert run(copied(ours), 5, 15) == run(copied(theirs), 5, 15)


@every_class
def test_it_is_freed_by_its_last_reference(server: ServerProcess, name: str) -> None:
    scheduler = built(lr_scheduler, name, OPTIMIZERS["SGD, floats"])
    run(scheduler, 0, 2)
    seen = weakref.ref(scheduler)
    del scheduler
    assert seen() is None


def test_the_job_resumes_at_an_epoch_as_torchs(server: ServerProcess) -> None:
    def trained(module: Any) -> Any:
        optimizer = OPTIMIZERS["SGD, floats"]()
        run(module.ExponentialLR(optimizer, 0.9), 0, 6)
        scheduler = module.ExponentialLR(optimizer, 0.9, last_epoch=5)
        return bits(optimizer), scheduler.last_epoch, run(scheduler, 6, 12)

    assert trained(lr_scheduler) == trained(TORCH)


def test_a_function_is_called_as_often_as_torch_calls_it(client: Client) -> None:
    def calls(module: Any) -> list[int]:
        called = []

        def factor(epoch: int) -> float:
            called.append(epoch)
            return 0.5**epoch

        scheduler = module.LambdaLR(OPTIMIZERS["SGD, floats"](), factor)
        run(scheduler, 0, 4)
        if module is lr_scheduler:
            kept = scheduler.state_dict()["lrkeeper"]["run"]
            assert client.explain(kept, 3).given.factors == (0.125, 0.125)
        return called

    assert calls(lr_scheduler) == calls(TORCH)


def test_a_metric_is_in_the_record(client: Client) -> None:
    scheduler = lr_scheduler.ReduceLROnPlateau(OPTIMIZERS["SGD, floats"](), patience=0)
    for loss in (torch.tensor(0.5), "0.7", 0.9):
        scheduler.step(loss)
    kept = scheduler.state_dict()["lrkeeper"]["run"]
    assert [client.explain(kept, step).given.metric for step in (1, 2, 3)] == [0.5, 0.7, 0.9]
    with pytest.raises(TypeError, match="required positional argument: 'metrics'"):
        scheduler.step()


@pytest.mark.usefixtures("step_by_step")
def test_a_step_that_the_server_refuses_leaves_torchs_books_as_they_were(client: Client) -> None:
    for make in (lambda o: lr_scheduler.LambdaLR(o, falling), lambda o: lr_scheduler.ExponentialLR(o, 0.9)):
        scheduler = make(OPTIMIZERS["SGD, floats"]())
        run(scheduler, 0, 3)
        client.finish_run(scheduler.state_dict()["lrkeeper"]["run"])
        before = bits(scheduler.optimizer), scheduler.state_dict()
        with pytest.raises(RunFinished):
            scheduler.step()
        assert (bits(scheduler.optimizer), scheduler.state_dict()) == before


def failing_once(at: int) -> Callable[[float], float]:
    """Return a function that fails at one of its calls."""
    calls = count(1)

    def factor(epoch: float) -> float:
        if next(calls) == at:
            raise RuntimeError("the data loader is away")
        return math.ldexp(1.0, -int(min(epoch, 8)))

    return factor


BUILDS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "LambdaLR": lambda m, o, f: m.LambdaLR(o, f),
    "CyclicLR": lambda m, o, f: m.CyclicLR(o, 0.1, 1.0, 4, scale_fn=f, scale_mode="iterations"),
    "ChainedScheduler": lambda m, o, f: m.ChainedScheduler(
        [m.ExponentialLR(o, 0.9), m.MultiplicativeLR(o, f)]
    ),
}


@pytest.mark.parametrize("name", BUILDS)
def test_a_step_that_a_function_failed_may_be_repeated_as_if_it_had_not(
    server: ServerProcess, name: str
) -> None:
    theirs = BUILDS[name](TORCH, OPTIMIZERS["SGD, floats"](), failing_once(0))
    expected = run(theirs, 0, 8)
    ours = BUILDS[name](lr_scheduler, OPTIMIZERS["SGD, floats"](), failing_once(11))
    found: list[Any] = []
    while len(found) < 8:
        before = bits(ours.optimizer), ours.state_dict()
        try:
            found += run(ours, len(found), len(found) + 1)
        except RuntimeError:
            assert (bits(ours.optimizer), ours.state_dict()) == before
    assert found == expected


@pytest.mark.usefixtures("step_by_step")
def test_an_edit_is_as_if_from_the_start_though_the_class_moves_the_lr_at_once(client: Client) -> None:
    optimizer = OPTIMIZERS["SGD, floats"]()
    ours = lr_scheduler.LinearLR(optimizer, start_factor=0.25, total_iters=2)
    run(ours, 0, 3)
    kept = ours.state_dict()["lrkeeper"]["run"]
    client.edit_run(kept, S.ExponentialLR(0.5), expected_revision=1, reason="to see")
    run(ours, 3, 4)
    assert [group["lr"] for group in optimizer.param_groups] == [0.1 * 0.5**4, 0.02 * 0.5**4]


def test_an_edit_of_a_job_that_moved_in_is_as_if_from_the_start(client: Client) -> None:
    theirs = built(TORCH, "StepLR", OPTIMIZERS["SGD, floats"])
    run(theirs, 0, 7)
    ours = built(lr_scheduler, "StepLR", OPTIMIZERS["SGD, floats"])
    ours.load_state_dict(theirs.state_dict())
    ours.optimizer.load_state_dict(theirs.optimizer.state_dict())
    run(ours, 7, 8)
    kept = ours.state_dict()["lrkeeper"]["run"]
    client.edit_run(kept, S.ExponentialLR(0.5), expected_revision=1, reason="to see")
    run(ours, 8, 9)
    assert ours.optimizer.param_groups[0]["lr"] == 0.1 * 0.5**9


def test_a_torch_state_is_refused_once_the_scheduler_is_on_a_run(server: ServerProcess) -> None:
    theirs = built(TORCH, "StepLR", OPTIMIZERS["SGD, floats"])
    ours = built(lr_scheduler, "StepLR", OPTIMIZERS["SGD, floats"])
    run(ours, 0, 2)
    before = ours.state_dict()
    with pytest.raises(BadCheckpoint, match="load the state into a new one, before its first step"):
        ours.load_state_dict(theirs.state_dict())
    assert ours.state_dict() == before


def test_what_is_no_number_is_never_committed(client: Client) -> None:
    answers = iter([1.0, 1.0, float("nan"), float("nan"), 0.5, 0.5])
    ours = lr_scheduler.LambdaLR(OPTIMIZERS["SGD, floats"](), lambda epoch: next(answers))
    with pytest.raises(InvalidArgument, match=r"given.factors has a nan"):
        ours.step()
    ours.step()
    assert [group["lr"] for group in ours.optimizer.param_groups] == [0.05, 0.01]
    other = lr_scheduler.ExponentialLR(OPTIMIZERS["SGD, floats"](), 0.9)
    other.optimizer.param_groups[0]["lr"] = float("nan")
    with pytest.raises(InvalidArgument, match=r"given.seen\[0\].values has a nan"):
        other.step()
    other.optimizer.param_groups[0]["lr"] = 0.05
    other.step()
    assert other.optimizer.param_groups[0]["lr"] == 0.05 * 0.9


@pytest.mark.parametrize("name", ["ReduceLROnPlateau", "LambdaLR", "CosineAnnealingWarmRestarts"])
@pytest.mark.parametrize("mode", ["on", "off"])
def test_going_back_in_the_same_process_gives_the_same_values(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch, name: str, mode: str
) -> None:
    monkeypatch.setenv("LRKEEPER_MODE", mode)
    ours = built(lr_scheduler, name, OPTIMIZERS["SGD, floats"])
    epochs = (3, 5) if name == "CosineAnnealingWarmRestarts" else ()
    run(ours, 0, 2)
    state = copy.deepcopy((ours.state_dict(), ours.optimizer.state_dict()))
    first = run(ours, 2, 8, epochs=epochs)
    ours.load_state_dict(state[0])
    ours.optimizer.load_state_dict(state[1])
    assert run(ours, 2, 8, epochs=epochs) == first


def test_a_change_after_going_back_is_overwritten_and_warned_of(server: ServerProcess) -> None:
    ours = built(lr_scheduler, "ExponentialLR", OPTIMIZERS["SGD, floats"])
    run(ours, 0, 1)
    state = ours.state_dict()
    first = run(ours, 1, 4)
    ours.load_state_dict(state)
    ours.optimizer.step()
    ours.optimizer.param_groups[0]["lr"] = 3.0
    with pytest.warns(UserWarning, match="they overwrite the change"):
        ours.step()
    assert bits(ours.optimizer) == first[0][0]
