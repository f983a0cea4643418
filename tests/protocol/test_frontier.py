"""How far a request moves the frontier: F ← max(F, min(from + n, lo + 1 + 2n, F + n_max))."""

from __future__ import annotations

from random import Random

import pytest

from lrkeeper import Client
from tests.protocol import jobs

MOST = 4096


@pytest.mark.parametrize("seed", range(4))
def test_it_moves_as_the_formula_says(client: Client, seed: int) -> None:
    """Three ranks ask for whatever comes to their minds."""
    chance = Random(seed)
    place = jobs.begun(client, schedule=jobs.SLOW, world_size=3)
    frontier, applied = 1, dict[int, int]()
    for _ in range(150):
        rank, count = chance.randrange(3), chance.choice([1, 2, 7, 50, 10_000])
        first = chance.randint(1, frontier + chance.choice([0, 0, 10, 3000]))
        stands = chance.randint(max(0, first - 30), first)
        window = jobs.ask(client, jobs.at_rank(place, rank), first, count, applied=stands)
        asked = min(count, MOST)
        applied[rank] = stands
        if first + asked > frontier:
            lowest = min(applied.values())
            frontier = max(frontier, min(first + asked, lowest + 1 + 2 * asked, frontier + MOST))
        assert window.frontier == frontier
        if first < frontier:
            assert window.table is not None
            assert (window.table.first_step, window.table.end_step) == (first, min(first + asked, frontier))
        else:
            assert window.table is None
    spans = [(b.table.first_step, b.table.end_step) for b in client.list_blocks(place.run)]
    assert [first for first, _ in spans] == [1, *(end for _, end in spans[:-1])]
    assert spans[-1][1] == frontier == client.get_run(place.run).frontier


def test_a_jump_far_ahead_comes_nearer_with_every_call(client: Client) -> None:
    place = jobs.begun(client)
    frontiers = [1]
    while True:
        window = jobs.ask(client, place, 20_000)
        frontiers.append(window.frontier)
        if window.table is not None:
            break
        assert frontiers[-2] < frontiers[-1] <= frontiers[-2] + MOST
    assert frontiers == [1, 4097, 8193, 12289, 16385, 20001]
    assert window.table.first_step == 20_000
    assert jobs.read(client, place, 1, 4) == [((0.1 * 0.5**step).hex(),) for step in (1, 2, 3)]


def test_the_slowest_rank_holds_the_others_back_and_lets_them_go(client: Client) -> None:
    place = jobs.begun(client, world_size=2)
    slow, fast = jobs.at_rank(place, 0), jobs.at_rank(place, 1)
    assert jobs.ask(client, slow, 1).frontier == 2
    assert jobs.ask(client, fast, 1, 10, applied=0).frontier == 11
    assert jobs.ask(client, fast, 11, 10).frontier == 21
    held = jobs.ask(client, fast, 21, 10)
    assert (held.table, held.frontier, held.failure) == (jobs.ask(client, fast, 21, 1).table, 21, None)
    assert jobs.ask(client, slow, 21, 10, applied=20).frontier == 31
    assert jobs.ask(client, fast, 31, 10).frontier == 41


def test_ranks_of_an_earlier_start_hold_nobody_back(client: Client) -> None:
    place = jobs.begun(client, world_size=8)
    for rank in range(8):
        jobs.ask(client, jobs.at_rank(place, rank), 1)
    smaller = client.acquire_run(
        jobs.a_start(place.run, world_size=6, checkpoint=jobs.checkpoint_of(place, 1))
    )
    for step in range(2, 30, 4):
        assert jobs.ask(client, smaller, step, 4).frontier == step + 4


@pytest.mark.parametrize("count", [1, 8])
def test_ranks_that_go_in_step_never_wait_for_each_other(client: Client, count: int) -> None:
    """Whoever asks first commits the steps for all; the others have asked too, and are not behind."""
    place = jobs.begun(client, world_size=8)
    for turn, first in enumerate(range(1, 50 * count, count)):
        for number in range(8):
            rank = (turn + number) % 8
            window = jobs.ask(client, jobs.at_rank(place, rank), first, count)
            assert window.table is not None, f"rank {rank} waits at step {first}"


def test_a_slow_rank_that_asks_for_committed_steps_is_still_the_slowest(client: Client) -> None:
    """An edit acts at the frontier: it must not run away from the ranks that are behind it."""
    place = jobs.stepped(client, jobs.begun(client, world_size=2), 50)
    jobs.ask(client, jobs.at_rank(place, 1), 1, 10)
    assert jobs.ask(client, place, 51, 10).frontier == 51
    jobs.ask(client, jobs.at_rank(place, 1), 41, 10)
    assert jobs.ask(client, place, 51, 10).frontier == 61
