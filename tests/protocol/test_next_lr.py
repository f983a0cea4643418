"""NextLr names absolute steps: repeated, late, reordered or at once, it gives the same bits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from random import Random
from threading import Barrier

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import StepOutOfRange
from lrkeeper.views import Window
from tests.protocol import jobs
from tests.protocol.stored import contents, rows
from tests.protocol.watched import Watched
from tests.support.server import ServerProcess

SLOW_BITS = jobs.torch_bits(jobs.torch_step(0.999), 400)


def test_a_run_has_the_values_of_torch(client: Client) -> None:
    place = jobs.begun(client, schedule=jobs.SLOW)
    assert jobs.bits(place.values) == SLOW_BITS[:1]
    for step in range(1, 6):
        assert jobs.bits(jobs.ask(client, place, step).table) == SLOW_BITS[step : step + 1]
    assert jobs.bits(jobs.ask(client, place, 6, 300).table) == SLOW_BITS[6:306]


def test_a_count_commits_that_many_steps_as_one_block(client: Client) -> None:
    place = jobs.begun(client, schedule=jobs.SLOW)
    assert jobs.ask(client, place, 1, 64).frontier == 65
    (block,) = client.list_blocks(place.run)
    assert (block.table.first_step, block.table.count) == (1, 64)
    assert jobs.bits(block.table) == SLOW_BITS[1:65]


@pytest.mark.parametrize("seed", range(3))
def test_a_late_request_changes_nothing_and_gets_the_same_bits(watched: Watched, seed: int) -> None:
    place = jobs.begun(watched.client, schedule=jobs.SLOW)
    chance = Random(seed)
    frontier = 1
    while frontier < 300:
        frontier = jobs.ask(watched.client, place, frontier, chance.randint(1, 40)).frontier
    before = contents(watched.server)
    for _ in range(60):
        first = chance.randint(1, frontier - 1)
        end = chance.randint(first + 1, frontier)
        window = jobs.ask(watched.client, place, first, end - first, applied=chance.randint(0, first))
        assert jobs.bits(window.table) == SLOW_BITS[first:end]
        assert window.frontier == frontier
    assert contents(watched.server) == before


def test_a_repeated_request_gets_what_it_got(watched: Watched) -> None:
    first = jobs.ask(watched.client, watched.place, 4, 7)
    before = contents(watched.server)
    assert [jobs.ask(watched.client, watched.place, 4, 7) for _ in range(5)] == [first] * 5
    assert contents(watched.server) == before


def test_reordered_requests_get_what_they_would_have_got_in_order(client: Client) -> None:
    place = jobs.begun(client, schedule=jobs.SLOW)
    later = jobs.ask(client, place, 100, 5)
    earlier = jobs.ask(client, place, 50, 5)
    assert later.frontier == earlier.frontier == 105
    assert jobs.bits(later.table) == SLOW_BITS[100:105]
    assert jobs.bits(earlier.table) == SLOW_BITS[50:55]


def test_requests_that_overlap_leave_blocks_without_gap_or_overlap(client: Client) -> None:
    place = jobs.begun(client, schedule=jobs.SLOW)
    for first, count in ((1, 10), (5, 20), (24, 1), (25, 1), (20, 10), (30, 1)):
        window = jobs.ask(client, place, first, count)
        assert jobs.bits(window.table) == SLOW_BITS[first : first + count]
    spans = [(b.table.first_step, b.table.end_step) for b in client.list_blocks(place.run)]
    assert spans == [(1, 11), (11, 25), (25, 26), (26, 30), (30, 31)]


def test_a_request_across_many_blocks_is_answered_as_one(own_server: ServerProcess) -> None:
    with Client(own_server.address) as client:
        place = jobs.begun(client, schedule=jobs.SLOW)
        for step in range(1, 31):
            jobs.ask(client, place, step)
        from_memory = jobs.ask(client, place, 24, 7)
        from_disk = jobs.ask(client, place, 2, 29)
        own_server.kill()
        own_server.start()
        after_restart = jobs.ask(client, place, 2, 29)
    assert jobs.bits(from_memory.table) == SLOW_BITS[24:31]
    assert jobs.bits(from_disk.table) == jobs.bits(after_restart.table) == SLOW_BITS[2:31]


@pytest.mark.parametrize("origin", [0, 12])
@pytest.mark.parametrize("count", [1, 3])
def test_a_step_at_or_before_the_origin_is_out_of_range(client: Client, origin: int, count: int) -> None:
    old = jobs.begun(client)
    window = jobs.ask(client, old, 1, 20)
    client.delete_run(old.run, force=True)
    fields = {}
    if origin:
        fields = {
            "checkpoint": jobs.checkpoint_of(old, origin),
            "origin": jobs.origin_of(old, window, origin),
        }
    place = jobs.begun(client, **fields)
    assert place.resume_step == origin
    for committed in (0, 5):
        if committed:
            jobs.stepped(client, place, origin + committed)
        for step in range(1, origin + 1):
            with pytest.raises(StepOutOfRange, match=f"begins at step {origin}"):
                jobs.ask(client, place, step, count)


def test_eight_ranks_that_ask_at_once_get_one_block_and_equal_bits(server: ServerProcess) -> None:
    clients = [Client(server.address) for _ in range(8)]
    start = jobs.a_start(jobs.new_name(), schedule=jobs.SLOW, world_size=8)
    places = [client.acquire_run(replace(start, rank=rank)) for rank, client in enumerate(clients)]
    assert {(place.fence, place.branch, place.run_uid) for place in places} == {(1, 1, places[0].run_uid)}
    together = Barrier(8)

    def windows(rank: int) -> list[Window]:
        found = []
        for first in range(1, 161, 8):
            together.wait()
            while (window := jobs.ask(clients[rank], places[rank], first, 8)).table is None:
                pass  # another rank is behind
            found.append(window)
        return found

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(windows, range(8)))
    tables = [[window.table for window in windows] for windows in answers]
    assert all(found == tables[0] for found in tables)
    assert [jobs.bits(table) for table in tables[0]] == [SLOW_BITS[i : i + 8] for i in range(1, 161, 8)]
    blocks = rows(server, "SELECT first_step, count FROM blocks WHERE run_uid = ?", places[0].run_uid)
    assert sorted(blocks) == [(i, 8) for i in range(1, 161, 8)]
    for client in clients:
        client.close()


def test_ranks_that_ask_out_of_step_get_equal_bits(server: ServerProcess) -> None:
    """Each goes its own way through the same steps, some again and again."""
    clients = [Client(server.address) for _ in range(8)]
    start = jobs.a_start(jobs.new_name(), schedule=jobs.SLOW, world_size=8)
    places = [client.acquire_run(replace(start, rank=rank)) for rank, client in enumerate(clients)]

    def seen(rank: int) -> set[tuple[int, tuple[str, ...]]]:
        chance, found, step = Random(rank), set(), 0
        while step < 200:
            first = chance.randint(max(1, step - 20), step + 1)
            window = jobs.ask(
                clients[rank], places[rank], first, chance.randint(1, 16), applied=min(step, first)
            )
            if window.table is not None:
                found |= set(enumerate(jobs.bits(window.table), first))
                step = max(step, window.table.end_step - 1)
        return found

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(seen, range(8)))
    for found in answers:
        assert found <= set(enumerate(SLOW_BITS))
    spans = sorted(rows(server, "SELECT first_step, count FROM blocks WHERE run_uid = ?", places[0].run_uid))
    ends = [first + count for first, count in spans]
    assert [first for first, _ in spans] == [1, *ends[:-1]]
    for client in clients:
        client.close()


@pytest.mark.parametrize("revision", [0, 1])
def test_an_answer_has_the_definition_unless_the_rank_has_it(client: Client, revision: int) -> None:
    place = jobs.begun(client)
    window = client.next_lr(place, 1, 3, applied_step=0, revision=revision)
    assert window.revision == 1
    assert window.schedule == (None if revision == 1 else jobs.HALVING)


def test_an_answer_carries_enough_to_evaluate_its_rows_again(client: Client) -> None:
    """The cursor lies before the last row, with the definition of the answer's revision."""
    schedule = S.MultiStepLR([3, 7]).then(S.StepLR(4, gamma=0.3), at=9)
    place = jobs.begun(client, schedule=schedule)
    for first, count in ((1, 5), (6, 9), (15, 30)):
        window = jobs.ask(client, place, first, count)
        assert window.table is not None
        last = window.table.end_step - 1
        assert window.cursor_step < last
        again = jobs.begun(
            client,
            schedule=schedule,
            checkpoint=jobs.checkpoint_of(replace(place, run_uid="gone"), last),
            origin=jobs.origin_of(place, window, last),
        )
        assert jobs.read(client, again, last + 1, last + 30) == jobs.read(client, place, last + 1, last + 30)
