"""Golden numbers of pytorch-ignite: every scheduler of `ignite.handlers`.

An argument that is a scheduler is written as its name and arguments, one that is a function as Python text.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Iterator
from typing import Any

import ignite.handlers as handlers
import torch
from ignite.engine import Engine, Events
from torch.utils.data import DataLoader, TensorDataset

from scripts.goldens.loop import optimizer_with, run
from scripts.goldens.write import Curve, Value, accuracies, curve, falling, losses, write

_STEPS = 90
Schema = dict[str, Any]


def _of(name: str, **arguments: Any) -> Schema:
    return {"name": name, "arguments": arguments}


def _cycle(kind: str, start: float, end: float, size: int, **more: Any) -> Schema:
    given = {"param_name": "lr", "start_value": start, "end_value": end, "cycle_size": size}
    return _of(kind, **(given | more))


def _cosine(start: float, end: float, size: int, **more: Any) -> Schema:
    return _cycle("CosineAnnealingScheduler", start, end, size, **more)


def _linear(start: float, end: float, size: int, **more: Any) -> Schema:
    return _cycle("LinearCyclicalScheduler", start, end, size, **more)


def _pieces(*pairs: tuple[int, float], **more: Any) -> Schema:
    return _of("PiecewiseLinear", **({"param_name": "lr", "milestones_values": pairs} | more))


def _torch(name: str, **arguments: Any) -> Schema:
    return _of(f"torch.optim.lr_scheduler.{name}", **arguments)


def _warmed(after: Schema, duration: int, **more: Any) -> Schema:
    given = {"lr_scheduler": after, "warmup_start_value": 0.0, "warmup_duration": duration}
    return _of("create_lr_scheduler_with_warmup", **(given | more))


_ALL_MULTS = {"cycle_mult": 1.5, "start_value_mult": 0.8, "end_value_mult": 0.5}
_SCHEMAS: dict[str, Schema] = {
    "plain": _cosine(0.1, 0.001, 40),
    "mults": _cosine(0.1, 0.01, 16, **_ALL_MULTS),
    "rising": _cosine(0.001, 0.1, 15, end_value_mult=0.7),
    "warmup_duration": _cosine(0.1, 0.001, 20, warmup_duration=8, start_value_mult=0.5),
    "momentum": _cosine(0.95, 0.85, 25, param_name="momentum"),
    "triangle": _linear(0.001, 0.1, 30),
    "triangle-mults": _linear(0.001, 0.1, 16, **_ALL_MULTS),
    "monotonic": _linear(0.1, 0.0, 40, monotonic=True),
    "monotonic-warmup_duration": _linear(0.1, 0.01, 15, monotonic=True, warmup_duration=5, cycle_mult=2.0),
    "odd-size": _linear(0.1, 0.02, 7, start_value_mult=0.9),
    "warmup-hold-fall": _pieces((0, 0.0), (10, 0.1), (40, 0.1), (70, 0.001)),
    "starts-late": _pieces((15, 0.1), (25, 0.05), (60, 0.0)),
    "one-point-two-at-once": _pieces((0, 0.1), (30, 0.1), (31, 0.01), (60, 0.01)),
    "momentum-pieces": _pieces((0, 0.8), (30, 0.95), (60, 0.9), param_name="momentum"),
    "linear-then-cosine": _of(
        "ConcatScheduler", schedulers=[_linear(0.01, 0.1, 40), _cosine(0.1, 0.001, 50)], durations=[20]
    ),
    "three": _of(
        "ConcatScheduler",
        schedulers=[
            _pieces((0, 0.0), (9, 0.1)),
            _linear(0.1, 0.02, 20),
            _cosine(0.05, 0.0, 30, end_value_mult=2.0),
        ],
        durations=[10, 35],
    ),
    "cut-off": _of(
        "ConcatScheduler", schedulers=[_cosine(0.1, 0.0, 60), _cosine(0.2, 0.0, 30)], durations=[25]
    ),
    "StepLR": _of("LRScheduler", lr_scheduler=_torch("StepLR", step_size=20, gamma=0.5)),
    "CosineAnnealingLR": _of(
        "LRScheduler", lr_scheduler=_torch("CosineAnnealingLR", T_max=40, eta_min=0.001)
    ),
    "ExponentialLR": _of("LRScheduler", lr_scheduler=_torch("ExponentialLR", gamma=0.95)),
    "warm-restarts": _of("LRScheduler", lr_scheduler=_torch("CosineAnnealingWarmRestarts", T_0=10, T_mult=2)),
    "torch-step": _warmed(_torch("StepLR", step_size=15, gamma=0.5), 10),
    "torch-other-end": _warmed(_torch("ExponentialLR", gamma=0.95), 10, warmup_end_value=0.2),
    "torch-cosine": _warmed(_torch("CosineAnnealingLR", T_max=60), 12, warmup_start_value=0.01),
    "cosine-same-end": _warmed(_cosine(0.1, 0.001, 50), 10),
    "cosine-other-end": _warmed(_cosine(0.1, 0.001, 50), 10, warmup_end_value=0.05),
    "two-events": _warmed(_cosine(0.1, 0.001, 50), 2),
    "two-groups": _of(
        "ParamGroupScheduler",
        schedulers=[_linear(0.0, 0.1, 40, param_group_index=0), _cosine(0.02, 0.0, 30, param_group_index=1)],
    ),
    "two-groups-same": _of(
        "ParamGroupScheduler",
        schedulers=[_pieces((0, 0.1), (60, 0.0), param_group_index=group) for group in (0, 1)],
    ),
    "two-groups-warmed": _warmed(_torch("StepLR", step_size=15, gamma=0.5), 10),
    "lr-and-momentum": _of(
        "ParamGroupScheduler",
        schedulers=[_linear(0.01, 0.1, 40), _linear(0.95, 0.85, 40, param_name="momentum")],
    ),
}
_METRICS: dict[str, tuple[list[float], dict[str, Any]]] = {
    "plain": (losses(90), {"factor": 0.5, "patience": 3}),
    "max-cooldown": (accuracies(90), {"mode": "max", "patience": 2, "cooldown": 4, "threshold_mode": "abs"}),
    "min_lr-ignored": (falling(50, 10), {"factor": 0.3, "patience": 1, "min_lr": 0.01}),
}
_STATES: dict[str, dict[str, dict[str, Any]]] = {
    "LambdaStateScheduler": {
        "exponential": {"lambda_obj": "0.1 * 0.98 ** event_index"},
        "inverse": {"lambda_obj": "0.1 / (1 + 0.05 * event_index)"},
        "floor": {"lambda_obj": "max(0.01, 0.1 - 0.002 * event_index)"},
    },
    "PiecewiseLinearStateScheduler": {
        "falls": {"milestones_values": [(0, 0.5), (20, 0.5), (60, 0.1)]},
        "starts-late": {"milestones_values": [(10, 0.0), (30, 1.0)]},
        "one": {"milestones_values": [(5, 0.3)]},
    },
    "ExpStateScheduler": {f"{gamma}": {"initial_value": 0.1, "gamma": gamma} for gamma in (0.9, 0.99, 1.01)},
    "StepStateScheduler": {
        f"{size}": {"initial_value": 0.1, "gamma": 0.5, "step_size": size} for size in (1, 10, 25)
    },
    "MultiStepStateScheduler": {
        "two": {"initial_value": 0.1, "gamma": 0.1, "milestones": [10, 40]},
        "three": {"initial_value": 1.0, "gamma": 0.5, "milestones": [1, 20, 20]},
        "one": {"initial_value": 0.1, "gamma": 2.0, "milestones": [30]},
    },
}
_BATCH_SIZES = {
    "doubles": "min(64, 8 * 2 ** (event_index // 10))",
    "grows": "4 + event_index",
    "switches": "16 if event_index < 30 else 48",
}


def made(schema: Any, optimizer: Any) -> Any:
    """The scheduler of a schema, with those it holds."""
    if isinstance(schema, list):
        return [made(one, optimizer) for one in schema]
    if not isinstance(schema, dict) or "name" not in schema:
        return schema
    arguments = {key: made(value, optimizer) for key, value in schema["arguments"].items()}
    name: str = schema["name"]
    if name.startswith("torch."):
        return getattr(torch.optim.lr_scheduler, name.rpartition(".")[2])(optimizer, **arguments)
    takes_optimizer = "optimizer" in inspect.signature(getattr(handlers, name).__init__).parameters
    if takes_optimizer or name in ("LinearCyclicalScheduler", "CosineAnnealingScheduler"):
        return getattr(handlers, name)(optimizer, **arguments)
    return getattr(handlers, name)(**arguments)


def by_event(case: str) -> Curve:
    """A curve of a scheduler that is called as each iteration starts."""
    schema = _SCHEMAS[case]
    base: Value = [0.1, 0.02] if case.startswith("two-groups") else 0.1
    optimizer = optimizer_with(base)
    scheduler = made(schema, optimizer)
    engine = Engine(lambda _engine, _batch: None)
    track = "momentum" if "momentum" in case else None
    values, tracks = run(
        optimizer, lambda _step: None, _STEPS, track=track, before=lambda _step: scheduler(engine)
    )
    note = "called at Events.ITERATION_STARTED"
    if schema["name"] == "LRScheduler":
        note += "; ignite asks torch's get_lr anew at step 0: a class that multiplies the present lr is one step ahead"
    return curve(schema["name"], case, schema["arguments"], values, base=base, tracks=tracks, note=note)


def by_metric(case: str) -> Curve:
    """A curve that follows what an evaluator reports after each step."""
    metrics, own = _METRICS[case]
    optimizer = optimizer_with(0.1)
    scheduler = handlers.ReduceLROnPlateauScheduler(optimizer, metric_name="loss", **own)
    evaluator = Engine(lambda _engine, _batch: None)

    def after(step: int) -> None:
        evaluator.state.metrics = {"loss": metrics[step]}
        scheduler(evaluator)

    values, _ = run(optimizer, after, len(metrics) + 1)
    arguments = {"metric_name": "loss", **own}
    return curve("ReduceLROnPlateauScheduler", case, arguments, values, base=0.1, metrics=metrics)


def of_state(name: str, case: str) -> Curve:
    """A curve of a value in the engine's state; before its first event there is none."""
    arguments = _STATES[name][case]
    passed = dict(arguments)
    if "lambda_obj" in passed:
        passed["lambda_obj"] = _function(passed["lambda_obj"])
    scheduler = getattr(handlers, name)(param_name="value", create_new=True, **passed)
    seen: list[Value] = []
    engine = Engine(lambda engine, _batch: seen.append(engine.state.value))
    scheduler.attach(engine, Events.ITERATION_COMPLETED)
    engine.run(range(_STEPS))
    note = "attached to Events.ITERATION_COMPLETED, as by default: at step 0 the value is None"
    return curve(name, case, arguments, seen[1:], base=None, times=range(1, _STEPS), note=note)


