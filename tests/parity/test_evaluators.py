"""A share of the comparison of every evaluator with torch's loop, and that it would see one bit."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
import torch

from lrkeeper import schedules as S
from lrkeeper.schedules.given import Inputs
from lrkeeper.schedules.numbers import F32, Real, Row
from lrkeeper.schedules.schedule import Memory
from tests.parity.evaluators import modes_of, run
from tests.parity.plans import CLASSES

SHARE = 30  # of the 3,000 that `python -m tests.parity.evaluators` compares
CASES = [(cls, mode) for cls in CLASSES for mode in modes_of(cls)]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize(("cls", "mode"), CASES)
def test_an_evaluator_gives_torchs_bits_and_errors(cls: str, mode: str) -> None:
    assert run(mode, cls, SHARE if mode == "step" else SHARE // 2, seed=1_000_000) == []


SCHEDULES = {
    "Sequential[Chained first]": S.SequentialLR,
    "Chained[Sequential]": S.ChainedScheduler,
}


def next_after(lr: Real) -> Real:
    if not isinstance(lr, F32):
        return math.nextafter(lr, math.inf)
    (bits,) = struct.unpack("<I", struct.pack("<f", lr))
    return F32(struct.unpack("<f", struct.pack("<I", bits + 1))[0])


@pytest.mark.parametrize("cls", CLASSES)
def test_one_bit_at_one_step_is_a_mismatch(cls: str, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluator: Any = SCHEDULES.get(cls) or getattr(S, cls)
    advance = evaluator.advance
    calls = 0

    def off_by_one_bit(
        self: S.Schedule, memory: Memory, base: Row, now: Row, inputs: Inputs
    ) -> tuple[Memory, Row]:
        nonlocal calls
        calls += 1
        memory, row = advance(self, memory, base, now, inputs)
        if calls == 7:
            row = {**row, "lr": (next_after(row["lr"][0]), *row["lr"][1:])}
        return memory, row

    monkeypatch.setattr(evaluator, "advance", off_by_one_bit)
    found = run("step", cls, 4, seed=1_000_000)
    assert found
    assert all("differs at step" in problem for problem in found)
