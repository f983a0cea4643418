"""What composable schedules cost: `python -m benchmarks.schedules`. Ratios and times of one run, medians of many."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

from lrkeeper import schedules as S
from lrkeeper.schedules.composable.closed_form import Scope
from lrkeeper.schedules.cursor import begin, extend
from lrkeeper.schedules.numbers import Row

WARMUP, STABLE, DECAY, PEAK = 2_000, 80_000, 18_000, 3e-4
FAR = 10**9


def warmup_stable_decay(unit: int = 1) -> S.Schedule:
    """Return a warmup, a hold and a decay of 1 - sqrt: `unit` times 100,000 steps."""
    return S.Sequence(
        [
            S.Stage(
                S.Ramp(WARMUP * unit, begin=0.0, end="1x"), over=S.Span(steps=WARMUP * unit), label="warmup"
            ),
            S.Stage(S.Constant(), over=S.Span(steps=STABLE * unit), label="stable"),
            S.Stage(S.Ramp(DECAY * unit, begin="1x", end=0.0, ease="power", power=0.5), label="decay"),
        ]
    )


def by_hand(step: int) -> float:
    """Return the same values, as a training script writes them."""
    if step < WARMUP:
        return PEAK * step / WARMUP
    if step < WARMUP + STABLE:
        return PEAK
    passed = (step - WARMUP - STABLE) / DECAY
    return PEAK * (1.0 - passed**0.5) if passed < 1.0 else 0.0


def two_tracks() -> S.Schedule:
    """Return the lr and a weight decay that follows a curve of its own."""
    return S.Tracks(
        [
            S.Track(warmup_stable_decay()),
            S.Track(
                S.Ramp(WARMUP + STABLE + DECAY, begin="1x", end="10%", ease="cosine"), name="weight_decay"
            ),
        ]
    )


def median(call: Callable[[], object], rounds: int) -> float:
    """Return the median time of a call, in seconds."""
    times = []
    for _ in range(rounds):
        begun = time.perf_counter()
        call()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def main() -> int:
    """Measure, and print what the project asks of itself beside it; return 1 where that is not met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    rounds, met = options.rounds, True

    def report(what: str, found: float, unit: str, most: float) -> None:
        nonlocal met
        met &= found <= most
        print(f"{what:<72} {found:>8.3f} {unit:<3} (at most {most:g})", flush=True)

    base: Row = {"lr": (PEAK,)}
    long = warmup_stable_decay(FAR // 100_000)
    steps = [0, 1, 17, FAR // 50, FAR // 2, FAR - 1, 10 * FAR]

    def anywhere() -> None:
        for step in steps:
            fresh = long.altered()  # as a request brings it: nothing is kept of it
            assert fresh.at(step, base, base) is not None

    report("any step of a schedule of 10^9", median(anywhere, rounds) / len(steps) * 1e3, "ms", 5.0)

    tracks = two_tracks()
    both: Row = {"lr": (PEAK,), "weight_decay": (0.1,)}
    start = begin(tracks, both, both)
    block = median(lambda: extend(tracks, both, start, 1_000), rounds)
    report("a block of 1,000 steps of warmup, stable, decay in two tracks", block * 1e3, "ms", 10.0)

    for first, name in ((0, "warmup"), (WARMUP, "stable"), (WARMUP + STABLE, "decay")):
        ours, theirs = [], []
        curve = warmup_stable_decay().compile(Scope(PEAK, PEAK))  # type: ignore[attr-defined]  # a sequence is closed
        times = [float(step) for step in range(first, first + 1_500)]
        whole = range(first, first + 1_500)
        for _ in range(rounds * 4):  # in turns, so that whatever else the machine does is in both
            begun = time.perf_counter()
            for at in times:
                curve(at)
            ours.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            for step in whole:
                by_hand(step)
            theirs.append(time.perf_counter() - begun)
        assert all(abs(curve(float(s)) - by_hand(s)) <= 1e-18 for s in whole)
        ratio = statistics.median(ours) / statistics.median(theirs)
        report(f"a step of the {name}, beside plain Python of the same formula", ratio, "x", 3.0)
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
