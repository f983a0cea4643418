"""Golden numbers of MosaicML Composer: every scheduler of `composer.optim`.

The whole package does not import beside a newer torch, so its schedulers, times and enums are imported alone. A
scheduler reads three attributes of Composer's `State`; an object with these, and a real `Timestamp`, stands for it.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from scripts.goldens.bare import bare
from scripts.goldens.write import Curve, curve, write

for _package in ("composer", "composer.core", "composer.utils", "composer.optim"):
    bare(_package)
sys.modules["composer.utils"].StringEnum = import_module("composer.utils.string_enum").StringEnum  # type: ignore[attr-defined]
_TIME = import_module("composer.core.time")
for _name, _found in {"Time": _TIME.Time, "TimeUnit": _TIME.TimeUnit, "State": SimpleNamespace}.items():
    setattr(sys.modules["composer.core"], _name, _found)
_SCHEDULER = import_module("composer.optim.scheduler")

_STEPS = 95
_EPOCH = 8  # batches
_SAMPLES, _TOKENS = 4, 512  # in a batch
_WARMUP = {"t_warmup": "10ba"}

# class: case: max_duration, scale_schedule_ratio, arguments
_CASES: dict[str, dict[str, tuple[str, float, dict[str, Any]]]] = {
    "StepScheduler": {
        "batches": ("80ba", 1.0, {"step_size": "20ba"}),
        "epochs": ("10ep", 1.0, {"step_size": "3ep", "gamma": 0.5}),
        "ratio": ("80ba", 0.5, {"step_size": "25ba", "gamma": 0.3}),
    },
    "MultiStepScheduler": {
        "batches": ("80ba", 1.0, {"milestones": ["20ba", "50ba"]}),
        "mixed": ("10ep", 1.0, {"milestones": ["2ep", "0.5dur", "70ba"], "gamma": 0.5}),
        "samples": ("320sp", 1.0, {"milestones": ["90sp", "200sp"], "gamma": 0.2}),
    },
    "ConstantScheduler": {
        "defaults": ("80ba", 1.0, {}),
        "alpha": ("80ba", 1.0, {"alpha": 0.5, "t_max": "40ba"}),
        "epochs": ("10ep", 1.0, {"alpha": 0.2, "t_max": "4ep"}),
    },
    "LinearScheduler": {
        "defaults": ("80ba", 1.0, {}),
        "alphas": ("10ep", 1.0, {"alpha_i": 0.2, "alpha_f": 0.8, "t_max": "5ep"}),
        "tokens": ("40960tok", 1.0, {"alpha_f": 0.1, "t_max": "30000tok"}),
        "ratio": ("40ba", 0.5, {"t_max": "80ba"}),
    },
    "ExponentialScheduler": {
        "epochs": ("10ep", 1.0, {"gamma": 0.7}),
        "batches": ("80ba", 1.0, {"gamma": 0.5, "decay_period": "15ba"}),
        "samples": ("320sp", 1.0, {"gamma": 0.9, "decay_period": "20sp"}),
    },
    "CosineAnnealingScheduler": {
        "defaults": ("80ba", 1.0, {}),
        "alpha_f": ("10ep", 1.0, {"alpha_f": 0.1, "t_max": "0.75dur"}),
        "tokens": ("40960tok", 1.0, {"alpha_f": 0.05, "t_max": "1dur"}),
    },
    "CosineAnnealingWarmRestartsScheduler": {
        "equal": ("80ba", 1.0, {"t_0": "20ba"}),
        "t_mult": ("80ba", 1.0, {"t_0": "7ba", "t_mult": 1.5, "alpha_f": 0.1}),
        "epochs": ("10ep", 1.0, {"t_0": "1ep", "t_mult": 2.0}),
    },
    "PolynomialScheduler": {
        "square": ("80ba", 1.0, {"power": 2.0}),
        "root": ("80ba", 1.0, {"power": 0.5, "alpha_f": 0.1, "t_max": "60ba"}),
        "epochs": ("10ep", 1.0, {"power": 3.0, "t_max": "9ep"}),
    },
    "MultiStepWithWarmupScheduler": {
        "batches": ("80ba", 1.0, {**_WARMUP, "milestones": ["30ba", "60ba"]}),
        "milestone-in-warmup": (
            "80ba",
            1.0,
            {"t_warmup": "0.25dur", "milestones": ["5ba", "50ba"], "gamma": 0.5},
        ),
        "ratio": ("80ba", 0.5, {**_WARMUP, "milestones": ["60ba", "100ba"], "gamma": 0.5}),
    },
    "ConstantWithWarmupScheduler": {
        "defaults": ("80ba", 1.0, {**_WARMUP}),
        "alpha": ("80ba", 1.0, {"t_warmup": "0.2dur", "alpha": 0.5}),
        "samples": ("320sp", 1.0, {"t_warmup": "50sp", "t_max": "400sp"}),
    },
    "LinearWithWarmupScheduler": {
        "defaults": ("80ba", 1.0, {**_WARMUP}),
        "alphas": ("80ba", 1.0, {"t_warmup": "15ba", "alpha_i": 0.8, "alpha_f": 0.1, "t_max": "90ba"}),
        "ratio": ("40ba", 0.5, {**_WARMUP, "t_max": "80ba"}),
        "ratio-scales-warmup": ("40ba", 0.5, {**_WARMUP, "t_max": "80ba", "scale_warmup": True}),
    },
    "CosineAnnealingWithWarmupScheduler": {
        "defaults": ("80ba", 1.0, {**_WARMUP}),
        "alpha_f": ("80ba", 1.0, {"t_warmup": "0.1dur", "alpha_f": 0.1}),
        "tokens": ("40960tok", 1.0, {"t_warmup": "5000tok", "alpha_f": 0.05}),
        "epochs": ("10ep", 1.0, {"t_warmup": "2ep", "t_max": "10ep"}),
    },
    "PolynomialWithWarmupScheduler": {
        "defaults": ("80ba", 1.0, {**_WARMUP}),
        "root": ("80ba", 1.0, {"t_warmup": "15ba", "power": 0.5, "alpha_f": 0.1}),
        "ratio-scales-warmup": ("40ba", 0.5, {**_WARMUP, "t_max": "80ba", "scale_warmup": True}),
    },
}


def by_batch(name: str, case: str) -> Curve:
    """A curve over batches, with the lr 0.1 that the factors multiply."""
    duration, ratio, arguments = _CASES[name][case]
    scheduler = getattr(_SCHEDULER, name)(**arguments)
    values = []
    for step in range(_STEPS):
        counts = {"batch": step, "epoch": step // _EPOCH, "sample": step * _SAMPLES, "token": step * _TOKENS}
        state = SimpleNamespace(
            timestamp=_TIME.Timestamp(batch_in_epoch=step % _EPOCH, **counts),
            max_duration=_TIME.Time.from_timestring(duration),
            dataloader_len=_EPOCH,
        )
        values.append(0.1 * scheduler(state, ratio))
    note = f"max_duration {duration}, scale_schedule_ratio {ratio}; "
    note += f"a batch has {_SAMPLES} samples and {_TOKENS} tokens, an epoch {_EPOCH} batches"
    return curve(name, case, arguments, values, base=0.1, note=note)


def curves() -> Iterator[Curve]:
    """All of them."""
    for name, cases in _CASES.items():
        yield from (by_batch(name, case) for case in cases)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    names = [
        name for name in _SCHEDULER.__all__ if name.endswith("Scheduler") and name != "ComposerScheduler"
    ]
    write("composer", curves(), library="mosaicml", names=names)