def of_batch_size(case: str) -> Curve:
    """A curve of a loader's batch size, set as each epoch starts."""
    loader: DataLoader[Any] = DataLoader(TensorDataset(torch.zeros(8)), batch_size=2)
    scheduler = handlers.BatchSizeScheduler(loader, _function(_BATCH_SIZES[case]))
    seen: list[Value] = []
    for _ in range(_STEPS):
        scheduler(None)
        seen.append(loader.batch_sampler.batch_size)  # type: ignore[union-attr]
    arguments = {"scheduler_fn": _BATCH_SIZES[case]}
    note = "the values are batch sizes; called at Events.EPOCH_STARTED"
    return curve("BatchSizeScheduler", case, arguments, seen, base=None, unit="epoch", note=note)


def curves() -> Iterator[Curve]:
    """All of them."""
    yield from (by_event(case) for case in _SCHEMAS)
    yield from (by_metric(case) for case in _METRICS)
    for name, cases in _STATES.items():
        yield from (of_state(name, case) for case in cases)
    yield from (of_batch_size(case) for case in _BATCH_SIZES)


def offered() -> list[str]:
    """The concrete schedulers of `ignite.handlers`, and the function that makes one."""
    classes = [
        name
        for name, found in vars(handlers).items()
        if inspect.isclass(found) and not inspect.isabstract(found)
    ]
    schedulers = [name for name in classes if name.endswith("Scheduler") or name == "PiecewiseLinear"]
    return [*schedulers, "create_lr_scheduler_with_warmup"]


def _function(text: str) -> Any:
    return eval(f"lambda event_index: {text}")  # noqa: S307 - the texts above


if __name__ == "__main__":
    logging.disable()
    write("ignite", curves(), library="pytorch-ignite", names=offered())
