"""Golden numbers of Hugging Face transformers: every name of `get_scheduler`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from transformers.optimization import get_scheduler
from transformers.trainer_utils import SchedulerType

from scripts.goldens.loop import optimizer_with, run
from scripts.goldens.write import Curve, Value, accuracies, curve, falling, losses, write

_STEPS = 92
# name: case: warmup steps, training steps, the schedule's own arguments
_CASES: dict[str, dict[str, tuple[int | None, int | None, dict[str, Any]]]] = {
    "constant": {"plain": (None, None, {}), "arguments-ignored": (10, 80, {})},
    "constant_with_warmup": {"w10": (10, None, {}), "w1": (1, 80, {}), "w0": (0, 80, {})},
    "linear": {"w10": (10, 80, {}), "w0": (0, 80, {}), "w80": (80, 80, {}), "w7-t61": (7, 61, {})},
    "cosine": {
        "half-wave": (10, 80, {}),
        "no-warmup": (0, 80, {}),
        "one-and-a-half": (10, 80, {"num_cycles": 1.5}),
        "a-third": (5, 70, {"num_cycles": 0.3}),
    },
    "cosine_with_restarts": {
        "one": (10, 80, {}),
        "three": (10, 80, {"num_cycles": 3}),
        "four-no-warmup": (0, 80, {"num_cycles": 4}),
        "two-and-a-half": (5, 80, {"num_cycles": 2.5}),
    },
    "polynomial": {
        "default": (10, 80, {}),
        "square": (10, 80, {"power": 2.0}),
        "lr_end": (0, 80, {"lr_end": 0.01, "power": 1.5}),
        "root": (5, 70, {"lr_end": 0.0, "power": 0.5}),
    },
    "inverse_sqrt": {
        "w10": (10, None, {}),
        "no-warmup": (0, 80, {}),
        "timescale": (10, 80, {"timescale": 25}),
        "timescale-no-warmup": (0, None, {"timescale": 4}),
    },
    "cosine_with_min_lr": {
        "min_lr": (10, 80, {"min_lr": 0.01}),
        "rate": (10, 80, {"min_lr_rate": 0.25}),
        "no-warmup-one-wave": (0, 80, {"min_lr_rate": 0.1, "num_cycles": 1.0}),
    },
    "cosine_warmup_with_min_lr": {
        "min_lr": (10, 80, {"min_lr": 0.01}),
        "warmup-rate": (10, 80, {"min_lr_rate": 0.25, "warmup_lr_rate": 0.2}),
        "warmup-rate-zero": (8, 70, {"min_lr": 0.001, "warmup_lr_rate": 0.0}),
        "no-warmup": (0, 80, {"min_lr_rate": 0.1}),
        "one-wave": (10, 80, {"min_lr_rate": 0.1, "num_cycles": 1.0}),
    },
    "warmup_stable_decay": {
        f"{warmup}-{decay}": (
            12,
            80,
            {"num_decay_steps": 20, "warmup_type": warmup, "decay_type": decay, **more},
        )
        for warmup, more in (
            ("linear", {}),
            ("cosine", {"min_lr_ratio": 0.1}),
            ("1-sqrt", {"min_lr_ratio": 0.01}),
        )
        for decay in ("linear", "cosine", "1-sqrt")
    }
    | {
        "stable-given": (10, None, {"num_decay_steps": 20, "num_stable_steps": 30, "min_lr_ratio": 0.2}),
        "one-wave": (10, 80, {"num_decay_steps": 40, "num_cycles": 1.0}),
        "no-warmup": (0, 80, {"num_decay_steps": 30}),
    },
}
# name: case: what is reported, arguments
_METRIC_CASES: dict[str, dict[str, tuple[Sequence[float], dict[str, Any]]]] = {
    "reduce_lr_on_plateau": {
        "factor-patience": (losses(120), {"factor": 0.5, "patience": 3}),
        "max-abs": (
            accuracies(120),
            {"mode": "max", "threshold_mode": "abs", "threshold": 0.01, "patience": 2},
        ),
        "cooldown-min_lr": (losses(120), {"factor": 0.3, "patience": 2, "cooldown": 5, "min_lr": 0.002}),
        "defaults": (falling(60, 20), {}),
    },
    "greedy": {
        "defaults": (losses(120), {}),
        "rises": (falling(90, 60), {"patience": 2, "factor": 0.8, "max_lr": 0.5, "min_lr": 0.01}),
        "falls-and-starts-again": (
            falling(110, 12),
            {"patience": 1, "factor": 0.5, "min_lr": 0.01, "reset_start": 8},
        ),
        "cooldown-warmup": (losses(120), {"patience": 1, "factor": 0.7, "cooldown": 4, "warmup": 3}),
        "max-rel-smooth": (
            accuracies(120),
            {
                "mode": "max",
                "threshold_mode": "rel",
                "threshold": 0.001,
                "patience": 2,
                "smooth": True,
                "window_size": 5,
            },
        ),
    },
}


_TRACES = 20
_REPORTS = 150


def drawn(number: int) -> tuple[Sequence[float], dict[str, Any]]:
    """What is reported in a random trace, and the arguments of its GreedyLR: all that there are."""
    random = Random(number)  # noqa: S311
    mode = random.choice(["min", "max"])
    metric, metrics = random.uniform(0.5, 3.0), []
    drift = 0.0
    for report in range(_REPORTS):
        if report % 25 == 0:
            drift = random.choice([-0.02, -0.01, 0.0, 0.0, 0.01])
        metric = max(0.01, metric * (1 + drift))
        noise = random.choice([0.0, 0.01, 0.05])
        metrics.append(round(metric * (1 + random.uniform(-noise, noise)), 4))
    if mode == "max":
        metrics = [round(4.0 - metric, 4) for metric in metrics]
    arguments = {
        "mode": mode,
        "factor": random.choice([0.5, 0.7, 0.9, 0.95]),
        "patience": random.randrange(4),
        "threshold": random.choice([0.0, 1e-6, 1e-3, 0.01]),
        "threshold_mode": random.choice(["abs", "rel"]),
        "cooldown": random.choice([0, 0, 2, 5]),
        "warmup": random.choice([0, 0, 1, 4]),
        "min_lr": random.choice([0.0, 1e-3, 0.02, 0.08]),
        "max_lr": random.choice([0.15, 1.0, 100.0]),
        "eps": random.choice([1e-8, 1e-8, 1e-3]),
        "smooth": random.choice([False, False, True]),
        "window_size": random.choice([2, 5, 17]),
        "reset_start": random.choice([1, 3, 6, 500]),
    }
    return metrics, arguments


_METRIC_CASES["greedy"] |= {f"random-{number}": drawn(number) for number in range(_TRACES)}


def by_step(name: str, case: str, base: Value = 0.1) -> Curve:
    """A curve of the step alone."""
    warmup, total, own = _CASES[name][case]
    given = {"num_warmup_steps": warmup, "num_training_steps": total, "scheduler_specific_kwargs": own}
    arguments = {key: value for key, value in given.items() if value not in (None, {})}
    optimizer = optimizer_with(base)
    scheduler = get_scheduler(name, optimizer, **arguments)
    values, _ = run(optimizer, lambda _step: scheduler.step(), _STEPS)
    return curve(name, case if base == 0.1 else f"{case}-groups", arguments, values, base=base)


def by_metric(name: str, case: str) -> Curve:
    """A curve that follows what is reported."""
    metrics, own = _METRIC_CASES[name][case]
    optimizer = optimizer_with(0.1)
    scheduler = get_scheduler(name, optimizer, scheduler_specific_kwargs=own)
    values, _ = run(optimizer, lambda step: scheduler.step(metrics[step]), len(metrics) + 1)
    return curve(name, case, {"scheduler_specific_kwargs": own}, values, base=0.1, metrics=metrics)


def curves() -> Iterator[Curve]:
    """All of them."""
    for name, cases in _CASES.items():
        for case in cases:
            yield by_step(name, case)
    yield by_step("constant", "plain", base=[0.1, 0.002])
    yield by_step("linear", "w10", base=[0.1, 0.002])
    yield by_step("cosine_with_min_lr", "min_lr", base=[0.1, 0.002])
    yield by_step("polynomial", "lr_end", base=[0.1, 0.002])
    for name, cases_by_metric in _METRIC_CASES.items():
        for case in cases_by_metric:
            yield by_metric(name, case)


if __name__ == "__main__":
    write("transformers", curves(), library="transformers", names=[one.value for one in SchedulerType])
