"""A share of the comparison of every drop-in with torch's class, through a real server."""

from __future__ import annotations

import pytest
import torch

from tests.parity.drop_ins import run
from tests.parity.evaluators import modes_of
from tests.parity.plans import CLASSES
from tests.support.server import ServerProcess

CASES = [(cls, mode) for cls in CLASSES for mode in (*modes_of(cls), "groups")]


@pytest.mark.parametrize(("cls", "mode"), CASES)
def test_a_drop_in_does_what_torchs_class_does(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch, cls: str, mode: str
) -> None:
    monkeypatch.setenv("LRKEEPER_SERVER", server.address)
    torch.set_num_threads(1)
    assert run(mode, cls, 3, seed=2_000_000, steps=60) == []
