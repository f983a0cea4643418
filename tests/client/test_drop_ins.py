"""Every drop-in does what torch's class does, with values that come from a server."""

from __future__ import annotations

import copy
import io
import pickle
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch

from lrkeeper import Client, lr_scheduler
from lrkeeper.errors import RunFinished
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
    assert (kept.origin_step, kept.frontier) == (9, 25)


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


def test_a_step_that_the_server_refuses_leaves_torchs_books_as_they_were(client: Client) -> None:
    for make in (lambda o: lr_scheduler.LambdaLR(o, falling), lambda o: lr_scheduler.ExponentialLR(o, 0.9)):
        scheduler = make(OPTIMIZERS["SGD, floats"]())
        run(scheduler, 0, 3)
        client.finish_run(scheduler.state_dict()["lrkeeper"]["run"])
        before = bits(scheduler.optimizer), scheduler.state_dict()
        with pytest.raises(RunFinished):
            scheduler.step()
        assert (bits(scheduler.optimizer), scheduler.state_dict()) == before
