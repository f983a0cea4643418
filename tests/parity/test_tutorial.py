"""The cases of a tutorial on schedulers, each beside torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler as torch_schedulers

from lrkeeper import RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from tests.support.server import ServerProcess

Build = Callable[[Any], Any]


def epochs(build: Build, count: int) -> list[float]:
    """Train a small model; return the lr of each epoch, as its optimizer.step() sees it."""
    torch.manual_seed(0)
    model = nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = build(optimizer)
    seen: list[float] = []
    optimizer.register_step_pre_hook(lambda o, _args, _kwargs: seen.append(o.param_groups[0]["lr"]))
    for _ in range(count):
        optimizer.zero_grad()
        model(torch.ones(4, 2)).square().mean().backward()
        optimizer.step()
        scheduler.step()
    return seen


def bits(values: list[float]) -> list[str]:
    return [float(value).hex() for value in values]


CASES: dict[str, tuple[Build, Build, S.Schedule]] = {
    "StepLR(step_size=3, gamma=0.5)": (
        lambda o: torch_schedulers.StepLR(o, step_size=3, gamma=0.5),
        lambda o: lr_scheduler.StepLR(o, step_size=3, gamma=0.5),
        S.StepLR(step_size=3, gamma=0.5),
    ),
    "StepLR(step_size=5, gamma=0.1)": (
        lambda o: torch_schedulers.StepLR(o, step_size=5, gamma=0.1),
        lambda o: lr_scheduler.StepLR(o, step_size=5, gamma=0.1),
        S.StepLR(step_size=5, gamma=0.1),
    ),
    "StepLR(step_size=5, gamma=0.5)": (
        lambda o: torch_schedulers.StepLR(o, step_size=5, gamma=0.5),
        lambda o: lr_scheduler.StepLR(o, step_size=5, gamma=0.5),
        S.StepLR(step_size=5, gamma=0.5),
    ),
    "MultiStepLR([3, 6], gamma=0.1)": (
        lambda o: torch_schedulers.MultiStepLR(o, milestones=[3, 6], gamma=0.1),
        lambda o: lr_scheduler.MultiStepLR(o, milestones=[3, 6], gamma=0.1),
        S.MultiStepLR(milestones=[3, 6], gamma=0.1),
    ),
    "MultiStepLR([3, 7, 10])": (
        lambda o: torch_schedulers.MultiStepLR(o, milestones=[3, 7, 10]),
        lambda o: lr_scheduler.MultiStepLR(o, milestones=[3, 7, 10]),
        S.MultiStepLR(milestones=[3, 7, 10]),
    ),
    "SequentialLR jumps back to the base lr": (
        lambda o: torch_schedulers.SequentialLR(
            o, [torch_schedulers.MultiStepLR(o, [10, 20]), torch_schedulers.StepLR(o, 5)], milestones=[20]
        ),
        lambda o: lr_scheduler.SequentialLR(
            o, [lr_scheduler.MultiStepLR(o, [10, 20]), lr_scheduler.StepLR(o, 5)], milestones=[20]
        ),
        S.SequentialLR([S.MultiStepLR([10, 20]), S.StepLR(5)], milestones=[20]),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_lr_of_every_epoch_is_torchs(server: ServerProcess, name: str) -> None:
    theirs, drop_in, schedule = CASES[name]
    expected = bits(epochs(theirs, 40))
    assert bits(epochs(drop_in, 40)) == expected
    assert bits(epochs(lambda o: RemoteLR(o, schedule, unit="epoch"), 40)) == expected


def test_ten_epochs_print_as_the_tutorial_does(
    server: ServerProcess, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in (torch_schedulers, lr_scheduler):
        model = nn.Linear(2, 1)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scheduler = module.StepLR(optimizer, step_size=3, gamma=0.5)
        for epoch in range(10):
            optimizer.step()
            print(f"Epoch {epoch + 1}: Learning Rate = {optimizer.param_groups[0]['lr']}")
            scheduler.step()
    lines = capsys.readouterr().out.splitlines()
    assert lines[:10] == lines[10:]
    assert lines[0] == "Epoch 1: Learning Rate = 0.1"
    assert lines[3] == "Epoch 4: Learning Rate = 0.05"
    assert lines[9] == "Epoch 10: Learning Rate = 0.0125"


def test_two_milestones_leave_a_thousandth_at_epoch_7(server: ServerProcess) -> None:
    seen = epochs(lambda o: lr_scheduler.MultiStepLR(o, milestones=[3, 6], gamma=0.1), 8)
    assert seen[6] == pytest.approx(0.001, rel=1e-15)
    assert seen[5] == pytest.approx(0.01, rel=1e-15)


def test_then_drops_at_10_and_20_and_from_there_every_5(server: ServerProcess) -> None:
    schedule = S.MultiStepLR([10, 20]).then(S.StepLR(5), at=20)
    seen = epochs(lambda o: RemoteLR(o, schedule, unit="epoch"), 40)
    drops = [epoch for epoch in range(1, 40) if seen[epoch] != seen[epoch - 1]]
    assert drops == [10, 20, 25, 30, 35]
    # The same by torch's own arithmetic: every drop multiplies what was reached.
    by_hand = epochs(lambda o: torch_schedulers.MultiStepLR(o, drops), 40)
    assert bits(seen) == bits(by_hand)


def test_torchs_sequential_goes_back_up_where_then_goes_on(server: ServerProcess) -> None:
    members = [S.MultiStepLR([10, 20]), S.StepLR(5)]
    torchs = epochs(lambda o: RemoteLR(o, S.SequentialLR(members, milestones=[20])), 26)
    ours = epochs(lambda o: RemoteLR(o, members[0].then(members[1], at=20)), 26)
    assert torchs[19] == ours[19] == pytest.approx(0.01)
    assert torchs[20] == 0.1
    assert ours[20] == pytest.approx(0.001)


def test_arguments_of_the_other_class_say_what_to_use() -> None:
    with pytest.raises(
        TypeError, match=r"StepLR has no milestones: use MultiStepLR\(milestones=\[10, 20\]\)"
    ):
        S.StepLR(milestones=[10, 20])  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"use MultiStepLR\(milestones=\[3, 6\]\)"):
        S.StepLR(step_size=[3, 6])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"MultiStepLR has no step_size: use StepLR\(step_size=5\)"):
        S.MultiStepLR(step_size=5)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"use StepLR\(step_size=30\)"):
        S.MultiStepLR(30)  # type: ignore[arg-type]


def test_a_drop_in_raises_where_torch_does_and_says_why(server: ServerProcess) -> None:
    for module in (torch_schedulers, lr_scheduler):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
        scheduler = module.StepLR(optimizer, step_size=[3, 6])
        optimizer.step()
        with pytest.raises(TypeError) as found:
            scheduler.step()
    assert "use MultiStepLR(optimizer, milestones=[3, 6])" in str(found.value)
