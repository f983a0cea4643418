"""Running seeds: what of the production code is given a seed's clock and chance, and what comes out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from structlog.testing import capture_logs

from lrkeeper.server.runs import limits
from lrkeeper.server.storage import ids
from tests.simulation.checker import violations
from tests.simulation.history import History
from tests.simulation.world import World


@dataclass
class Outcome:
    """What a seed came to."""

    seed: int
    history: History
    fired: Counter[str]
    violations: list[str]


def simulate(seed: int, only: frozenset[str] | None = None) -> Outcome:
    """Run a seed, with all kinds of faults or only some."""
    with _seams() as put:
        world = World(seed, only)
        put(world)
        with capture_logs():
            world.run()
    return Outcome(seed, world.history, world.faults.fired, violations(world.history.events))


@contextmanager
def _seams() -> Iterator[Any]:
    before = ids.nanoseconds, ids.random_bytes, limits.MAX_ROWS

    def put(world: World) -> None:
        ids.nanoseconds, ids.random_bytes = world.nanoseconds, world.random.randbytes
        if world.faults.may("small_blocks"):
            world.faults.note("small_blocks")
            limits.MAX_ROWS = 6

    try:
        yield put
    finally:
        ids.nanoseconds, ids.random_bytes, limits.MAX_ROWS = before
