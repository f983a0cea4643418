"""The ranks of a start agree on its id through the process group's store, which may outlive the start."""

from __future__ import annotations

from datetime import timedelta

import pytest
import torch.distributed
from torch._C._distributed_c10d import HashStore

from lrkeeper.torch import launch


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> HashStore:
    """The store of a process group, as torchrun keeps it over restarts of the ranks."""
    store = HashStore()
    store.set_timeout(timedelta(milliseconds=10))
    monkeypatch.setattr(torch.distributed.distributed_c10d, "_get_default_store", lambda: store)
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 3)
    return store


def agreed(rank: int, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(launch, "_process", launch._ThisProcess())
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: rank)
    return launch.incarnation(None)


def test_a_rank_started_again_does_not_take_the_id_of_the_start_before(
    store: HashStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = {agreed(rank, monkeypatch) for rank in (0, 1, 2)}
    assert len(first) == 1
    with pytest.raises(torch.distributed.DistStoreError):  # it waits for rank 0
        agreed(2, monkeypatch)
    second = {agreed(rank, monkeypatch) for rank in (0, 2, 1)}
    assert len(second) == 1
    assert first != second
