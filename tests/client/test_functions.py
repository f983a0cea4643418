"""Functions of a RemoteLR's definition: called here, with torch's arguments, in torch's order; never sent."""

from __future__ import annotations

import copy
import math
import pickle
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import torch

from lrkeeper import Client, RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from lrkeeper.schedules import codec
from tests.client.classes import OPTIMIZERS, TORCH, fading, falling, run, warming
from tests.client.processes import in_new_process
from tests.support.server import ServerProcess

Make = Callable[[Any, tuple[Any, ...]], Any]
MADE: dict[str, tuple[Make, Callable[..., S.Schedule]]] = {
    "LambdaLR": (lambda m, o: m.LambdaLR(*o, falling), lambda: S.LambdaLR(falling)),
    "LambdaLR, one for each group": (
        lambda m, o: m.LambdaLR(*o, [falling, warming]),
        lambda: S.LambdaLR([falling, warming], pure=True),
    ),
    "MultiplicativeLR": (lambda m, o: m.MultiplicativeLR(*o, fading), lambda: S.MultiplicativeLR(fading)),
    "CyclicLR": (
        lambda m, o: m.CyclicLR(*o, 0.01, 0.1, 3, scale_fn=fading, scale_mode="iterations"),
        lambda: S.CyclicLR(0.01, 0.1, 3, scale_fn=fading, scale_mode="iterations"),
    ),
    "SequentialLR": (
        lambda m, o: m.SequentialLR(*o, [m.LambdaLR(*o, warming), m.MultiplicativeLR(*o, fading)], [5]),
        lambda: S.SequentialLR([S.LambdaLR(warming), S.MultiplicativeLR(fading)], [5]),
    ),
    "ChainedScheduler": (
        lambda m, o: m.ChainedScheduler([m.ExponentialLR(*o, 0.9), m.LambdaLR(*o, [falling, warming])]),
        lambda: S.ChainedScheduler([S.ExponentialLR(0.9), S.LambdaLR([falling, warming])]),
    ),
}


