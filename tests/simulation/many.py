"""Many seeds, or mutants, on several processes."""

from __future__ import annotations

import multiprocessing
import time
from collections import Counter
from pathlib import Path

from tests.simulation.faults import RATES
from tests.simulation.mutants import MUTANTS, caught_by
from tests.simulation.run import simulate

_CHUNK = 25
_ENOUGH = 20_000  # seeds in which each fault must have fired
_LEAST = 100  # times
_NOTICED = Path(__file__).with_name("noticed.txt")


def run_seeds(first: int, count: int, processes: int) -> int:
    """Run seeds, and print how far it is, which of them broke a promise, and how often each fault fired."""
    started, done, fired = time.monotonic(), 0, Counter[str]()
    broken: list[tuple[int, str]] = []
    starts = range(first, first + count, _CHUNK)
    chunks = [(start, min(_CHUNK, first + count - start)) for start in starts]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for size, found, wrong in pool.imap_unordered(_chunk, chunks):
            done += size
            fired += found
            for seed, violation in wrong:
                print(f"\nseed {seed} breaks promise {violation}\n  python -m tests.simulation {seed}")
            broken += wrong
            print(
                f"\r{done} of {count} seeds, {len(broken)} violations, {time.monotonic() - started:.0f} s",
                end="",
            )
    print("\n\nHow often each fault fired:")
    for name in RATES:
        print(f"{fired[name]:>9}  {name}")
    rare = [name for name in RATES if count >= _ENOUGH and fired[name] < _LEAST]
    if rare:
        print(f"\nfired less than {_LEAST} times: {', '.join(rare)}")
    return 1 if broken or rare else 0


def _chunk(chunk: tuple[int, int]) -> tuple[int, Counter[str], list[tuple[int, str]]]:
    first, count = chunk
    fired, wrong = Counter[str](), []
    for seed in range(first, first + count):
        try:
            outcome = simulate(seed)
        except Exception as error:
            wrong.append((seed, f"0 the simulation fails: {error!r}"))
            continue
        fired += outcome.fired
        wrong += [(seed, violation) for violation in outcome.violations[:1]]
    return count, fired, wrong


def run_mutants(first: int, count: int, processes: int, which: str = "") -> int:
    """Print for each mutant, or those whose name has some words in it, the first seed that notices it."""
    work = [(name, first, count) for name in MUTANTS if which in name]
    missed, known = 0, noticed()
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for name, seed, violation in pool.imap(_mutant, work):
            missed += seed is None
            at = "NOT CAUGHT" if seed is None else f"seed {seed}"
            print(f"{name:<50} {at:>11}  {violation[:100]}", flush=True)
            if seed is not None:
                known[name] = seed
    lines = [f"{seed:>5}  {name}" for name, seed in known.items() if name in MUTANTS]
    _NOTICED.write_text("\n".join([*_NOTICED.read_text().splitlines()[:2], *lines, ""]))
    return 1 if missed else 0


def noticed() -> dict[str, int]:
    """Return for each mutant a seed that has noticed it."""
    lines = _NOTICED.read_text().splitlines()[2:]
    return {name.strip(): int(seed) for seed, name in (line.split(maxsplit=1) for line in lines)}


def _mutant(work: tuple[str, int, int]) -> tuple[str, int | None, str]:
    name, first, count = work
    found = caught_by(name, range(first, first + count))
    return (name, None, "") if found is None else (name, *found)
