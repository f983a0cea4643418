"""Random configurations of every class, equal to torch's own step() loop bit by bit."""

from __future__ import annotations

from random import Random
from uuid import uuid4

import pytest
from torch.optim import lr_scheduler as torch_schedulers

from lrkeeper import Client, lr_scheduler
from tests.parity.configurations import KINDS, Kind, configuration
from tests.parity.traces import mismatches, stepped
from tests.support.server import ServerProcess

SHARE = 250  # of the 3,000 of each class that `make parity` compares


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_gives_torchs_bits(client: Client, kind: Kind) -> None:
    assert mismatches(client, kind, range(SHARE), 200, uuid4().hex[:8]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_drop_in_steps_through_torchs_bits_and_errors(server: ServerProcess, kind: Kind) -> None:
    for seed in range(100_000, 100_012):
        drawn = configuration(kind, Random(f"{kind}/{seed}"))
        theirs = stepped(torch_schedulers, drawn, 60)
        ours = stepped(lr_scheduler, drawn, 60)
        assert ours == theirs, f"seed {seed}"