@pytest.mark.parametrize("mode", ["on", "off"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("name", MADE)
def test_the_bits_are_those_of_torchs_loop(
    server: ServerProcess, name: str, optimizer: str, mode: str
) -> None:
    theirs, ours = (OPTIMIZERS[optimizer]() for _ in range(2))
    make, schedule = MADE[name]
    assert run(RemoteLR(ours, schedule(), mode=mode), 0, 20) == run(make(TORCH, (theirs,)), 0, 20)


@pytest.mark.parametrize("name", MADE)
def test_a_checkpoint_goes_on_with_the_same_bits(server: ServerProcess, name: str) -> None:
    make, schedule = MADE[name]
    undisturbed = run(make(TORCH, (OPTIMIZERS["SGD, floats"](),)), 0, 20)
    scheduler = RemoteLR(OPTIMIZERS["SGD, floats"](), schedule())
    rows = run(scheduler, 0, 8)
    state = scheduler.state_dict()
    resumed = RemoteLR(OPTIMIZERS["SGD, floats"](), schedule())
    resumed.load_state_dict(state)
    assert rows + run(resumed, 8, 20) == undisturbed


def test_the_functions_are_called_once_a_step_as_torch_does(server: ServerProcess) -> None:
    calls: list[list[Any]] = [[], []]

    def noting(found: list[Any], name: str) -> Callable[[int], float]:
        def call(epoch: int) -> float:
            found.append((name, epoch, type(epoch)))
            return 0.9

        return call

    def members(m: Any, found: list[Any], *optimizer: Any) -> list[Any]:
        first, second, third = (noting(found, name) for name in "abc")
        return [m.LambdaLR(*optimizer, [first, second]), m.MultiplicativeLR(*optimizer, third)]

    theirs, ours = (OPTIMIZERS["SGD, floats"]() for _ in range(2))
    run(TORCH.SequentialLR(theirs, members(TORCH, calls[0], theirs), [3]), 0, 6)
    run(RemoteLR(ours, S.SequentialLR(members(S, calls[1]), [3])), 0, 6)
    assert calls[0] == calls[1]
    assert len(calls[0]) > 12


@pytest.mark.parametrize("kept", ["drop-in", "RemoteLR"])
def test_a_function_over_a_counter_of_the_loop_is_called_when_its_step_comes(
    server: ServerProcess, kept: str
) -> None:
    """Not before: what it returns for a step is known when the loop gets there."""

    def train(make: Callable[[Any, Callable[[int], float]], Any]) -> list[Any]:
        bad_batches = 0
        optimizer = OPTIMIZERS["SGD, floats"]()
        scheduler = make(optimizer, lambda epoch: 0.9**bad_batches)

        def worse(epoch: int) -> None:
            nonlocal bad_batches
            bad_batches += epoch % 3 == 0

        return run(scheduler, 0, 20, worse)

    ours: Any = lr_scheduler.LambdaLR if kept == "drop-in" else lambda o, f: RemoteLR(o, S.LambdaLR(f))
    assert train(ours) == train(torch.optim.lr_scheduler.LambdaLR)


def test_what_travels_has_no_function(client: Client) -> None:
    name = f"run-{uuid4().hex[:12]}"
    scheduler = RemoteLR(OPTIMIZERS["SGD, floats"](), S.LambdaLR(falling), run=name)
    run(scheduler, 0, 3)
    assert client.explain(name, 2).given.factors == (falling(2),) * 2
    assert codec.to_dict(S.LambdaLR(falling))["lambda_lr"] == {}
    assert S.LambdaLR(falling) == S.LambdaLR(warming, pure=True) == S.LambdaLR()
    assert S.CyclicLR(0.1, 0.2, scale_fn=fading) == S.CyclicLR(0.1, 0.2, custom_scale_fn=True)


@pytest.mark.parametrize(
    ("schedule", "message"),
    [
        (
            S.LambdaLR(),
            r"LambdaLR calls a function, and has none here.*build it in the job, as S.LambdaLR\(function\)",
        ),
        (S.CyclicLR(0.1, 0.2, custom_scale_fn=True), r"as S.CyclicLR\(scale_fn=function\)"),
        (
            S.ChainedScheduler([S.StepLR(3), S.MultiplicativeLR()]),
            "MultiplicativeLR calls a function, and has none",
        ),
        (S.StepLR(3).then(S.LambdaLR(), at=4), "LambdaLR calls a function, and has none"),
        (S.LambdaLR([falling] * 3), "LambdaLR has 3 functions, and the optimizer 2 param groups"),
    ],
)
def test_a_missing_function_is_named(server: ServerProcess, schedule: S.Schedule, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        RemoteLR(OPTIMIZERS["SGD, floats"](), schedule)


def test_a_stored_definition_has_no_function(client: Client) -> None:
    name = f"schedule-{uuid4().hex[:12]}"
    client.create_schedule(name, S.LambdaLR(falling))
    with pytest.raises(TypeError, match="no definition from a server or a file has one"):
        RemoteLR(OPTIMIZERS["SGD, floats"](), name)


@pytest.mark.parametrize("given", [0.95, [falling, 0.95]])
def test_what_is_no_function_is_refused(given: Any) -> None:
    with pytest.raises(TypeError, match=r"lr_lambda(\[1\])? is 0.95; it must be a function"):
        S.MultiplicativeLR(given)
    with pytest.raises(TypeError, match=r"scale_fn(\[1\])? is 0.95; it must be a function"):
        S.CyclicLR(0.1, 0.2, scale_fn=given)


def test_an_error_of_a_function_is_the_programs_and_nothing_has_moved(server: ServerProcess) -> None:
    broken = [True]

    def function(epoch: int) -> float:
        if epoch == 3 and broken[0]:
            raise ValueError("not yet")
        return falling(epoch)

    scheduler = RemoteLR(OPTIMIZERS["SGD, floats"](), S.LambdaLR(function))
    rows = run(scheduler, 0, 2)
    with pytest.raises(ValueError, match=r"^not yet$"):
        scheduler.step()
    assert scheduler.last_epoch == 2
    broken.clear()
    broken.append(False)
    assert rows + run(scheduler, 2, 6) == run(TORCH.LambdaLR(OPTIMIZERS["SGD, floats"](), falling), 0, 6)


def test_a_run_that_is_given_another_schedule_calls_no_more(client: Client) -> None:
    name = f"run-{uuid4().hex[:12]}"
    called = []

    def function(epoch: int) -> float:
        called.append(epoch)
        return falling(epoch)

    scheduler = RemoteLR(OPTIMIZERS["SGD, floats"](), S.LambdaLR(function), run=name)
    run(scheduler, 0, 3)
    client.edit_run(name, S.StepLR(2, gamma=0.5), expected_revision=1, reason="enough")
    run(scheduler, 3, 8)
    assert max(called) <= 4  # the step that learns of the edit has been proposed to
    assert math.isclose(scheduler.optimizer.param_groups[0]["lr"], 0.1 * 0.5**4)


def test_a_copy_calls_them_too(server: ServerProcess) -> None:
    scheduler = RemoteLR(OPTIMIZERS["SGD, floats"](), S.LambdaLR([falling, warming]))
    rows = run(scheduler, 0, 4)
    theirs = TORCH.LambdaLR(OPTIMIZERS["SGD, floats"](), [falling, warming])
    assert rows + run(copy.deepcopy(scheduler), 4, 9) == run(theirs, 0, 9)


def test_a_pickle_calls_them_in_another_process(server: ServerProcess) -> None:
    scheduler = RemoteLR(OPTIMIZERS["SGD, floats"](), S.LambdaLR(falling))
    rows = run(scheduler, 0, 4)
    more = in_new_process(go_on, pickle.dumps(scheduler), LRKEEPER_SERVER=server.address)
    assert rows + more == run(TORCH.LambdaLR(OPTIMIZERS["SGD, floats"](), falling), 0, 9)


def go_on(pickled: bytes) -> list[Any]:
    return run(pickle.loads(pickled), 4, 9)


# What they return.


def as_tensor(epoch: int) -> torch.Tensor:
    return torch.tensor(0.95) ** epoch


@pytest.mark.parametrize("number", [float, torch.tensor, lambda lr: torch.tensor(lr, dtype=torch.float64)])
@pytest.mark.parametrize("name", ["LambdaLR", "MultiplicativeLR"])
@pytest.mark.parametrize("by", ["drop-in", "RemoteLR"])
def test_a_float32_tensor_computes_as_in_torch(
    server: ServerProcess, by: str, name: str, number: Any
) -> None:
    from lrkeeper import lr_scheduler

    def optimizer() -> torch.optim.Optimizer:
        return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=number(0.1), momentum=0.9)

    theirs = run(getattr(TORCH, name)(optimizer(), as_tensor), 0, 15)
    if by == "drop-in":
        assert run(getattr(lr_scheduler, name)(optimizer(), as_tensor), 0, 15) == theirs
    else:
        assert run(RemoteLR(optimizer(), getattr(S, name)(as_tensor)), 0, 15) == theirs
