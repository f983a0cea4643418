"""What counts as a step: AMP, gradient accumulation, Accelerate."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed
from torch.nn.parallel import DistributedDataParallel

from lrkeeper import Client, OptimizerSteps, RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from lrkeeper.schedules.given import NotTold
from tests.client import accelerated as accelerated_module
from tests.client.accelerated import Accelerator
from tests.client.processes import as_ranks, in_group
from tests.client.training import DEFINITIONS, SHAPES, Row, Training, undisturbed
from tests.support.server import ServerProcess

AFTER = {"counts": "after_optimizer_step"}
INF, NAN = float("inf"), float("nan")


def seen_by(training: Training) -> list[Row]:
    """Return the lrs that the optimizer sees at the beginning of each of its steps from now on."""
    seen: list[Row] = []
    training.optimizer.register_step_pre_hook(lambda *_: seen.append(training.lrs()))
    return seen


def step_of(scheduler: RemoteLR) -> int:
    """Return the step at which a scheduler stands on its run."""
    step: int = scheduler.state_dict()["lrkeeper"]["step"]
    return step


def backward(model: Any, factor: float, scaler: torch.amp.GradScaler, rows: int = 4) -> None:
    scaler.scale(model(torch.ones(rows, 2)).pow(2).mean() * factor).backward()


# Accelerate.


def accelerated(
    scheduler: Any, training: Training, accelerator: Accelerator, batches: int, overflow: int | None = None
) -> list[Row]:
    """Train as a script with Accelerate does; the loss is inf at one batch. Return the lrs that the optimizer saw."""
    seen = seen_by(training)
    model, optimizer, prepared = accelerator.prepare(training.model, training.optimizer, scheduler)
    for batch in range(batches):
        with accelerator.accumulate(model):
            loss = model(torch.ones(4, 2)).pow(2).mean()
            accelerator.backward(loss * INF if batch == overflow else loss)
            optimizer.step()
            prepared.step()
            optimizer.zero_grad()
    return seen


@pytest.mark.parametrize("split_batches", [False, True])
@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("num_processes", [1, 2, 8])
def test_any_number_of_processes_gives_the_identical_curve(
    client: Client, run: str, num_processes: int, accumulate: int, split_batches: bool
) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["SequentialLR"], run=run, **AFTER)  # type: ignore[arg-type]
    accelerator = Accelerator(num_processes, split_batches, gradient_accumulation_steps=accumulate)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        seen = accelerated(scheduler, training, accelerator, 10 * accumulate)
    assert seen == undisturbed("SequentialLR", 10)
    assert scheduler.last_epoch == step_of(scheduler) == 10


@pytest.mark.parametrize("num_processes", [1, 2, 8])
def test_a_scaler_under_accelerate_loses_no_step_and_gains_none(
    server: ServerProcess, num_processes: int
) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["StepLR"], **AFTER)  # type: ignore[arg-type]
    accelerator = Accelerator(num_processes, scaler=torch.amp.GradScaler("cpu", init_scale=4.0))
    assert accelerated(scheduler, training, accelerator, 10, overflow=5) == undisturbed("StepLR", 9)


def test_a_metric_is_reported_once_for_each_step_of_the_optimizer(client: Client, run: str) -> None:
    training = Training()
    plateau = S.ReduceLROnPlateau(patience=1, factor=0.5)
    scheduler = RemoteLR(training.optimizer, plateau, run=run, **AFTER)  # type: ignore[arg-type]
    theirs = Training()
    expected = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs.optimizer, patience=1, factor=0.5)
    for _ in range(7):
        training.update()
        for _process in range(8):
            scheduler.step(1.0)
        theirs.update()
        expected.step(1.0)
    assert training.used == theirs.used
    assert len(set(training.used)) > 2
    assert step_of(scheduler) == 7


@pytest.mark.parametrize("num_processes", [2, 8])
def test_a_clock_that_runs_too_fast_is_warned_of_once(server: ServerProcess, num_processes: int) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["StepLR"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings(
            "ignore", category=UserWarning, module="torch.optim.lr_scheduler"
        )  # as Accelerate
        accelerated(scheduler, training, Accelerator(num_processes), 12)
    (warning,) = caught
    assert warning.filename == accelerated_module.__file__, "where the optimizer is stepped"
    assert f"called {num_processes} times after each of the last 3 steps of the optimizer" in str(
        warning.message
    )
    assert 'RemoteLR(…, counts="after_optimizer_step")' in str(warning.message)
    assert scheduler.last_epoch == 12 * num_processes, "it counts what it is told to count"


@pytest.mark.parametrize(
    ("updates", "calls"),
    [
        ([1] * 12, [1] * 12),
        ([5] * 6, [1] * 6),  # epochs of five updates
        ([1] * 8, [6, 1, 1, 1, 1, 1, 1, 1]),  # gone forward by hand
        ([1] * 8, [1, 1, 4, 1, 1, 4, 1, 1]),
        ([1] * 8, [2, 3, 4, 2, 3, 4, 2, 3]),
        ([0] * 8, [1] * 8),  # a look at the curve
    ],
)
def test_no_other_loop_is_warned_of(server: ServerProcess, updates: list[int], calls: list[int]) -> None:
    training = Training()
    training.update()
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["StepLR"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "Detected call of")
        for of_optimizer, of_scheduler in zip(updates, calls, strict=True):
            for _ in range(of_optimizer):
                training.update()
            for _ in range(of_scheduler):
                scheduler.step()


# AMP.

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "SGD": lambda params: torch.optim.SGD(params, lr=0.1),
    "fused AdamW": lambda params: torch.optim.AdamW(params, lr=0.1, fused=True),
}
FACTORS = [INF, 1.0, 1.0, NAN, INF, 1.0, 1.0, INF, 1.0]
"""What the losses are multiplied with: five updates, and four that a GradScaler skips."""


def scaled(training: Training, step: Callable[[], None]) -> list[Row]:
    """Train through a GradScaler, and call `step` after each update, skipped or not; return the lrs of the updates."""
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    used = []
    for factor in FACTORS:
        before = copy.deepcopy(training.model.state_dict())
        training.optimizer.zero_grad()
        backward(training.model, factor, scaler)
        lrs = training.lrs()
        scaler.step(training.optimizer)
        scaler.update()
        if any(not torch.equal(before[key], value) for key, value in training.model.state_dict().items()):
            used.append(lrs)
        step()
    return used


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_that_a_scaler_skips_are_no_steps_of_the_run(client: Client, run: str, name: str) -> None:
    training = Training()
    training.optimizer = OPTIMIZERS[name](training.model.parameters())
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["StepLR"], run=run, **AFTER)  # type: ignore[arg-type]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of the order, where the very first is skipped
        assert scaled(training, scheduler.step) == undisturbed("StepLR", 5)
    assert step_of(scheduler) == 5


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_drop_in_is_stepped_where_the_optimizer_was(server: ServerProcess, name: str, shape: str) -> None:
    training = Training()
    training.optimizer = OPTIMIZERS[name](training.model.parameters())
    steps = OptimizerSteps(training.optimizer)
    scheduler = SHAPES[shape](lr_scheduler, training.optimizer)
    assert scaled(training, lambda: scheduler.step() if steps.take() else None) == undisturbed(shape, 5)


def train_rank(skips: dict[int, list[int]]) -> tuple[list[Row], list[int]]:
    """One rank's training through DistributedDataParallel and a GradScaler; its loss is inf at some batches.

    Return the lrs that the optimizer saw, and the scheduler's step after each batch.
    """
    training = Training()
    model = DistributedDataParallel(training.model)
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["StepLR"], **AFTER)  # type: ignore[arg-type]
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    seen, at = seen_by(training), []
    for batch in range(9):
        training.optimizer.zero_grad()
        backward(model, INF if batch in skips[torch.distributed.get_rank()] else 1.0, scaler)
        scaler.step(training.optimizer)
        scaler.update()
        scheduler.step()
        at.append(scheduler.last_epoch)
    return seen, at


def test_an_overflow_on_one_rank_is_a_step_on_none(server: ServerProcess, tmp_path: Path) -> None:
    skips = {0: [5], 1: [0, 3]}
    ranks = as_ranks(2, in_group, tmp_path / "store", train_rank, skips, LRKEEPER_SERVER=server.address)
    assert [at for _, at in ranks] == [[0, 1, 2, 2, 3, 3, 4, 5, 6]] * 2
    assert [seen for seen, _ in ranks] == [undisturbed("StepLR", 6)] * 2


# Gradient accumulation.


@pytest.mark.parametrize("calls_scheduler", ["with the optimizer", "with every batch"])
def test_accumulated_gradients_use_one_lr_for_each_step_of_the_optimizer(
    client: Client, run: str, calls_scheduler: str
) -> None:
    training = Training()
    options = AFTER if calls_scheduler == "with every batch" else {}
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["MultiStepLR"], run=run, **options)  # type: ignore[arg-type]
    seen = seen_by(training)
    lrs: list[set[Row]] = []
    for batch in range(24):
        if batch % 4 == 0:
            training.optimizer.zero_grad()
            lrs.append(set())
        (training.model(torch.ones(4, 2)).pow(2).mean() / 4).backward()
        lrs[-1].add(training.lrs())
        if batch % 4 == 3:
            training.optimizer.step()
        if batch % 4 == 3 or calls_scheduler == "with every batch":
            scheduler.step()
    assert seen == undisturbed("MultiStepLR", 6)
    assert lrs == [{row} for row in seen], "all micro-batches of an update have its lr"
    assert step_of(scheduler) == 6


# The rule itself.


def test_a_call_before_any_step_of_the_optimizer_does_nothing(client: Client, run: str) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["StepLR"], run=run, **AFTER)  # type: ignore[arg-type]
    state = scheduler.state_dict()
    scheduler.step()
    assert scheduler.state_dict() == state
    assert run not in {found.name for found in client.list_runs()}
    assert training.epochs(scheduler, 4) == undisturbed("StepLR", 4)


def test_an_epoch_is_one_step_however_many_updates_it_has(server: ServerProcess) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["StepLR"], unit="epoch", **AFTER)  # type: ignore[arg-type]
    for _ in range(5):
        for _ in range(3):
            training.update()
        scheduler.step()
    assert training.used[::3] == training.used[2::3] == undisturbed("StepLR", 5)


def test_a_call_that_failed_may_be_repeated(server: ServerProcess) -> None:
    training = Training()
    ramp = S.Ramp(over=S.Span(tokens=100), begin=S.Level(relative=1), end=S.Level(absolute=0))
    scheduler = RemoteLR(training.optimizer, ramp, **AFTER)  # type: ignore[arg-type]
    training.update()
    with pytest.raises(NotTold):
        scheduler.step()
    assert scheduler.last_epoch == 0
    for _ in range(2):
        scheduler.step(tokens=50)
    assert scheduler.last_epoch == 1
    assert scheduler.get_last_lr() == [0.05]


def test_a_checkpoint_between_the_optimizers_step_and_the_schedulers_remembers_the_first(
    server: ServerProcess,
) -> None:
    first = Training()
    scheduler = RemoteLR(first.optimizer, DEFINITIONS["StepLR"], **AFTER)  # type: ignore[arg-type]
    first.epochs(scheduler, 3)
    after = json.loads(json.dumps(scheduler.state_dict()))
    first.update()
    between = json.loads(json.dumps(scheduler.state_dict()))
    for state, step in ((between, 4), (after, 3)):
        training = Training()
        resumed = RemoteLR(training.optimizer, DEFINITIONS["StepLR"], **AFTER)  # type: ignore[arg-type]
        resumed.load_state_dict(state)
        resumed.step()  # the end of an epoch whose last update was before the checkpoint
        assert resumed.last_epoch == step
        assert training.epochs(resumed, 4) == undisturbed("StepLR", 8)[step : step + 4]


def test_a_checkpoint_of_a_job_that_counted_every_call_goes_on(server: ServerProcess) -> None:
    first = Training()
    scheduler = RemoteLR(first.optimizer, DEFINITIONS["StepLR"])
    first.epochs(scheduler, 3)
    training = Training()
    resumed = RemoteLR(training.optimizer, DEFINITIONS["StepLR"], **AFTER)  # type: ignore[arg-type]
    resumed.load_state_dict(scheduler.state_dict())
    resumed.step()
    assert training.epochs(resumed, 4) == undisturbed("StepLR", 7)[3:]


@pytest.mark.parametrize("by", [copy.deepcopy, lambda scheduler: pickle.loads(pickle.dumps(scheduler))])
@pytest.mark.parametrize("stepped", [False, True])
def test_a_copy_watches_its_own_optimizer(
    server: ServerProcess, stepped: bool, by: Callable[[Any], Any]
) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["StepLR"], **AFTER)  # type: ignore[arg-type]
    training.epochs(scheduler, 2)
    if stepped:
        training.update()
    twin = by(scheduler)
    twin.step()
    assert twin.last_epoch == 2 + stepped
    training.update()
    twin.step()
    assert twin.last_epoch == 2 + stepped, "that was the original's"
    for _ in range(3):
        twin.optimizer.step()
        twin.step()
        twin.step()
    assert twin.last_epoch == 5 + stepped
