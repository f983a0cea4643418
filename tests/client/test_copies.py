"""Copies, pickles, and the end of a scheduler: as torch's."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as torch_schedulers

from lrkeeper import Client, RemoteLR
from lrkeeper.errors import RunFinished, SchedulerInUse
from tests.client.newest import uids
from tests.client.processes import in_new_process
from tests.client.training import DEFINITIONS, KINDS, SHAPES, Row, Training, hexes, kept, undisturbed
from tests.support.server import ServerProcess

COPIES: dict[str, Callable[[Any], Any]] = {
    "copy.deepcopy": copy.deepcopy,
    "pickle": lambda scheduler: pickle.loads(pickle.dumps(scheduler)),
}


def steps(scheduler: Any, count: int) -> list[Row]:
    """Step a scheduler with its own optimizer; return the lrs after each step."""
    rows = []
    for _ in range(count):
        scheduler.optimizer.step()
        scheduler.step()
        rows.append(hexes(group["lr"] for group in scheduler.optimizer.param_groups))
    return rows


@pytest.mark.parametrize("by", COPIES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("after", [0, 5])
def test_a_copy_stands_where_the_original_does_and_goes_on(
    server: ServerProcess, kind: str, by: str, after: int
) -> None:
    training = Training()
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, after)
    twin = COPIES[by](scheduler)
    assert type(twin) is type(scheduler)
    assert twin.optimizer is not scheduler.optimizer
    assert twin.last_epoch == scheduler.last_epoch
    if after:
        assert twin.state_dict() == scheduler.state_dict()
    assert steps(twin, 6) == undisturbed(kind.split()[0], after + 7)[after + 1 :]
    # Only the copy has moved.
    assert training.lrs() == undisturbed(kind.split()[0], after + 1)[after]


@pytest.mark.parametrize("by", COPIES)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_copy_has_the_books_that_torchs_has(server: ServerProcess, shape: str, by: str) -> None:
    ours, theirs = Training(), Training()
    our, their = kept(f"{shape} drop-in", ours.optimizer), SHAPES[shape](torch_schedulers, theirs.optimizer)
    ours.epochs(our, 5)
    theirs.epochs(their, 5)
    twin = COPIES[by](our).state_dict()
    del twin["lrkeeper"]
    assert twin == COPIES[by](their).state_dict()


@pytest.mark.parametrize("by", COPIES)
def test_a_copy_that_never_steps_takes_nothing_from_the_original(client: Client, run: str, by: str) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["StepLR"], run=run)
    training.epochs(scheduler, 3)
    twin = COPIES[by](scheduler)
    twin.get_last_lr()
    twin.state_dict()
    assert training.epochs(scheduler, 3) == undisturbed("StepLR", 6)[3:]
    assert client.get_run(run).fence == 1


@pytest.mark.parametrize("by", COPIES)
def test_a_copy_that_steps_has_the_run_from_then_on(client: Client, run: str, by: str) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["StepLR"], run=run)
    training.epochs(scheduler, 3)
    steps(COPIES[by](scheduler), 1)
    twin = COPIES[by](scheduler)
    steps(twin, 1)
    with pytest.raises(SchedulerInUse, match=run):
        scheduler.step()
    assert client.get_run(run).fence == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_pickle_goes_on_in_another_process_as_a_new_start(
    server: ServerProcess, client: Client, kind: str
) -> None:
    training = Training()
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, 5)
    rows = in_new_process(step_pickle, pickle.dumps(scheduler), LRKEEPER_SERVER=server.address)
    assert rows == undisturbed(kind.split()[0], 12)[6:]
    assert client.get_run(scheduler.state_dict()["lrkeeper"]["run"]).fence == 2


def step_pickle(pickled: bytes) -> list[Row]:
    return steps(pickle.loads(pickled), 6)


def test_a_deep_copy_of_a_composite_is_one_run(client: Client) -> None:
    before = uids(client)
    twin = copy.deepcopy(kept("SequentialLR drop-in", Training().optimizer))
    steps(twin, 6)
    assert len(uids(client) - before) == 1


# The end.


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Whatever is freed is freed by its last reference going."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def use_nothing(training: Training, scheduler: Any) -> None:
    pass


def use_a_few_epochs(training: Training, scheduler: Any) -> None:
    training.epochs(scheduler, 6)


def use_a_state(training: Training, scheduler: Any) -> None:
    training.epochs(scheduler, 3)
    scheduler.load_state_dict(scheduler.state_dict())


def use_a_state_and_go_on(training: Training, scheduler: Any) -> None:
    use_a_state(training, scheduler)
    training.epochs(scheduler, 2)


def use_a_failing_step(training: Training, scheduler: Any) -> None:
    training.epochs(scheduler, 2)
    scheduler.finish()
    with suppress(RunFinished):  # pytest.raises would keep its frames
        scheduler.step()


def use_a_copy(training: Training, scheduler: Any) -> None:
    training.epochs(scheduler, 1)
    copy.deepcopy(scheduler).optimizer.step()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize(
    "use",
    [use_nothing, use_a_few_epochs, use_a_state, use_a_state_and_go_on, use_a_failing_step, use_a_copy],
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_scheduler_is_freed_with_its_last_reference(
    server: ServerProcess, kind: str, use: Callable[[Training, Any], None]
) -> None:
    training = Training()
    scheduler = kept(kind, training.optimizer)
    use(training, scheduler)
    gone = weakref.ref(scheduler), weakref.ref(scheduler._hold)
    del scheduler
    assert [reference() for reference in gone] == [None, None]


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("kind", KINDS)
def test_an_optimizer_is_freed_with_its_last_reference_too(server: ServerProcess, kind: str) -> None:
    def train(make: Callable[[Any], Any]) -> weakref.ref[Any]:
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        scheduler = make(optimizer)
        for _ in range(3):
            optimizer.step()
            scheduler.step()
        return weakref.ref(optimizer)

    assert train(lambda optimizer: SHAPES[kind.split()[0]](torch_schedulers, optimizer))() is None
    assert train(lambda optimizer: kept(kind, optimizer))() is None


@pytest.mark.parametrize("kind", KINDS)
def test_an_optimizer_trains_on_when_its_scheduler_is_gone(server: ServerProcess, kind: str) -> None:
    training = Training()
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, 3)
    scheduler.load_state_dict(scheduler.state_dict())
    before = training.lrs()
    del scheduler
    training.update()
    assert training.lrs() == before
