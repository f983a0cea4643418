"""torch.compile: a tensor lr that a run changes does not make a train step compile again."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch._dynamo.utils import counters

from lrkeeper import RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from tests.support.server import ServerProcess


def compiled(build: Any) -> tuple[int, list[str]]:
    """Train with a compiled `optimizer.step()`; return how often it was compiled, and the lrs."""
    torch._dynamo.reset()
    counters.clear()
    model = torch.nn.Linear(4, 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=torch.tensor(0.01))
    lr = optimizer.param_groups[0]["lr"]
    scheduler = build(optimizer)
    step = torch.compile(optimizer.step, backend="eager")
    lrs = []
    for _ in range(8):
        optimizer.zero_grad()
        model(torch.ones(2, 4)).sum().backward()
        step()
        scheduler.step()
        lrs.append(float(lr).hex())
    assert optimizer.param_groups[0]["lr"] is lr, "the tensor was not written in place"
    return counters["stats"]["unique_graphs"], lrs


@pytest.mark.parametrize(
    "build",
    [
        lambda optimizer: lr_scheduler.ExponentialLR(optimizer, 0.9),
        lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (epoch + 1)),
        lambda optimizer: RemoteLR(optimizer, S.ExponentialLR(0.9)),
        lambda optimizer: RemoteLR(optimizer, S.ExponentialLR(0.9), counts="after_optimizer_step"),
    ],
    ids=["ExponentialLR", "LambdaLR", "RemoteLR", "RemoteLR that counts updates"],
)
def test_a_changed_lr_compiles_nothing_again(server: ServerProcess, build: Any) -> None:
    graphs, lrs = compiled(build)
    assert len(set(lrs)) == 8
    by_torch, _ = compiled(lambda optimizer: torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9))
    assert graphs == by_torch
