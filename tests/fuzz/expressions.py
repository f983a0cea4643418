"""Whatever stands in an expression, there is a value or a refusal: `python -m tests.fuzz.expressions`.

Every text is read; one that is an expression is read again from its canonical text, and evaluated at random
points, through both.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from collections.abc import Iterable
from random import Random

from lrkeeper.schedules.expressions import EvaluationError, Expression, ExpressionError, parse
from tests.fuzz.texts import KINDS, NAMES

POINTS = 3


def try_texts(numbers: Iterable[int], seed: int) -> Counter[tuple[str, str]]:
    """Try one text for each number; return how often each kind of text came to what.

    Raises AssertionError, with the text in a note, at anything but a value or a refusal.
    """
    outcomes: Counter[tuple[str, str]] = Counter()
    for number in numbers:
        random = Random(f"{seed}/{number}")
        kind = random.choice(list(KINDS))
        text = KINDS[kind](random)
        try:
            outcomes.update((kind, outcome) for outcome in try_text(text, random))
        except Exception as error:
            raise AssertionError(f"number {number} of seed {seed}: {text!r}") from error
    return outcomes


def try_text(text: str, random: Random) -> list[str]:
    """Return what came of a text: `refused`, or of each evaluation `value` or `failed`."""
    try:
        expression = parse(text, NAMES)
    except ExpressionError as error:
        check_message(error, text)
        return ["refused"]
    again = parse(expression.canonical, NAMES)
    assert (again.canonical, again.digest) == (expression.canonical, expression.digest)
    assert (again.names, again.nodes) == (expression.names, expression.nodes)
    outcomes = []
    for _ in range(POINTS):
        values = {name: draw(random) for name in sorted(expression.names)}
        outcome, value = evaluate(expression, values)
        assert (outcome, value) == evaluate(again, values)
        outcomes.append(outcome)
    return outcomes


def check_message(error: ExpressionError, text: str) -> None:
    """Check that a refusal names a column of the text, in few words."""
    assert 0 <= error.position <= len(text)
    assert f"at column {error.position}" in str(error)
    assert len(str(error)) < 400


def evaluate(expression: Expression, values: dict[str, float]) -> tuple[str, str]:
    """Return `value` and its bits, or `failed` and why."""
    try:
        value = expression.evaluate(values)
    except EvaluationError as error:
        return "failed", str(error)
    assert type(value) is float
    assert math.isfinite(value)
    return "value", value.hex()


def draw(random: Random) -> float:
    """Return a value as runs have them, or one that they must not have."""
    strange = (0, -1, 10**6, 10**400, math.inf, -math.inf, math.nan, -0.0, 1e308, 5e-324)
    ordinary = (0.0, 1.0, random.random(), random.uniform(-10, 10), float(random.randrange(10**6)))
    return random.choice(strange if random.random() < 0.1 else ordinary)


def main() -> None:
    """Try texts, showing progress; print how often each kind came to what."""
    arguments = argparse.ArgumentParser(prog="python -m tests.fuzz.expressions")
    arguments.add_argument("--count", type=int, default=200_000, help="how many texts")
    arguments.add_argument("--seed", type=int, default=1, help="which texts")
    given = arguments.parse_args()
    started = time.monotonic()
    outcomes: Counter[tuple[str, str]] = Counter()
    for start in range(0, given.count, 5000):
        end = min(start + 5000, given.count)
        outcomes += try_texts(range(start, end), given.seed)
        print(f"\r{end} of {given.count}", end="", flush=True)
    print(f"  ({time.monotonic() - started:.0f} s)")
    for kind in KINDS:
        counts = ", ".join(
            f"{outcomes[kind, outcome]} {outcome}" for outcome in ("refused", "value", "failed")
        )
        print(f"{kind}: {counts}")
    total = Counter[str]()
    for (_, outcome), count in outcomes.items():
        total[outcome] += count
    print(
        f"{given.count} texts, seed {given.seed}: {total['refused']} refused; "
        f"evaluations: {total['value']} gave a value, {total['failed']} failed; nothing else"
    )


if __name__ == "__main__":
    main()
