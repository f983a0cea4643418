"""SequentialLR: a milestone at 0, and a resume in every stage."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lrkeeper import RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from tests.client.training import Row, Training
from tests.support.server import ServerProcess

STEPS = 14


def sequence(module: Any, optimizer: torch.optim.Optimizer, milestones: list[int]) -> Any:
    members = [
        module.ConstantLR(optimizer, factor=0.5, total_iters=3),
        module.LinearLR(optimizer, start_factor=0.1, total_iters=4),
        module.ExponentialLR(optimizer, 0.9),
    ]
    return module.SequentialLR(optimizer, members, milestones)


def kept(by: str, optimizer: torch.optim.Optimizer, milestones: list[int]) -> Any:
    if by == "drop-in":
        return sequence(lr_scheduler, optimizer, milestones)
    members = (S.ConstantLR(0.5, 3), S.LinearLR(0.1, total_iters=4), S.ExponentialLR(0.9))
    return RemoteLR(optimizer, S.SequentialLR.unchecked(schedulers=members, milestones=tuple(milestones)))


def torchs(milestones: list[int]) -> list[Row]:
    training = Training(0.1, 0.02)
    return training.epochs(sequence(torch.optim.lr_scheduler, training.optimizer, milestones), STEPS)


@pytest.mark.parametrize("by", ["drop-in", "RemoteLR"])
@pytest.mark.parametrize("milestones", [[0, 6], [4, 9], [3, 3]])
@pytest.mark.parametrize("saved_at", [1, 4, 6, 10])
def test_a_resume_in_any_stage_goes_on_as_if_nothing_had_been(
    server: ServerProcess, by: str, milestones: list[int], saved_at: int
) -> None:
    first = Training(0.1, 0.02)
    scheduler = kept(by, first.optimizer, milestones)
    first.epochs(scheduler, saved_at)
    second = Training(0.1, 0.02)
    resumed = kept(by, second.optimizer, milestones)
    resumed.load_state_dict(scheduler.state_dict())
    second.epochs(resumed, STEPS - saved_at)
    assert first.used + second.used == torchs(milestones)
