"""The golden curves of other libraries, said as definitions, and how far the two are apart."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lrkeeper import schedules as S
from lrkeeper.schedules import Schedule, cursor
from lrkeeper.schedules.composable.closed_form import ClosedForm
from lrkeeper.schedules.importers.megatron import weight_decay_from_megatron

FOLDER = Path(__file__).resolve().parent.parent / "goldens"

Curve = Mapping[str, Any]

FILES: dict[str, Callable[[Curve, int], Schedule]] = {
    "transformers": lambda curve, _group: S.from_hf(curve["name"], **_hf(curve)),
    "timm": lambda curve, _group: S.from_timm(curve["name"], **curve["arguments"]),
    "deepspeed": lambda curve, group: S.from_deepspeed(_config(curve), group=group),
    "optax": lambda curve, _group: S.from_optax(curve["name"], **curve["arguments"]),
    "optax_float64": lambda curve, _group: S.from_optax(curve["name"], **curve["arguments"]),
    "keras": lambda curve, _group: S.from_keras(curve["name"], **curve["arguments"]),
    "composer": lambda curve, _group: S.from_composer(
        curve["name"], **_composer(curve), **curve["arguments"]
    ),
    "megatron": lambda curve, group: S.from_megatron(
        **{**curve["arguments"], **megatron_group(curve, group)}
    ),
    "ignite": lambda curve, group: _ignite(curve, group, "lr"),
    "mmengine": lambda curve, _group: _mmengine(curve, "lr"),
    "keras_float64": lambda curve, _group: S.from_keras(curve["name"], **curve["arguments"]),
}
"""What makes the definition of a curve for a param group, by file."""

OVERLAP = (
    S.ExponentialLR(0.99)
    .then(S.ChainedScheduler([S.ExponentialLR(0.99), S.CosineAnnealingLR(40, 0.01)]), at=20)
    .then(S.Constant(S.Level(before=1.0)), at=59)
)
"""mmengine's list "overlap" by hand: schedulers at once that do not only multiply have no closed form, but torch's."""

BY_METRIC = {
    "transformers": {"reduce_lr_on_plateau", "greedy"},
    "timm": {"PlateauLRScheduler"},
    "ignite": {"ReduceLROnPlateauScheduler"},
    "mmengine": {"ReduceOnPlateauLR", "ReduceOnPlateauMomentum"},
    "optax": {"reduce_on_plateau"},
    "optax_float64": {"reduce_on_plateau"},
    "keras": {"ReduceLROnPlateau"},
    "keras_float64": {"ReduceLROnPlateau"},
}
"""Those that follow a metric, and no formula of the time."""


def curves(file: str) -> Iterator[Curve]:
    """Yield the curves of a file that follow a formula of the time."""
    for curve in json.loads((FOLDER / f"{file}.json").read_text())["curves"]:
        if curve["name"] not in BY_METRIC.get(file, ()):
            yield curve


def apart(
    curve: Curve, make: Callable[[int], Schedule], track: str | None = None, *, of_the_largest: bool = False
) -> float:
    """Return the largest relative error of a curve's definitions (by param group) over its steps.

    It is relative to each value; where that is 0, or `of_the_largest` is asked for, to the curve's largest.
    `track` is what else than the lr.
    """
    pairs = curve["values"] if track is None else curve["tracks"][track]
    groups = len(_numbers(pairs[0][1]))
    bases = curve["base"] if isinstance(curve["base"], list) else [curve["base"] or 1.0] * groups
    largest = max(abs(number) for _, value in pairs for number in _numbers(value))
    worst = 0.0
    for group, base in enumerate(bases):
        scale = _lr_scales(curve)[group] if "lr_scale" in (curve.get("note") or "") else 1.0
        ours = values(make(group), [step for step, _ in pairs], base)
        for (_, value), found in zip(pairs, ours, strict=True):
            wanted = _numbers(value)[group]
            whole = largest if of_the_largest or wanted == 0.0 else abs(wanted)
            worst = max(worst, abs(found * scale - wanted) / (whole or 1.0))
    return worst


_OF_A_STEP = {"steps": 1, "samples": 4, "tokens": 512}
"""What a batch has in the file of Composer."""


def values(schedule: Schedule, steps: list[int], base: float) -> list[float]:
    """Return a schedule's values at steps."""
    row = {"lr": (base,)}
    if isinstance(schedule, ClosedForm) and schedule.closed:
        axis, (curve,), _ = schedule._compiled(row)
        return [curve(float(step * _OF_A_STEP[axis])) for step in steps]
    found = [cursor.begin(schedule, row, row).row]
    found += cursor.extend(schedule, row, cursor.begin(schedule, row, row), steps[-1])[1]
    return [float(found[step]["lr"][0]) for step in steps]


def _numbers(value: float | list[float]) -> list[float]:
    return value if isinstance(value, list) else [value]


def _lr_scales(curve: Curve) -> list[float]:
    found: list[float] = json.loads(curve["note"].removeprefix("the groups have lr_scale "))
    return found


def _hf(curve: Curve) -> dict[str, Any]:
    arguments = dict(curve["arguments"])
    own = arguments.pop("scheduler_specific_kwargs", {})
    base = curve["base"]
    return {**arguments, **own, "lr": base[0] if isinstance(base, list) else base}


def _config(curve: Curve) -> dict[str, Any]:
    return {"type": curve["name"], "params": curve["arguments"]}


def _composer(curve: Curve) -> dict[str, Any]:
    found = re.match(
        r"max_duration (\w+), scale_schedule_ratio ([\d.]+); .* an epoch (\d+) batches", curve["note"]
    )
    assert found is not None
    return {
        "max_duration": found[1],
        "scale_schedule_ratio": float(found[2]),
        "batches_per_epoch": int(found[3]),
    }


def megatron_group(curve: Curve, group: int) -> dict[str, Any]:
    """Return what a param group of Megatron-LM has of its own, and the unit: golden steps are samples already."""
    _, _, groups = curve["note"].partition("the groups hold ")
    own = ast.literal_eval(groups)[group] if groups else {}
    return {"unit": "steps", **own}


def mmengine_momentum(curve: Curve) -> Schedule:
    """Return the definition of a curve's momentum."""
    return _mmengine(curve, "momentum")


def _mmengine(curve: Curve, track: str) -> Schedule:
    if curve["case"].startswith("overlap"):
        return OVERLAP
    if curve["name"] != "list":
        return S.from_mmengine({"type": curve["name"], **curve["arguments"]}, track=track)
    return S.from_mmengine(curve["arguments"]["param_scheduler"], epoch_length=5, track=track)


def ignite_momentum(curve: Curve) -> Schedule:
    """Return the definition of a curve's momentum."""
    return _ignite(curve, 0, "momentum")


def _ignite(curve: Curve, group: int, track: str) -> Schedule:
    if curve["arguments"].get("param_name", track) != track:
        return S.Constant()
    base = curve["base"]
    lr = base[group] if isinstance(base, list) else base
    return S.from_ignite(curve["name"], lr=lr, group=group, track=track, **curve["arguments"])


def megatron_weight_decay(curve: Curve, group: int) -> Schedule:
    """Return the definition of a curve's weight decay."""
    own = megatron_group(curve, group)
    made = weight_decay_from_megatron(**{**curve["arguments"], **own})
    return S.Affine(made, scale=own["wd_mult"]) if "wd_mult" in own else made
