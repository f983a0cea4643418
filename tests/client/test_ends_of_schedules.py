"""The end of a schedule: raised, held or extended as was chosen, never silently 0; and no end of the training."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lrkeeper import Client, RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from tests.client.training import Training
from tests.support.server import ServerProcess

TOTAL = 8


def one_cycle(module: Any, optimizer: torch.optim.Optimizer) -> Any:
    return module.OneCycleLR(optimizer, max_lr=0.4, total_steps=TOTAL, cycle_momentum=False)


@pytest.mark.parametrize("after_the_error", ["goes on training", "tries again each time"])
def test_past_the_last_step_of_a_one_cycle_torch_raises_and_the_lr_stays(
    client: Client, after_the_error: str
) -> None:
    def trained(module: Any) -> tuple[list[Any], list[str], Any]:
        training, said = Training(), []
        scheduler = one_cycle(module, training.optimizer)
        for step in range(TOTAL + 5):
            training.update()
            if step > TOTAL and after_the_error == "goes on training":
                continue
            try:
                scheduler.step()
            except ValueError as error:
                said.append(str(error).splitlines()[0])
        return training.used, said, scheduler

    theirs, torch_said, _ = trained(torch.optim.lr_scheduler)
    ours, said, scheduler = trained(lr_scheduler)
    # torch has moved its books when it raises, and counts on; a step of the run that is not there is asked for again.
    assert said[0] == torch_said[0]
    assert len(said) == len(torch_said)
    assert ours == theirs
    assert len(set(ours[TOTAL + 1 :])) == 1
    assert client.get_run(scheduler.state_dict()["lrkeeper"]["run"]).frontier == TOTAL + 1


BEYOND = {
    "hold": (S.Ramp(10, begin=S.Level(relative=1), end=S.Level(relative=0.5)), [0.05] * 5),
    "extend": (
        S.Ramp(10, begin=S.Level(relative=1), end=S.Level(relative=0.5), after="extend"),
        [0.1 * (1 - step / 20) for step in range(10, 15)],
    ),
}


@pytest.mark.parametrize("choice", BEYOND)
def test_past_its_length_a_ramp_holds_or_goes_on(server: ServerProcess, choice: str) -> None:
    schedule, expected = BEYOND[choice]
    training = Training()
    scheduler = RemoteLR(training.optimizer, schedule)
    training.epochs(scheduler, 15)
    assert [float.fromhex(lr) for (lr,) in training.used[10:]] == pytest.approx(expected, rel=1e-15)


def test_where_a_job_stops_is_not_where_its_schedule_ends(server: ServerProcess) -> None:
    """A job that ends early has not fallen further, and goes on where the whole schedule would be."""
    schedule = S.Ramp(100, begin=S.Level(relative=1), end=S.Level(absolute=0))
    whole = Training()
    whole.epochs(RemoteLR(whole.optimizer, schedule), 30)
    first = Training()
    scheduler = RemoteLR(first.optimizer, schedule)
    first.epochs(scheduler, 10)
    second = Training()
    resumed = RemoteLR(second.optimizer, schedule)
    resumed.load_state_dict(scheduler.state_dict())
    second.epochs(resumed, 20)
    assert first.used + second.used == whole.used
    assert float.fromhex(first.used[-1][0]) == pytest.approx(0.1 * (100 - 9) / 100)
