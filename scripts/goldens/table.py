"""The table of other libraries' schedules: how each is said here, and how far the two are apart.

`python -m scripts.goldens.table` writes docs/schedules-of-libraries.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml

from lrkeeper.schedules import Schedule, codec
from tests.goldens_as_definitions import (
    BY_METRIC,
    FILES,
    FOLDER,
    Curve,
    apart,
    curves,
    megatron_weight_decay,
    mmengine_momentum,
)

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "schedules-of-libraries.md"

_IN_FLOAT32 = {"optax", "keras"}
_INTO = {
    "transformers": ("transformers", "from_hf"),
    "timm": ("timm", "from_timm"),
    "deepspeed": ("DeepSpeed", "from_deepspeed"),
    "optax": ("optax", "from_optax"),
    "keras": ("Keras", "from_keras"),
    "mmengine": ("mmengine", "from_mmengine"),
    "ignite": ("pytorch-ignite", "from_ignite"),
    "composer": ("Composer", "from_composer"),
    "megatron": ("Megatron-LM", "from_megatron"),
}
_HEAD = """# Schedules of other libraries

What each library's schedule is here. `S.from_hf("linear", num_warmup_steps=10, num_training_steps=80)` and its like
(`from lrkeeper import schedules as S`) take the library's arguments and return the definition. Each row has an example,
and the largest relative error over all steps of all recorded curves of that name
([the golden files](design/goldens.md)), which go beyond the end. All agree: to 1e-12 of each value, and where a library
computes in float32 to 1e-6 of the curve's largest value (a float32 near 0 has lost the digits that would be compared).

This page is written by `python -m scripts.goldens.table`.
"""

_TAIL = """
## What is not the same

* **mmengine**: schedulers at work at the same time change each other's values. If they only multiply, they are a
  `product`. With an `eta_min` other than 0 among them there is no closed form, and `from_mmengine` refuses. Torch's
  classes give the same numbers, joined by hand: `S.ExponentialLR(0.99).then(S.ChainedScheduler([...]), at=20)`; so the
  list "overlap" is compared. The error of the linear OneCycleLR is mmengine's own: it loses digits near its end, where
  the value is a millionth of the largest.
* **timm**: noise is drawn from torch's generator anew at each time; no formula has it.
* **optax** and **Keras** compute in float32, for the most part even where float64 is switched on.
* **Cycles of whole lengths**, rounded down (Composer's and ignite's), are listed where they are no repetition of the
  first: a hundred of them.
* **pytorch-ignite**: functions are to be given as formulas. What its LRScheduler makes of a torch class is known for
  StepLR, ExponentialLR, CosineAnnealingLR and CosineAnnealingWarmRestarts.
* What follows a **metric** is no formula of the time: `reduce_lr_on_plateau`, `plateau` and `greedy` are for that.
"""


def page() -> str:
    """Return the page."""
    parts = [_HEAD]
    for file, (library, importer) in _INTO.items():
        version = json.loads((FOLDER / f"{file}.json").read_text())["version"]
        parts.append(f"\n## {library} {version}: `S.{importer}`\n\n")
        parts.append("| name | example | written here | off by at most |\n|---|---|---|---|\n")
        parts += rows(file)
    return "".join([*parts, _TAIL])


def rows(file: str) -> Iterator[str]:
    """Yield a library's rows."""
    by_name: dict[str, list[Curve]] = {}
    for curve in curves(file):
        by_name.setdefault(curve["name"], []).append(curve)
    for name, each in by_name.items():
        single = file in _IN_FLOAT32
        worst = max(_apart(file, curve, single) for curve in each)
        error = f"{_rounded_up(worst)}{' of the largest' if single else ''}"
        made = _made(file, each[0], 0)
        call = f"`{made.made_from}`".replace("|", "\\|") if made.made_from else _arguments(each[0])
        yield f"| {name} | {call} | `{_written(made)}` | {error} |\n"
    for name in sorted(BY_METRIC.get(file, ())):
        yield f"| {name} | | | it follows a metric |\n"


def _track(file: str, curve: Curve) -> str | None:
    """Return what a curve is about, if not the lr."""
    if file == "mmengine" and curve["name"].endswith("Momentum"):
        return "momentum"
    return "weight_decay" if curve["name"].startswith("weight decay") else None


def _made(file: str, curve: Curve, group: int) -> Schedule:
    track = _track(file, curve)
    if track == "momentum":
        return mmengine_momentum(curve)
    if track == "weight_decay":
        return megatron_weight_decay(curve, group)
    return FILES[file](curve, group)


def _apart(file: str, curve: Curve, single: bool) -> float:
    track = _track(file, curve)
    curve = {**curve, "base": 0.9} if track == "momentum" else curve
    return apart(curve, lambda group: _made(file, curve, group), track, of_the_largest=single)


def _written(schedule: Schedule) -> str:
    """Return a definition as a person writes it."""
    short = _short(schedule)
    assert codec.from_dict(short) == schedule, short
    text = yaml.safe_dump(short, default_flow_style=True, width=1 << 30, sort_keys=False)
    return text.strip()[1:-1].replace("|", "\\|")


def _short(value: Any) -> Any:
    """Return a definition as JSON's types, without what is so by default."""
    if isinstance(value, tuple):
        return [_short(item) for item in value]
    if not is_dataclass(value):
        return int(value) if isinstance(value, float) and value.is_integer() else value
    given = {field.name: getattr(value, field.name) for field in fields(value)}
    defaults = {field.name: field.default for field in fields(value)}
    short = {name: _short(item) for name, item in given.items() if item != defaults[name]}
    return {value.kind: short} if isinstance(value, Schedule) else short


def _arguments(curve: Curve) -> str:
    given = ", ".join(f"{name}={value!r}" for name, value in curve["arguments"].items())
    return f"`{given}`" if given else ""


def _rounded_up(error: float) -> str:
    """Return a power of ten: the last digit of an error is the machine's."""
    return "0" if error == 0 else f"1e{math.ceil(math.log10(error))}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
