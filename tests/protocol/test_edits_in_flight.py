"""Edits of runs that step at full speed: every value at or above an edit's step is the edit's."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.views import Edited, Place
from tests.protocol import jobs
from tests.support.server import ServerProcess

EDITS = 6
GAMMAS = [0.9995, 0.999, 0.998, 0.997, 0.996, 0.995, 0.994]


def step_on(server: ServerProcess, place: Place, count: int, enough: Event) -> dict[int, tuple[str, ...]]:
    """Be a rank that asks for one window after the other; return every value it was given."""
    seen: dict[int, tuple[str, ...]] = {}
    with Client(server.address) as client:
        step = 1
        while not enough.is_set():
            window = jobs.ask(client, place, step, count)
            if window.table is not None:
                seen |= dict(enumerate(jobs.bits(window.table), step))
                step = window.table.end_step
    return seen


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("ahead", [0, 37])
def test_every_value_at_or_above_an_edits_step_is_the_edits(
    server: ServerProcess, client: Client, count: int, ahead: int
) -> None:
    start = jobs.a_start(jobs.new_name(), schedule=S.StepLR(1, GAMMAS[0]), world_size=3)
    places = [client.acquire_run(replace(start, rank=rank)) for rank in range(3)]
    enough = Event()
    edits: list[Edited] = []
    with ThreadPoolExecutor(3) as threads:
        ranks: list[Future[dict[int, tuple[str, ...]]]] = [
            threads.submit(step_on, server, place, count, enough) for place in places
        ]
        try:
            for number in range(EDITS):
                frontier = client.get_run(start.run).frontier
                edits.append(
                    client.edit_run(
                        start.run,
                        S.StepLR(1, GAMMAS[number + 1]),
                        expected_revision=number + 1,
                        reason=f"edit {number}",
                        at_step=frontier + ahead if ahead else None,
                    )
                )
                acted = edits[-1].effective_step + 20
                while client.get_run(start.run).frontier < acted:
                    assert not any(rank.done() for rank in ranks)
        finally:
            enough.set()
        seen = [rank.result() for rank in ranks]
    end = max(max(found) for found in seen) + 1
    expected = jobs.torch_bits(jobs.torch_step(GAMMAS[0]), end)
    for edit, gamma in zip(edits, GAMMAS[1:], strict=True):
        expected[edit.effective_step :] = jobs.torch_bits(jobs.torch_step(gamma), end)[edit.effective_step :]
    for found in seen:
        wrong = [step for step, bits in found.items() if bits != expected[step]]
        assert wrong == []
    assert jobs.read(client, places[0], 1, end) == expected[1:]
    assert [e.effective_step for e in client.get_run(start.run).edits] == [e.effective_step for e in edits]
    # A block has one revision, and none reaches over the step at which an edit acts.
    for block in client.list_blocks(start.run):
        ruling = [e.revision for e in edits if e.effective_step <= block.table.first_step]
        assert block.revision == (ruling[-1] if ruling else 1)
        assert not any(block.table.first_step < e.effective_step < block.table.end_step for e in edits)
