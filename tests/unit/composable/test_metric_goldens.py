"""The metric-driven kinds give the numbers of every library that has such a schedule."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lrkeeper import schedules as S
from lrkeeper.schedules.cursor import Cursor, begin, extend
from lrkeeper.schedules.given import Given
from lrkeeper.schedules.numbers import Row

_FOLDER = Path(__file__).resolve().parents[2] / "goldens"

Arguments = dict[str, Any]


def of_torch(given: Arguments, **more: Any) -> S.Schedule:
    """torch's arguments, which several libraries pass on."""
    names = {"min_lr": "low"}
    return S.Plateau(
        **{"eps": 1e-8, **{names.get(name, name): value for name, value in given.items()}, **more}
    )


def of_transformers(given: Arguments) -> S.Schedule:
    return of_torch(given["scheduler_specific_kwargs"])


def of_ignite(given: Arguments) -> S.Schedule:
    """Its min_lr has no effect for a whole optimizer."""
    return of_torch({name: value for name, value in given.items() if name not in ("metric_name", "min_lr")})


def of_timm(given: Arguments) -> S.Schedule:
    names = {"decay_rate": "factor", "patience_t": "patience", "cooldown_t": "cooldown", "lr_min": "min_lr"}
    warmup, low = given.get("warmup_t", 0), given.get("warmup_lr_init", 0.0)
    curve = None
    if warmup:
        ramp = S.Ramp(over=warmup, begin=low)
        curve = S.Sequence([S.Stage(ramp, over=S.Span(steps=warmup)), S.Stage(S.Constant())])
    own = {names.get(name, name): value for name, value in given.items() if not name.startswith("warmup")}
    return of_torch({"mode": "max", **own}, schedule=curve, begin=warmup + 1 if warmup else 0)


def of_mmengine(given: Arguments) -> S.Schedule:
    names = {"rule": "mode", "threshold_rule": "threshold_mode", "min_value": "min_lr"}
    words = {"less": "min", "greater": "max"}
    own = {names.get(name, name): words.get(value, value) for name, value in given.items()}
    return of_torch(own)


def of_optax(given: Arguments) -> S.Schedule:
    names = {
        "rtol": "threshold",
        "atol": "margin",
        "accumulation_size": "reports",
        "min_scale": "low",
    }
    return S.Plateau(fires="exactly", **{names.get(name, name): value for name, value in given.items()})


def of_keras(given: Arguments) -> S.Schedule:
    """A cooldown of Keras is over with its last report, which counts."""
    names = {"min_delta": "threshold", "min_lr": "low"}
    own = {names.get(name, name): value for name, value in given.items() if name != "monitor"}
    own["cooldown"] = max(0, own.get("cooldown", 0) - 1)
    return S.Plateau(fires="at", threshold_mode="abs", **own)


def of_greedy(given: Arguments) -> S.Schedule:
    names = {"min_lr": "low", "max_lr": "high", "window_size": "window"}
    own: Arguments = {"min_lr": 1e-3, "max_lr": 1.0, "window_size": 50, "reset_start": 500}
    own |= given["scheduler_specific_kwargs"]
    return S.Greedy(**{names.get(name, name): value for name, value in own.items()})


OURS: dict[tuple[str, str], Callable[[Arguments], S.Schedule]] = {
    ("transformers", "reduce_lr_on_plateau"): of_transformers,
    ("transformers", "greedy"): of_greedy,
    ("timm", "PlateauLRScheduler"): of_timm,
    ("mmengine", "ReduceOnPlateauLR"): of_mmengine,
    ("mmengine", "ReduceOnPlateauMomentum"): of_mmengine,
    ("ignite", "ReduceLROnPlateauScheduler"): of_ignite,
    ("optax", "reduce_on_plateau"): of_optax,
    ("optax_float64", "reduce_on_plateau"): of_optax,
    ("keras", "ReduceLROnPlateau"): of_keras,
    ("keras_float64", "ReduceLROnPlateau"): of_keras,
}
FLOAT32 = ("optax", "keras")


def metric_driven() -> Iterator[Any]:
    for path in sorted(_FOLDER.glob("*.json")):
        for curve in json.loads(path.read_text())["curves"]:
            if "metrics" in curve:
                yield pytest.param(path.stem, curve, id=f"{path.stem}-{curve['name']}-{curve['case']}")


def reported(schedule: S.Schedule, base: float, metrics: list[float]) -> list[float]:
    """Return the values at step 0 and after each report; the cursor goes through its text every time."""
    row: Row = {"lr": (base,)}
    at = begin(schedule, row, row)
    found = [at.row["lr"][0]]
    for metric in metrics:
        at, rows, failure = extend(
            schedule, row, Cursor.from_json(at.to_json(row), row), 1, Given(metric=metric)
        )
        assert failure is None, failure
        found.append(rows[0]["lr"][0])
    return found


@pytest.mark.parametrize(("file", "curve"), list(metric_driven()))
def test_it_gives_the_librarys_numbers(file: str, curve: dict[str, Any]) -> None:
    tracks = curve.get("tracks", {"lr": curve["values"]})
    ((_, pairs),) = tracks.items()
    schedule = OURS[file, curve["name"]](curve["arguments"])
    expected = [value for _, value in pairs]
    base = 0.9 if "tracks" in curve else curve["base"]
    found = reported(schedule, base, curve["metrics"])
    if curve["name"] == "greedy":
        assert [value.hex() for value in found] == [value.hex() for value in expected]
    else:
        assert found == pytest.approx(expected, rel=0, abs=1e-6 if file in FLOAT32 else 1e-12)
    assert len(set(expected)) > 1


def test_every_librarys_kind_is_compared() -> None:
    found = {(p.values[0], p.values[1]["name"]) for p in metric_driven()}
    assert found == set(OURS)
