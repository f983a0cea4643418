"""Definitions drawn at random: never anything but values, or a refusal that names a field.

`python -m tests.fuzz.definitions [--count 50000] [--seed 0]`
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from random import Random
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from lrkeeper.schedules import codec
from lrkeeper.schedules.composable.ramp import COUNTINGS, EASES
from lrkeeper.schedules.cursor import FAILURES, Cursor, begin, extend
from lrkeeper.schedules.given import AXES, Given
from lrkeeper.schedules.numbers import F32, Row
from lrkeeper.schedules.shape import DefinitionError
from lrkeeper.v1 import schedule_pb2

STEPS = 30
FAR = (1_000, 10**6, 10**9, 10**15)
_WORDS: dict[str, tuple[str, ...]] = {
    "ease": EASES,
    "counting": COUNTINGS,
    "after": ("hold", "extend"),
    "boundary": ("later", "earlier"),
    "clock": ("local", "outer"),
    "interpolation": ("step", "linear", "cosine"),
    "which": ("least", "greatest"),
    "gain_on": ("peak", "amplitude", "both"),
    "mode": ("min", "max", "triangular", "exp_range"),
    "threshold_mode": ("rel", "abs"),
    "fires": ("beyond", "at", "exactly"),
    "anneal_strategy": ("cos", "linear"),
    "scale_mode": ("cycle", "iterations"),
    "name": ("lr", "weight_decay", "momentum", "beta2", "peak"),
    "group": ("0", "1", "enc.*", "*"),
    "link": ("0.1 * lr", "lr / base_lr", "weight_decay + 1", "momentum"),
    "text": (
        "base*0.5**step",
        "1/(u-3)",
        "sin(u)/(u+1)",
        "base*(1-p)",
        "lr*0.1",
        "x y",
        "9**9**9",
        "",
        "base_lr",
    ),
}
_NEEDED = (
    "schedule",
    "over",
    "every",
    "period",
    "scale",
    "which",
    "text",
    "T_max",
    "T_0",
    "factor",
    "gamma",
    "at",
)
_ODD: tuple[Any, ...] = (
    None,
    {},
    [],
    "",
    "NaN",
    "Infinity",
    "-1",
    True,
    1e308,
    -1e-308,
    [1, 2],
    {"steps": 3},
    "ﬁ",
)


class Drawn:
    """One definition: a message's fields at random, mostly of the right shape."""

    def __init__(self, random: Random, wild: float) -> None:
        self._random = random
        self._wild = wild  # how often a field is something else altogether
        self._nodes = 0

    def schedule(self, depth: int = 0) -> Any:
        """Return a schedule as JSON's types."""
        r = self._random
        self._nodes += 1
        kinds = [field.name for field in schedule_pb2.Schedule.DESCRIPTOR.oneofs_by_name["kind"].fields]
        if depth > 4 or self._nodes > 60:
            kinds = ["constant", "ramp", "decay", "step_lr", "power", "expression"]
        elif depth == 0 and r.random() < 0.3:
            kinds = ["tracks", "sequence", "repeat", "product"]
        kind = r.choice(kinds)
        found = {
            kind: self._message(schedule_pb2.Schedule.DESCRIPTOR.fields_by_name[kind].message_type, depth)
        }
        if r.random() < self._wild / 4:
            found[r.choice(kinds)] = {}
        return found

    def _message(self, descriptor: Descriptor | None, depth: int) -> Any:
        assert descriptor is not None
        r = self._random
        if descriptor.name == "Schedule":
            return self.schedule(depth + 1)
        if r.random() < self._wild / 8:
            return r.choice(_ODD)
        fields = list(descriptor.fields)
        if descriptor.oneofs and not any(o.name.startswith("_") for o in descriptor.oneofs):
            fields = r.sample(fields, 1 if r.random() > self._wild / 4 else 2)
            if r.random() > 0.1:
                fields = [field for field in fields if field.name not in ("parameter", "fraction")] or fields
        found: dict[str, Any] = {}
        for field in fields:
            if len(fields) > 1 and r.random() > (0.97 if field.name in _NEEDED or field.is_repeated else 0.5):
                continue
            if r.random() < self._wild / 8:
                found[field.name] = r.choice(_ODD)
            elif field.is_repeated:
                found[field.name] = [
                    self._value(field, depth)
                    for _ in range(r.choice([1, 1, 2, 3]) if r.random() > 0.03 else 0)
                ]
                if field.message_type is None and field.cpp_type == FieldDescriptor.CPPTYPE_DOUBLE:
                    found[field.name].sort(key=repr)
            else:
                found[field.name] = self._value(field, depth)
        if r.random() < self._wild / 16:
            found[r.choice(["stepsize", "lr", "ramp", "begin"])] = 1
        return found

    def _value(self, field: FieldDescriptor, depth: int) -> Any:
        r = self._random
        if field.message_type is not None:
            return self._message(field.message_type, depth)
        if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
            return r.random() < 0.5
        if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
            words = _WORDS.get(field.name, ("warmup", "peak"))
            return r.choice(words) if r.random() > self._wild / 4 else r.choice(r.choice([*_WORDS.values()]))
        if field.cpp_type in (FieldDescriptor.CPPTYPE_INT32, FieldDescriptor.CPPTYPE_INT64):
            return r.choice([1, 2, 3, 7, 20]) if r.random() > 0.05 else r.choice([0, 10**9, -1])
        plain = (1, 2, 3, 5, 10, 30, 0.1, 0.5, 0.9, r.random(), r.uniform(1, 40))
        return (
            r.choice(plain)
            if r.random() > 0.02 + self._wild / 4
            else r.choice((0, -1, 1e-3, 1e6, 1e12, 1e300))
        )


