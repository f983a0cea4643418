"""The golden files are whole: what `scripts/goldens` wrote is what lies there."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_FOLDER = Path(__file__).resolve().parent.parent / "goldens"
# file: its schedules, its curves
_FILES = {
    "composer": (13, 42),
    "deepspeed": (5, 29),
    "ignite": (14, 52),
    "keras": (7, 27),
    "keras_float64": (7, 27),
    "megatron": (11, 32),
    "mmengine": (20, 70),
    "optax": (15, 50),
    "optax_float64": (15, 50),
    "timm": (7, 49),
    "transformers": (12, 78),
}
_AT_LEAST = 2  # curves of a schedule
_LARGEST = 300_000  # bytes


def read(file: str) -> dict[str, Any]:
    golden: dict[str, Any] = json.loads((_FOLDER / f"{file}.json").read_text())
    return golden


def every_curve() -> Iterator[Any]:
    for file in _FILES:
        for curve in read(file)["curves"]:
            yield pytest.param(curve, id=f"{file}-{curve['name']}-{curve['case']}")


def numbers(value: float | list[float]) -> list[float]:
    return value if isinstance(value, list) else [value]


def test_every_golden_file_is_looked_at() -> None:
    assert {path.stem for path in _FOLDER.glob("*.json")} == set(_FILES)


@pytest.mark.parametrize("file", _FILES)
def test_a_file_says_where_its_numbers_are_from(file: str) -> None:
    golden = read(file)
    assert set(golden) - {"note"} == {"library", "version", "python", "precision", "names", "curves"}
    assert golden["precision"] == ("float32" if file in ("keras", "optax") else "float64")
    assert (_FOLDER / f"{file}.json").stat().st_size < _LARGEST


@pytest.mark.parametrize("file", _FILES)
def test_every_schedule_that_a_library_offers_has_curves(file: str) -> None:
    golden = read(file)
    found = Counter(curve["name"] for curve in golden["curves"])
    assert (len(found), found.total()) == _FILES[file]
    assert sorted(found) == golden["names"]
    assert min(found.values()) >= _AT_LEAST
    assert len({(curve["name"], curve["case"]) for curve in golden["curves"]}) == found.total()


@pytest.mark.parametrize("curve", list(every_curve()))
def test_a_curve_has_finite_numbers_at_evenly_spaced_steps(curve: dict[str, Any]) -> None:
    assert {"name", "case", "arguments", "base", "unit", "first", "values"} <= set(curve)
    assert set(curve) <= {
        "name",
        "case",
        "arguments",
        "base",
        "unit",
        "first",
        "values",
        "tracks",
        "metrics",
        "note",
    }
    assert curve["unit"] in ("step", "epoch", "sample")
    for pairs in (curve["values"], *curve.get("tracks", {}).values()):
        steps = [step for step, _ in pairs]
        assert len(steps) > 40
        assert steps == list(range(steps[0], steps[-1] + 1, steps[1] - steps[0]))
        assert all(math.isfinite(number) for _, value in pairs for number in numbers(value))
    first = curve["first"]
    assert curve["values"][: len(first["steps"])] == [
        list(pair) for pair in zip(*first.values(), strict=True)
    ]


@pytest.mark.parametrize("curve", list(every_curve()))
def test_a_curve_has_a_value_for_each_group_and_each_report(curve: dict[str, Any]) -> None:
    groups = len(curve["base"]) if isinstance(curve["base"], list) else None
    for pairs in (curve["values"], *curve.get("tracks", {}).values()):
        widths = {len(value) if isinstance(value, list) else None for _, value in pairs}
        assert len(widths) == 1
        if curve["base"] is not None:
            assert widths == {groups}
    if "metrics" in curve:
        assert len(curve["values"]) == len(curve["metrics"]) + 1
