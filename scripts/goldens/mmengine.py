"""Golden numbers of mmengine: every lr and momentum class of `mmengine.optim.scheduler`, and lists of them.

The classes for any parameter (`...ParamScheduler`) are the same code under another name, and left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mmengine.optim import scheduler as mmengine_scheduler
from mmengine.registry import PARAM_SCHEDULERS
from torch.optim import SGD, Adam

from scripts.goldens.loop import optimizer_with, run
from scripts.goldens.write import Curve, Value, accuracies, curve, falling, losses, write

_STEPS = 80
_EPOCH = 5  # iterations
_END = {"begin": 10, "end": 50}
_ITERATIONS = {"by_epoch": False}
_WARMUP = {"type": "LinearLR", "start_factor": 0.1, "by_epoch": False, "begin": 0, "end": 10}
_NAMES = [name for name in mmengine_scheduler.__all__ if name.endswith(("LR", "Momentum"))]

# kind: case: arguments; each for the lr and, where there is one, for the momentum
_CASES: dict[str, dict[str, dict[str, Any]]] = {
    "Constant": {
        "end": {"factor": 0.5, "end": 20},
        "window": {"factor": 0.25, **_END},
        "no-end": {"factor": 0.3, **_ITERATIONS},
    },
    "CosineAnnealing": {
        "T_max": {"T_max": 40, "eta_min": 0.005},
        "window": {"eta_min": 0.01, **_END, **_ITERATIONS},
        "ratio": {"eta_min_ratio": 0.1, "begin": 0, "end": 60},
        "T_max-shorter-than-window": {"T_max": 15, "eta_min": 0.002, "begin": 5, "end": 60},
    },
    "Exponential": {
        "plain": {"gamma": 0.95},
        "window": {"gamma": 0.9, **_END},
        "iterations": {"gamma": 0.98, **_ITERATIONS},
    },
    "Linear": {
        "warmup": {"start_factor": 0.1, "end": 20},
        "default": {"begin": 0, "end": 30, **_ITERATIONS},
        "falls": {"start_factor": 1.0, "end_factor": 0.2, **_END},
    },
    "MultiStep": {
        "plain": {"milestones": [20, 45], "gamma": 0.1},
        "window": {"milestones": [5, 20, 45], "gamma": 0.5, **_END},
        "milestone-twice": {"milestones": [15, 30, 30], "gamma": 0.5, **_ITERATIONS},
    },
    "Step": {
        "plain": {"step_size": 15},
        "window": {"step_size": 12, "gamma": 0.5, **_END},
        "iterations": {"step_size": 7, "gamma": 0.8, **_ITERATIONS},
    },
    "Poly": {
        "linear": {"end": 60},
        "power": {"power": 0.9, "eta_min": 0.002, "end": 60, **_ITERATIONS},
        "window": {"power": 2.0, "eta_min": 0.01, **_END},
    },
    "CosineRestart": {
        "equal": {"periods": [20, 20, 20], "restart_weights": [1, 1, 1], "eta_min": 0.001},
        "weights": {"periods": [10, 20, 30], "restart_weights": [1, 0.5, 0.25], "eta_min_ratio": 0.1},
        "window": {"periods": [15, 25], "restart_weights": [1, 0.6], "eta_min": 0.0, "begin": 10, "end": 45},
    },
}
_ONE_CYCLE: dict[str, dict[str, Any]] = {
    "cosine": {"eta_max": 0.2, "total_steps": 80},
    "linear": {"eta_max": 0.2, "total_steps": 80, "anneal_strategy": "linear", "pct_start": 0.25},
    "three-phases": {"eta_max": 0.2, "end": 70, "three_phase": True, "div_factor": 10.0, **_ITERATIONS},
    "window": {"eta_max": 0.2, "pct_start": 0.4, "final_div_factor": 100.0, **_END},
}
_METRIC_CASES: dict[str, tuple[Sequence[float], dict[str, Any]]] = {
    "defaults": (falling(60, 20), {}),
    "less": (losses(100), {"factor": 0.5, "patience": 3, "threshold_rule": "abs", "threshold": 0.005}),
    "greater-cooldown": (
        accuracies(100),
        {"rule": "greater", "patience": 2, "cooldown": 4, "min_value": 0.004},
    ),
    "window": (losses(100), {"factor": 0.7, "patience": 1, "begin": 20, "end": 80}),
}
# What a config's `param_scheduler` lists
_LISTS: dict[str, list[dict[str, Any]]] = {
    "warmup-then-cosine": [
        _WARMUP,
        {
            "type": "CosineAnnealingLR",
            "by_epoch": False,
            "T_max": 60,
            "eta_min": 0.001,
            "begin": 10,
            "end": 70,
        },
    ],
    "warmup-over-multistep": [_WARMUP, {"type": "MultiStepLR", "milestones": [5, 30, 60], "by_epoch": False}],
    "gap": [
        {"type": "LinearLR", "start_factor": 0.2, "by_epoch": False, "begin": 0, "end": 10},
        {"type": "PolyLR", "power": 1.0, "eta_min": 0.001, "by_epoch": False, "begin": 30, "end": 70},
    ],
    "overlap": [
        {"type": "ExponentialLR", "gamma": 0.99, "by_epoch": False, "begin": 0, "end": 60},
        {
            "type": "CosineAnnealingLR",
            "by_epoch": False,
            "T_max": 40,
            "eta_min": 0.01,
            "begin": 20,
            "end": 60,
        },
    ],
    "iterations-and-epochs": [_WARMUP, {"type": "StepLR", "step_size": 4, "gamma": 0.5, "by_epoch": True}],
    "converted": [
        {"type": "LinearLR", "start_factor": 0.1, "begin": 0, "end": 2, "convert_to_iter_based": True},
        {"type": "CosineAnnealingLR", "eta_min": 0.0, "begin": 2, "end": 14, "convert_to_iter_based": True},
        {
            "type": "CosineAnnealingMomentum",
            "eta_min": 0.8,
            "begin": 2,
            "end": 14,
            "convert_to_iter_based": True,
        },
    ],
}


def by_count(
    name: str, case: str, arguments: dict[str, Any], base: Value = 0.1, steps: int = _STEPS
) -> Curve:
    """A curve of one class, driven step by step."""
    moves_momentum = name.endswith("Momentum")
    optimizer = optimizer_with(base)
    scheduler = getattr(mmengine_scheduler, name)(optimizer, **arguments)
    track = "momentum" if moves_momentum else None
    values, tracks = run(optimizer, lambda _step: scheduler.step(), steps, track=track)
    unit = "step" if arguments.get("by_epoch") is False else "epoch"
    return curve(name, case, arguments, values, base=base, unit=unit, tracks=tracks)


def by_metric(name: str, case: str) -> Curve:
    """A curve that follows what is reported; the runner also steps the scheduler once a report without one."""
    metrics, arguments = _METRIC_CASES[case]
    moves_momentum = name.endswith("Momentum")
    optimizer = optimizer_with(0.1)
    scheduler = getattr(mmengine_scheduler, name)(optimizer, **arguments)

    def after(step: int) -> None:
        scheduler.step()
        scheduler.step({"loss": metrics[step]})

    values, tracks = run(optimizer, after, len(metrics) + 1, track="momentum" if moves_momentum else None)
    return curve(name, case, arguments, values, base=0.1, unit="epoch", tracks=tracks, metrics=metrics)


def by_list(case: str, base: Value = 0.1) -> Curve:
    """A curve of a list, built as the runner builds it, and stepped as its hooks do."""
    listed = _LISTS[case]
    moves_momentum = any(one["type"].endswith("Momentum") for one in listed)
    optimizer = optimizer_with(base, Adam if moves_momentum else SGD)
    given = {"optimizer": optimizer, "epoch_length": _EPOCH}
    schedulers = [PARAM_SCHEDULERS.build(dict(one), default_args=given) for one in listed]

    def after(step: int) -> None:
        for scheduler in schedulers:
            if not scheduler.by_epoch or (step + 1) % _EPOCH == 0:
                scheduler.step()

    values, tracks = run(optimizer, after, _STEPS, track="betas" if moves_momentum else None)
    kind = "" if base == 0.1 else "-groups"
    note = f"an epoch has {_EPOCH} iterations"
    return curve(
        "list", case + kind, {"param_scheduler": listed}, values, base=base, tracks=tracks, note=note
    )


def curves() -> Iterator[Curve]:
    """All of them."""
    for kind, cases in _CASES.items():
        for name in (f"{kind}LR", f"{kind}Momentum"):
            yield from (by_count(name, case, arguments) for case, arguments in cases.items())
    for case, arguments in _ONE_CYCLE.items():
        # Past its total of steps the class raises
        yield by_count("OneCycleLR", case, arguments, steps=arguments.get("total_steps", _STEPS - 1) + 1)
    for name in ("ReduceOnPlateauLR", "ReduceOnPlateauMomentum"):
        yield from (by_metric(name, case) for case in _METRIC_CASES)
    yield from (by_list(case) for case in _LISTS)
    yield by_list("warmup-then-cosine", [0.1, 0.02])
    yield by_list("overlap", [0.1, 0.02])


if __name__ == "__main__":
    write("mmengine", curves(), library="mmengine", names=[*_NAMES, "list"])