def drawn(random: Random) -> Any:
    """Draw a definition."""
    return Drawn(random, random.choice([0.0, 0.0, 0.2, 1.0])).schedule()


def tried(seed: int) -> str:
    """Draw a definition and evaluate it; return what came of it. Raises what should never be raised."""
    random = Random(seed)
    written = drawn(random)
    try:
        schedule = codec.from_dict(written)
    except DefinitionError as error:
        if not error.field.startswith("schedule") or not error.problem:
            raise AssertionError(f"a refusal names no field: {error!r}") from error
        return "refused"
    assert codec.from_json(codec.to_json(schedule)) == schedule
    number = F32 if random.random() < 0.2 else float
    base: Row = dict.fromkeys(schedule.moves, (0.1, 0.0003))
    base = {**base, "lr": tuple(map(number, base["lr"]))}
    given = Given(metric=random.random(), factors=(0.9,) * 200, progress=dict.fromkeys(AXES, 7.0))
    try:
        cursor = begin(schedule, base, base)
    except tuple(FAILURES.values()):
        return "cannot start"
    cursor, rows, failure = extend(schedule, base, cursor, STEPS, given)
    for row in rows:
        assert row.keys() == base.keys()
        assert all(len(row[track]) == 2 for track in row)
    if schedule.closed:
        assert all(math.isfinite(v) for row in rows for values in row.values() for v in values), rows
        for step in FAR:
            with suppress(*FAILURES.values()):
                schedule.at(step, base, base)
    if failure is not None:
        assert failure.message, failure
        return f"ends with {failure.type}"
    text = cursor.to_json(base)
    assert Cursor.from_json(text, base).to_json(base) == text
    return "values"


def run(first: int, count: int) -> Counter[str]:
    """Try so many definitions."""
    found: Counter[str] = Counter()
    for seed in range(first, first + count):
        try:
            found[tried(seed)] += 1
        except Exception as error:
            error.add_note(f"seed {seed}: {drawn(Random(seed))}")
            raise
    return found


def main() -> int:
    """Try them all, and print what came of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    begun, piece = time.monotonic(), 500
    found: Counter[str] = Counter()
    with ProcessPoolExecutor(2) as pool:
        starts = range(options.seed, options.seed + options.count, piece)
        for place, part in enumerate(pool.map(run, starts, [piece] * len(starts)), start=1):
            found += part
            print(f"\r{place * piece} of {options.count}", end="", flush=True)
    print("\r" + ", ".join(f"{count} {what}" for what, count in found.most_common()), end=" ")
    print(f"({time.monotonic() - begun:.0f} s); nothing else")
    return 0


if __name__ == "__main__":
    sys.exit(main())
