"""The numbers in the optimizer: the same objects of the same kinds that torch leaves there."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as torch_schedulers

from lrkeeper import Client, RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from lrkeeper.errors import InvalidArgument, RunNotFound
from tests.client.training import KINDS, SHAPES, Training, hexes, kept, undisturbed
from tests.support.server import ServerProcess

DTYPES = [torch.float32, torch.float64]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_tensor_lr_stays_that_tensor(server: ServerProcess, kind: str, dtype: torch.dtype) -> None:
    tensors = [torch.tensor(0.1, dtype=dtype), torch.tensor(0.03, dtype=dtype)]
    places = [tensor.data_ptr() for tensor in tensors]
    training = Training(*tensors)
    scheduler = kept(kind, training.optimizer)

    used = training.epochs(scheduler, 12)

    assert used == undisturbed(
        kind.split()[0], 12, torch.tensor(0.1, dtype=dtype), torch.tensor(0.03, dtype=dtype)
    )
    for group, tensor, place in zip(training.optimizer.param_groups, tensors, places, strict=True):
        assert group["lr"] is tensor
        assert (tensor.data_ptr(), tensor.dtype) == (place, dtype)


@pytest.mark.parametrize("kind", KINDS)
def test_a_tensor_lr_stays_that_tensor_when_a_state_is_loaded(server: ServerProcess, kind: str) -> None:
    first = Training(torch.tensor(0.1))
    scheduler = kept(kind, first.optimizer)
    first.epochs(scheduler, 5)
    state = scheduler.state_dict()

    tensor = torch.tensor(0.1)
    second = Training(tensor)
    resumed = kept(kind, second.optimizer)
    resumed.load_state_dict(state)
    assert second.epochs(resumed, 6) == undisturbed(kind.split()[0], 11, torch.tensor(0.1))[5:]
    assert second.optimizer.param_groups[0]["lr"] is tensor


@pytest.mark.parametrize("kind", KINDS)
def test_get_last_lr_gives_copies_of_tensors(server: ServerProcess, kind: str) -> None:
    tensor = torch.tensor(0.1)
    training = Training(tensor)
    scheduler = kept(kind, training.optimizer)
    for _ in range(3):
        (given,) = scheduler.get_last_lr()
        assert isinstance(given, torch.Tensor)
        assert given is not tensor
        assert given == tensor
        given.fill_(17.0)
        training.epochs(scheduler, 1)
    assert training.used == undisturbed(kind.split()[0], 3, torch.tensor(0.1))


@pytest.mark.parametrize("kind", KINDS)
def test_base_lrs_are_of_the_groups_kind_also_after_loading(server: ServerProcess, kind: str) -> None:
    training = Training(torch.tensor(0.1), 0.25)
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, 3)
    state = scheduler.state_dict()
    other = Training(torch.tensor(0.1), 0.25)
    resumed = kept(kind, other.optimizer)
    resumed.load_state_dict(state)
    for one in (scheduler, resumed):
        if hasattr(one, "base_lrs"):  # torch's SequentialLR has none
            assert [type(lr) for lr in one.base_lrs] == [torch.Tensor, float]
            assert hexes(one.base_lrs) == hexes([torch.tensor(0.1), 0.25])


@pytest.mark.parametrize("shape", SHAPES)
def test_an_int_lr_stays_an_int_until_torch_multiplies(server: ServerProcess, shape: str) -> None:
    ours, theirs = Training(1, 3), Training(1, 3)
    our = SHAPES[shape](lr_scheduler, ours.optimizer)
    their = SHAPES[shape](torch_schedulers, theirs.optimizer)
    for _ in range(6):
        assert shown(our) == shown(their)
        ours.epochs(our, 1)
        theirs.epochs(their, 1)


def shown(scheduler: Any) -> list[tuple[str, Any]]:
    """Return lrs as a program's log would show them."""
    held = [group["lr"] for group in scheduler.optimizer.param_groups]
    return [(type(lr).__name__, lr) for lr in [*held, *scheduler.get_last_lr()]]


def test_an_int_lr_of_a_remote_lr_stays_an_int_until_it_changes(server: ServerProcess) -> None:
    training = Training(1)
    scheduler = RemoteLR(training.optimizer, S.StepLR(3, gamma=0.5))
    training.epochs(scheduler, 2)
    assert shown(scheduler) == [("int", 1)] * 2
    training.epochs(scheduler, 1)
    assert shown(scheduler) == [("float", 0.5)] * 2


def test_where_torch_and_the_run_agree_torchs_own_object_stays(server: ServerProcess) -> None:
    training = Training(0.1)
    scheduler = lr_scheduler.StepLR(training.optimizer, 2)
    before = training.optimizer.param_groups[0]["lr"]
    training.epochs(scheduler, 1)
    assert training.optimizer.param_groups[0]["lr"] is before


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.int64])
def test_a_tensor_that_no_run_computes_in_is_refused_at_construction(
    server: ServerProcess, dtype: torch.dtype
) -> None:
    training = Training(0.1)
    training.optimizer.param_groups[0]["lr"] = torch.tensor(1, dtype=dtype)
    with pytest.raises(TypeError, match=f"is a tensor of {dtype}; it must be float32 or float64"):
        RemoteLR(training.optimizer, S.StepLR(3))


@pytest.mark.parametrize("lr", [float("nan"), torch.tensor(float("nan"))], ids=["float", "tensor"])
def test_an_lr_that_is_no_number_is_refused_and_nothing_is_stored(client: Client, run: str, lr: Any) -> None:
    training = Training(0.1)
    training.optimizer.param_groups[0]["lr"] = lr
    scheduler = RemoteLR(training.optimizer, S.StepLR(3), run=run)
    with pytest.raises(InvalidArgument, match=r"groups\[0\].*nan"):
        training.update()
    assert training.used == []
    with pytest.raises(RunNotFound):
        client.get_run(run)
    assert scheduler.last_epoch == 0


@pytest.mark.parametrize("lr", [float("inf"), -0.1, -0.0, 0.0, 5e-324, 1.7e308])
def test_an_lr_that_torch_takes_is_scheduled_as_torch_does(server: ServerProcess, lr: float) -> None:
    ours, theirs = Training(0.1), Training(0.1)
    for training in (ours, theirs):
        training.optimizer.param_groups[0]["lr"] = lr
    our = RemoteLR(ours.optimizer, S.StepLR(1, gamma=1.5))
    their = torch_schedulers.StepLR(theirs.optimizer, 1, gamma=1.5)
    for _ in range(4):
        assert ours.lrs() == theirs.lrs()
        for training, scheduler in ((ours, our), (theirs, their)):
            training.optimizer.step()  # without gradients: no update could hold such numbers
            scheduler.step()
