"""Random configurations through a real server, equal to torch's own step() loop bit by bit and error by error."""

from __future__ import annotations

import pytest
import torch

from tests.parity.configurations import KINDS, Kind
from tests.parity.traces import compared
from tests.support.server import ServerProcess

SHARE = 40  # `python -m tests.parity` compares 3,000 others of each class


@pytest.mark.parametrize("kind", KINDS)
def test_an_optimizer_steps_with_torchs_bits(server: ServerProcess, kind: Kind) -> None:
    torch.set_num_threads(1)
    tally = compared(kind, range(1_000_000, 1_000_000 + SHARE), 200)
    assert tally.differing == []
    assert tally.complete == SHARE
    assert tally.moving > 0.8 * SHARE
