"""A RemoteLR whose definition takes a metric is a torch ReduceLROnPlateau: frameworks call step(metric)."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import torch
from torch.optim import lr_scheduler as torch_schedulers
from torch.optim.lr_scheduler import ReduceLROnPlateau

from lrkeeper import Client, RemoteLR
from lrkeeper import schedules as S
from tests.client.processes import in_new_process
from tests.client.training import Row, Training
from tests.support.server import ServerProcess

PLATEAU = S.ReduceLROnPlateau(patience=1, factor=0.5, cooldown=1)
LOSSES = [1.0, 0.8, 0.9, 0.85, 0.9, 0.7, 0.8, 0.75, 0.9, 0.9, 0.9, 0.6]


def epochs(training: Training, scheduler: Any, losses: list[float]) -> list[Row]:
    """Step as Lightning and the Trainer of transformers do."""
    for loss in losses:
        training.update()
        if isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step(loss)
        else:
            scheduler.step()
    return training.used[-len(losses) :]


def torchs() -> list[Row]:
    training = Training()
    return epochs(training, ReduceLROnPlateau(training.optimizer, patience=1, factor=0.5, cooldown=1), LOSSES)


def test_a_framework_gives_it_the_metric(server: ServerProcess) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, PLATEAU)
    assert isinstance(scheduler, ReduceLROnPlateau)
    assert epochs(training, scheduler, LOSSES) == torchs()
    assert len(set(torchs())) > 2


def test_so_it_does_where_the_definition_is_stored(client: Client) -> None:
    name = f"schedule-{uuid4().hex[:12]}"
    client.create_schedule(name, PLATEAU)
    training = Training()
    scheduler = RemoteLR(training.optimizer, name)
    assert isinstance(scheduler, ReduceLROnPlateau)
    assert epochs(training, scheduler, LOSSES) == torchs()


def test_so_it_does_where_one_stage_takes_it(server: ServerProcess) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, S.LinearLR(total_iters=3).then(PLATEAU, at=3))
    assert isinstance(scheduler, ReduceLROnPlateau)
    used = epochs(training, scheduler, LOSSES)
    assert float.fromhex(used[-1][0]) < float.fromhex(used[3][0])


def test_others_are_none(server: ServerProcess) -> None:
    assert not isinstance(RemoteLR(Training().optimizer, S.StepLR(3)), ReduceLROnPlateau)


def test_a_step_without_a_metric_is_refused(server: ServerProcess) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, PLATEAU)
    training.update()
    with pytest.raises(TypeError, match="the step was given no metric"):
        scheduler.step()


def test_a_composite_of_torchs_refuses_it(server: ServerProcess) -> None:
    optimizer = Training().optimizer
    with pytest.raises(ValueError, match="does not support `ReduceLROnPlateau`"):
        torch_schedulers.ChainedScheduler([RemoteLR(optimizer, PLATEAU)])


def test_its_checkpoint_loads_with_weights_only_and_goes_on(server: ServerProcess, tmp_path: Path) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, PLATEAU)
    epochs(training, scheduler, LOSSES[:6])
    torch.save(scheduler.state_dict(), tmp_path / "scheduler.pt")
    second = Training()
    resumed = RemoteLR(second.optimizer, PLATEAU)
    resumed.load_state_dict(torch.load(tmp_path / "scheduler.pt", weights_only=True))
    assert epochs(second, resumed, LOSSES[6:]) == torchs()[6:]


def test_it_keeps_in_its_dict_what_every_remote_lr_does(server: ServerProcess) -> None:
    metric, other = RemoteLR(Training().optimizer, PLATEAU), RemoteLR(Training().optimizer, S.StepLR(3))
    assert vars(metric).keys() == vars(other).keys()


def test_a_copy_goes_on(server: ServerProcess) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, PLATEAU)
    epochs(training, scheduler, LOSSES[:6])
    twin = copy.deepcopy(scheduler)
    assert type(twin) is type(scheduler)
    assert stepped(twin) == after_six()


def test_a_pickle_goes_on_in_another_process(server: ServerProcess) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, PLATEAU)
    epochs(training, scheduler, LOSSES[:6])
    rows = in_new_process(step_pickle, pickle.dumps(scheduler), LRKEEPER_SERVER=server.address)
    assert rows == after_six()


def step_pickle(pickled: bytes) -> list[str]:
    return stepped(pickle.loads(pickled))


def stepped(scheduler: Any) -> list[str]:
    """Return the lr after each of the last losses."""
    rows = []
    for loss in LOSSES[6:]:
        scheduler.optimizer.step()
        scheduler.step(loss)
        rows.append(scheduler.optimizer.param_groups[0]["lr"].hex())
    return rows


def after_six() -> list[str]:
    training = Training()
    theirs = ReduceLROnPlateau(training.optimizer, patience=1, factor=0.5, cooldown=1)
    epochs(training, theirs, LOSSES[:6])
    return stepped(theirs)


def test_it_is_freed_with_its_last_reference(server: ServerProcess) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, PLATEAU)
    epochs(training, scheduler, LOSSES[:3])
    gone = weakref.ref(scheduler), weakref.ref(scheduler._hold)
    gc.collect()
    gc.disable()
    try:
        del scheduler
        assert [reference() for reference in gone] == [None, None]
    finally:
        gc.enable()
