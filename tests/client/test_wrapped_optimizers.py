"""An optimizer within a wrapper, as Accelerate's `prepare` returns it: the scheduler may be built on either."""

from __future__ import annotations

import copy

import pytest

from tests.client.accelerated import Accelerator, WrappedOptimizer
from tests.client.training import KINDS, Training, kept, undisturbed
from tests.support.server import ServerProcess


@pytest.mark.parametrize("kind", KINDS)
def test_a_scheduler_is_built_on_a_wrapper_that_torchs_constructor_never_saw(
    server: ServerProcess, kind: str
) -> None:
    training = Training()
    wrapper = WrappedOptimizer(training.optimizer, Accelerator())
    scheduler = kept(kind, wrapper)
    for _ in range(6):
        training.take_step(wrapper)
        scheduler.step()
    assert scheduler.optimizer is wrapper
    assert training.used == undisturbed(kind.split()[0], 6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_resume_on_a_wrapper_has_the_checkpoints_row_at_its_first_update(
    server: ServerProcess, kind: str
) -> None:
    first = Training()
    scheduler = kept(kind, first.optimizer)
    first.epochs(scheduler, 3)
    state = copy.deepcopy(scheduler.state_dict())
    second = Training()
    wrapper = WrappedOptimizer(second.optimizer, Accelerator())
    resumed = kept(kind, wrapper)
    resumed.load_state_dict(state)
    second.optimizer.param_groups[0]["lr"] = 17.0  # restored after the scheduler, from elsewhere
    for _ in range(3):
        second.take_step(wrapper)
        resumed.step()
    assert second.used == undisturbed(kind.split()[0], 6)[3:]
