"""What other libraries' schedules give, their definitions here give too: every recorded step of every curve.

Curves in float64 agree to 1e-12 of each value. What a library computes in float32 (all of optax, Keras's cosines, the
file keras) is off by float32's rounding, which is relative to what was summed up: to 1e-6 of the curve's largest value.
"""

from __future__ import annotations

from typing import Any

import pytest

from lrkeeper import schedules as S
from lrkeeper.schedules import Schedule, codec
from lrkeeper.schedules.importers.deepspeed import momentum_from_deepspeed
from scripts.goldens import table
from tests.goldens_as_definitions import (
    BY_METRIC,
    FILES,
    Curve,
    apart,
    curves,
    ignite_momentum,
    megatron_weight_decay,
    mmengine_momentum,
)

IN_FLOAT32 = {"keras", "optax", "optax_float64"}
LOST_DIGITS = {("mmengine", "OneCycleLR", "linear")}
"""Where a library itself loses digits near the curve's least value, which is then compared with the largest."""

COSINES_IN_FLOAT32 = {"keras_float64": {"CosineDecay", "CosineDecayRestarts"}}


def every(*files: str) -> Any:
    return [
        pytest.param(file, curve, id=f"{file}-{curve['name']}-{curve['case']}")
        for file in files or FILES
        for curve in curves(file)
    ]


@pytest.mark.parametrize(("file", "curve"), every())
def test_a_definition_gives_what_the_library_gives(file: str, curve: Curve) -> None:
    single = file in IN_FLOAT32 or curve["name"] in COSINES_IN_FLOAT32.get(file, ())
    whole = single or (file, curve["name"], curve["case"]) in LOST_DIGITS
    error = apart(curve, lambda group: FILES[file](curve, group), of_the_largest=whole)
    assert error <= (1e-6 if single else 1e-12)


@pytest.mark.parametrize(("file", "curve"), every())
def test_what_is_imported_is_a_definition_like_any_other(file: str, curve: Curve) -> None:
    schedule = FILES[file](curve, 0)
    message = codec.encode(schedule)
    assert codec.decode(message) == codec.from_json(codec.to_json(schedule)) == schedule


@pytest.mark.parametrize(
    "curve", [curve for curve in curves("deepspeed") if "tracks" in curve], ids=lambda c: c["case"]
)
def test_the_momentum_of_deepspeed_is_a_schedule_of_its_own(curve: Curve) -> None:
    config = {"scheduler": {"type": curve["name"], "params": curve["arguments"]}}

    def momentum(group: int) -> Schedule:
        made = momentum_from_deepspeed(config, group=group)
        assert made is not None
        return made

    assert apart(curve, momentum, "betas") <= 1e-12


@pytest.mark.parametrize(
    "curve",
    [curve for curve in curves("megatron") if "tracks" in curve],
    ids=lambda c: f"{c['name']}-{c['case']}",
)
def test_the_weight_decay_of_megatron_is_a_schedule_of_its_own(curve: Curve) -> None:
    error = apart(curve, lambda group: megatron_weight_decay(curve, group), "weight_decay")
    assert error <= 1e-12


@pytest.mark.parametrize(
    ("file", "curve"), [each for each in every("mmengine", "ignite") if "tracks" in each.values[1]]
)
def test_the_momentum_of_mmengine_and_ignite_is_a_schedule_of_its_own(file: str, curve: Curve) -> None:
    (track,) = curve["tracks"]
    of = mmengine_momentum if file == "mmengine" else ignite_momentum
    assert apart({**curve, "base": 0.9}, lambda _group: of(curve), track) <= 1e-12


def test_schedulers_of_mmengine_that_change_each_others_values_are_refused() -> None:
    both = [
        {"type": "ExponentialLR", "gamma": 0.99, "end": 60},
        {"type": "CosineAnnealingLR", "T_max": 40, "eta_min": 0.01, "begin": 20, "end": 60},
    ]
    with pytest.raises(
        ValueError, match="that has no closed form; torch's classes in a chained_scheduler do the same"
    ):
        S.from_mmengine(both)


@pytest.mark.parametrize(("file", "name"), [(file, name) for file in BY_METRIC for name in BY_METRIC[file]])
def test_what_follows_a_metric_is_no_formula_of_the_time(file: str, name: str) -> None:
    if (file, name) == ("transformers", "reduce_lr_on_plateau"):
        assert S.from_hf(name, factor=0.5, patience=3) == S.ReduceLROnPlateau(factor=0.5, patience=3)
        return
    curve = {"name": name, "case": "", "arguments": {}, "base": 0.1}
    with pytest.raises(ValueError, match="metric"):
        mmengine_momentum(curve) if name.endswith("Momentum") else FILES[file](curve, 0)


def test_the_page_of_other_libraries_is_what_its_script_writes() -> None:
    assert table.PAGE.read_text(encoding="utf-8") == table.page()


CALLS = [
    (file, curve["name"], curve["case"], schedule)
    for file in FILES
    for curve in curves(file)
    if (schedule := FILES[file](curve, 0)).made_from
]


@pytest.mark.parametrize(
    ("file", "name", "case", "schedule"), CALLS, ids=[" ".join(call[:3]) for call in CALLS]
)
def test_the_call_that_a_definition_notes_makes_it(
    file: str, name: str, case: str, schedule: S.Schedule
) -> None:
    assert len(schedule.made_from) == 1000 or eval(schedule.made_from, {"S": S}) == schedule
