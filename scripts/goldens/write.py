"""Golden files: the numbers of another library's schedules, as `tests/goldens/<file>.json`."""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).resolve().parent.parent.parent / "tests" / "goldens"
_FIRST = 3

Value = float | list[float]
Curve = dict[str, Any]


def curve(
    name: str,
    case: str,
    arguments: Mapping[str, Any],
    values: Sequence[Value],
    *,
    base: Value | None,
    unit: str = "step",
    times: Sequence[int] | None = None,
    tracks: Mapping[str, Sequence[Value]] | None = None,
    metrics: Sequence[float] | None = None,
    note: str | None = None,
) -> Curve:
    """One schedule's numbers.

    Args:
        name: what the library calls the schedule.
        case: which of the schedule's configurations this is.
        arguments: what a user passes.
        values: the lr that the optimizer's steps 0, 1, 2… are done with; a list of them where there are groups.
        base: the optimizer's own lr, one for each group if there are groups; None where the schedule has it all.
        unit: what the library counts, and the values are listed by.
        times: where the values stand, if not at 0, 1, 2….
        tracks: what else the schedule moves, by its name in the param groups.
        metrics: what is reported, the first after step 0; the value at step k knows of the first k.
        note: what a reader of the numbers has to know.
    """
    at = list(range(len(values)) if times is None else times)
    made: Curve = {"name": name, "case": case, "arguments": dict(arguments), "base": base, "unit": unit}
    if note is not None:
        made["note"] = note
    if metrics is not None:
        made["metrics"] = list(metrics)
    made["first"] = {"steps": at[:_FIRST], "values": list(values[:_FIRST])}
    made["values"] = _pairs(at, values)
    if tracks is not None:
        made["tracks"] = {track: _pairs(at, moved) for track, moved in tracks.items()}
    return made


def write(
    file: str,
    curves: Iterable[Curve],
    *,
    library: str,
    names: Iterable[str],
    precision: str = "float64",
    note: str | None = None,
) -> None:
    """Write the curves to `tests/goldens/<file>.json`, one a line.

    Args:
        file: the file's name.
        curves: all of the library's curves.
        library: the distribution that is installed, whose version is written down.
        names: the schedules that the library offers, read off the library.
        precision: what the library computes in.
        note: what holds for all curves.

    Raises:
        ValueError: a schedule has no curve, a curve no schedule, or two curves have one name and case.
    """
    made = list(curves)
    offered = sorted(set(names))
    if unlike := set(offered) ^ {one["name"] for one in made}:
        raise ValueError(f"{sorted(unlike)} are offered or have curves, but not both")
    if len({(one["name"], one["case"]) for one in made}) < len(made):
        raise ValueError("two curves have the same name and case")
    head: dict[str, Any] = {"library": library, "version": version(library)}
    head |= {"python": platform.python_version(), "precision": precision}
    if note is not None:
        head["note"] = note
    head["names"] = offered
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    body = ",\n".join(json.dumps(one, allow_nan=False, separators=(",", ":")) for one in made)
    path = _FOLDER / f"{file}.json"
    path.write_text("{" + ",\n".join(lines) + ',\n"curves": [\n' + body + "\n]}\n")
    print(f"{path.name}: {len(made)} curves of {len(offered)} schedules, {path.stat().st_size // 1000} kB")


def losses(steps: int) -> list[float]:
    """A falling loss that comes to rest, twice, with something of a wave: four digits each."""
    return [
        round(
            1.0 / (1.0 + 0.2 * min(k, steps // 3)) + 0.02 * math.sin(1.7 * k) - 0.3 * (k > 2 * steps // 3), 4
        )
        for k in range(steps)
    ]


def falling(steps: int, until: int) -> list[float]:
    """A loss that falls at every report until it stays where it is: four digits each."""
    return [round(1.0 - 0.01 * min(k, until), 4) for k in range(steps)]


def accuracies(steps: int) -> list[float]:
    """The losses turned round, for modes that want the greatest."""
    return [round(1.5 - loss, 4) for loss in losses(steps)]


def _pairs(at: Sequence[int], values: Sequence[Value]) -> list[list[Any]]:
    return [list(pair) for pair in zip(at, values, strict=True)]
