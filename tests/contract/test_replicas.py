"""Two servers on one PostgreSQL database, as real processes: ranks that go from one to the other see one run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import cycle

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import RunFenced
from tests.protocol import jobs
from tests.support.databases import Fresh
from tests.support.server import ServerProcess


@pytest.fixture(scope="module")
def replicas(fresh: Fresh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, Client]]:
    """A client of each server."""
    with ExitStack() as stack:
        url = stack.enter_context(fresh("postgresql")).url
        logs = tmp_path_factory.mktemp("replicas")
        servers = [stack.enter_context(ServerProcess(url, log=logs / f"{n}.log")) for n in (1, 2)]
        one, other = (stack.enter_context(Client(server.address)) for server in servers)
        yield one, other


def test_ranks_that_alternate_between_two_servers_have_one_timeline(replicas: tuple[Client, Client]) -> None:
    start = jobs.a_start(jobs.new_name(), schedule=jobs.SLOW, world_size=2)
    turns = cycle(replicas)
    places = [next(turns).acquire_run(replace(start, rank=rank)) for rank in range(2)]
    assert [(place.run_uid, place.fence, place.branch) for place in places] == [(places[0].run_uid, 1, 1)] * 2
    for step in range(1, 61):
        if step == 31:  # through whichever it is the turn of
            edited = next(turns).edit_run(
                start.run, S.StepLR(1, 0.5), expected_revision=1, reason="faster", at_step=40
            )
            assert edited.effective_step == 40
        for place in places:
            # What a server knows of ranks that ask the other one is late: the answer may be to ask again.
            assert any(jobs.ask(next(turns), place, step).table for _ in range(4))
        if step % 2:
            next(turns)  # so that a rank does not stay with one server
    expected = jobs.torch_bits(jobs.torch_step(0.999), 61)
    expected[40:] = jobs.torch_bits(jobs.torch_step(0.5), 61)[40:]
    for client in replicas:
        assert jobs.read(client, places[0], 1, 61) == expected[1:]
        assert client.get_run(start.run).frontier == 61


def test_a_fence_given_by_one_server_is_known_to_the_other_at_once(replicas: tuple[Client, Client]) -> None:
    one, other = replicas
    old = jobs.begun(one)
    assert jobs.ask(other, old, 1).table is not None
    for step, client in ((2, one), (3, other)):
        new = replicas[step % 2].acquire_run(jobs.a_start(old.run, checkpoint=jobs.checkpoint_of(old, 1)))
        with pytest.raises(RunFenced):
            jobs.ask(client, old, step)
        assert jobs.ask(client, new, step).table is not None
        old = new
