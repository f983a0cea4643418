"""What is in the optimizer comes from the server, also where torch computes a value of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.optim import lr_scheduler as torch_schedulers

from lrkeeper import RemoteLR, lr_scheduler
from lrkeeper import schedules as S
from tests.client.classes import CLASSES, OPTIMIZERS, TORCH, run
from tests.parity.configurations import KINDS
from tests.parity.traces import SHAPES, compared, hexes
from tests.support.flipping_server import EVERY, command
from tests.support.server import ServerProcess

STEPS = 220

PROGRAMS: dict[str, tuple[Callable[[Any, Any], Any], S.Schedule]] = {
    "StepLR": (lambda m, o: m.StepLR(o, 7, 0.9), S.StepLR(7, 0.9)),
    "MultiStepLR": (
        lambda m, o: m.MultiStepLR(o, [3, 49, 50, 120], 0.3),
        S.MultiStepLR([3, 49, 50, 120], 0.3),
    ),
    "SequentialLR": (
        lambda m, o: m.SequentialLR(o, [m.StepLR(o, 4, 0.7), m.MultiStepLR(o, [5, 60])], [30]),
        S.SequentialLR([S.StepLR(4, 0.7), S.MultiStepLR([5, 60])], [30]),
    ),
}

LONGER: dict[str, Callable[[Any, Any], Any]] = {
    "OneCycleLR": lambda m, o: m.OneCycleLR(o, max_lr=[0.3, 0.1], total_steps=STEPS + 1),
}
"""Instead of the classes whose schedule would end before."""


@pytest.fixture
def flipping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServerProcess]:
    with ServerProcess(tmp_path / "runs.sqlite3", log=tmp_path / "log", command=command()) as server:
        monkeypatch.setenv("LRKEEPER_SERVER", server.address)
        yield server


def column(build: Callable[[Any], Any]) -> list[tuple[str, ...]]:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    scheduler = build(optimizer)
    rows = []
    for _ in range(STEPS):
        optimizer.step()
        scheduler.step()
        rows.append(hexes(optimizer))
    return rows


def steps_that_differ(ours: list[tuple[str, ...]], theirs: list[tuple[str, ...]]) -> list[int]:
    return [step for step, (a, b) in enumerate(zip(ours, theirs, strict=True), start=1) if a != b]


def runs(folder: Path) -> list[tuple[int, int]]:
    """Return how many rows of each run are committed, and how many of them came at once at most."""
    with sqlite3.connect(folder / "runs.sqlite3") as database:
        return database.execute("SELECT sum(count), max(count) FROM blocks GROUP BY run_uid").fetchall()


def test_a_bit_flipped_at_the_server_is_in_the_optimizer_and_no_more_than_two_windows_lie_ahead(
    flipping: ServerProcess, tmp_path: Path
) -> None:
    expected = list(range(EVERY, STEPS + 1, EVERY))
    for build, schedule in PROGRAMS.values():
        theirs = column(lambda o, build=build: build(torch_schedulers, o))  # type: ignore[misc]
        ours = column(lambda o, build=build: build(lr_scheduler, o))  # type: ignore[misc]
        assert steps_that_differ(ours, theirs) == expected
        ours = column(lambda o, schedule=schedule: RemoteLR(o, schedule))  # type: ignore[misc]
        assert steps_that_differ(ours, theirs) == expected
    found = runs(tmp_path)
    assert len(found) == 2 * len(PROGRAMS)
    for rows, window in found:
        assert window > 1
        assert STEPS <= rows <= STEPS + 2 * window


def test_the_comparison_of_random_configurations_sees_a_flipped_bit(flipping: ServerProcess) -> None:
    for kind in KINDS:
        found = compared(kind, range(8), EVERY + 10).differing
        assert {line.split(", ")[1].split(":")[0] for line in found} == set(SHAPES)
        assert all(f"from step {EVERY};" in line for line in found)


@pytest.mark.filterwarnings("ignore:.*optimizer.step")
@pytest.mark.parametrize("name", CLASSES)
def test_a_bit_flipped_at_the_server_is_in_the_optimizer_of_every_drop_in(
    flipping: ServerProcess, name: str
) -> None:
    build: Callable[[Any, Any], Any] = LONGER.get(name, CLASSES[name])

    def held(module: Any) -> list[tuple[str, ...]]:
        return [row for row, _ in run(build(module, OPTIMIZERS["SGD, floats"]()), 0, STEPS)]

    theirs, ours = held(TORCH), held(lr_scheduler)
    assert steps_that_differ(ours, theirs) == list(range(EVERY, STEPS + 1, EVERY))


@pytest.mark.usefixtures("step_by_step")
def test_committed_rows_are_step_calls(own_server: ServerProcess, tmp_path: Path) -> None:
    for build, schedule in PROGRAMS.values():
        column(lambda o, build=build: build(lr_scheduler, o))  # type: ignore[misc]
        column(lambda o, schedule=schedule: RemoteLR(o, schedule))  # type: ignore[misc]
    assert runs(tmp_path) == [(STEPS, 1)] * (2 * len(PROGRAMS))
