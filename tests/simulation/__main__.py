"""`python -m tests.simulation SEED` replays a seed; `--seeds N` runs many, `--mutants` shows that each is caught."""

from __future__ import annotations

import argparse
import sys

from tests.simulation.many import run_mutants, run_seeds
from tests.simulation.run import simulate


def main() -> int:
    """Run what the command line asks for; return 1 if a promise was broken, or a mutant was not caught."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("seed", nargs="?", type=int, help="replay this one, and print its history")
    parser.add_argument("--seeds", type=int, default=1000, help="how many to run")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument(
        "--mutants", nargs="?", const="", help="patch the production rules: with all, or those so named"
    )
    options = parser.parse_args()
    if options.seed is not None:
        return replay(options.seed)
    if options.mutants is not None:
        return run_mutants(options.first, options.seeds, options.processes, options.mutants)
    return run_seeds(options.first, options.seeds, options.processes)


def replay(seed: int) -> int:
    """Print a seed's history and what is wrong with it."""
    outcome = simulate(seed)
    print(outcome.history.text())
    for violation in outcome.violations:
        print(f"VIOLATION of promise {violation}", file=sys.stderr)
    return 1 if outcome.violations else 0


if __name__ == "__main__":
    sys.exit(main())
