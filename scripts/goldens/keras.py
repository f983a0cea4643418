"""Golden numbers of Keras: every `keras.optimizers.schedules` class, and the callback `ReduceLROnPlateau`.

Keras computes in `floatx`, float32 unless told otherwise, as `python -m scripts.goldens.keras float64` does. With its
numpy backend it computes in float32 whatever `floatx` is, so it runs with jax's: `KERAS_BACKEND=jax`.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from typing import Any

import jax
import keras
from keras.optimizers import schedules

from scripts.goldens.write import Curve, accuracies, curve, falling, losses, write

_STEPS = 95
_EXPONENTIAL = {"initial_learning_rate": 0.1, "decay_steps": 20}

# class: case: arguments
_CASES: dict[str, dict[str, dict[str, Any]]] = {
    "ExponentialDecay": {
        "plain": {**_EXPONENTIAL, "decay_rate": 0.5},
        "staircase": {**_EXPONENTIAL, "decay_rate": 0.5, "staircase": True},
        "slow": {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.96},
        "staircase-7": {"initial_learning_rate": 0.1, "decay_steps": 7, "decay_rate": 0.8, "staircase": True},
    },
    "PiecewiseConstantDecay": {
        "two": {"boundaries": [20, 50], "values": [0.1, 0.05, 0.01]},
        "one": {"boundaries": [40], "values": [0.1, 0.2]},
        "first-step": {"boundaries": [0, 30, 31], "values": [0.1, 0.05, 0.02, 0.01]},
    },
    "PolynomialDecay": {
        "defaults": {"initial_learning_rate": 0.1, "decay_steps": 80},
        "root": {"initial_learning_rate": 0.1, "decay_steps": 70, "end_learning_rate": 0.01, "power": 0.5},
        "cycle": {"initial_learning_rate": 0.1, "decay_steps": 30, "end_learning_rate": 0.01, "cycle": True},
        "cycle-square": {"initial_learning_rate": 0.1, "decay_steps": 25, "power": 2.0, "cycle": True},
    },
    "InverseTimeDecay": {
        "plain": {**_EXPONENTIAL, "decay_rate": 0.5},
        "staircase": {**_EXPONENTIAL, "decay_rate": 0.5, "staircase": True},
        "each-step": {"initial_learning_rate": 0.1, "decay_steps": 1, "decay_rate": 0.1},
    },
    "CosineDecay": {
        "plain": {"initial_learning_rate": 0.1, "decay_steps": 80},
        "alpha": {"initial_learning_rate": 0.1, "decay_steps": 70, "alpha": 0.1},
        "warmup": {"initial_learning_rate": 0.0, "decay_steps": 70, "warmup_target": 0.1, "warmup_steps": 10},
        "warmup-alpha": {
            "initial_learning_rate": 0.01,
            "decay_steps": 60,
            "alpha": 0.05,
            "warmup_target": 0.2,
            "warmup_steps": 20,
        },
        "warmup-steps-ignored": {"initial_learning_rate": 0.1, "decay_steps": 60, "warmup_steps": 20},
    },
    "CosineDecayRestarts": {
        "defaults": {"initial_learning_rate": 0.1, "first_decay_steps": 12},
        "equal": {"initial_learning_rate": 0.1, "first_decay_steps": 25, "t_mul": 1.0, "alpha": 0.1},
        "m_mul": {"initial_learning_rate": 0.1, "first_decay_steps": 20, "t_mul": 1.0, "m_mul": 0.7},
        "t_mul-m_mul-alpha": {
            "initial_learning_rate": 0.1,
            "first_decay_steps": 13,
            "t_mul": 1.5,
            "m_mul": 0.8,
            "alpha": 0.05,
        },
    },
}
_PLATEAU: dict[str, tuple[list[float], dict[str, Any]]] = {
    "defaults": (falling(60, 20), {"monitor": "loss"}),
    "patience": (losses(100), {"monitor": "loss", "factor": 0.5, "patience": 3, "min_delta": 0.005}),
    "max-cooldown": (
        accuracies(100),
        {"monitor": "metric", "mode": "max", "factor": 0.6, "patience": 2, "cooldown": 4, "min_lr": 0.005},
    ),
    "patience-0": (
        losses(60),
        {"monitor": "loss", "mode": "min", "factor": 0.9, "patience": 0, "min_delta": 5e-05},
    ),
}


def by_step(name: str, case: str) -> Curve:
    """A curve as an optimizer asks for it: with the count of the steps done."""
    arguments = _CASES[name][case]
    schedule = getattr(schedules, name)(**arguments)
    values = [float(schedule(keras.ops.convert_to_tensor(step, "int32"))) for step in range(_STEPS)]
    takes_cosine = name.startswith("Cosine") and keras.config.floatx() == "float64"
    note = "Keras takes the cosine in float32 all the same" if takes_cosine else None
    return curve(name, case, arguments, values, base=None, note=note)


def by_metric(case: str) -> Curve:
    """A curve of the callback, an epoch of one step for each report."""
    metrics, arguments = _PLATEAU[case]
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
    callback = keras.callbacks.ReduceLROnPlateau(**{"mode": "min", **arguments})
    callback.set_model(model)
    callback.on_train_begin()
    values = [_lr_of(model)]
    for epoch, metric in enumerate(metrics):
        callback.on_epoch_end(epoch, {arguments["monitor"]: metric})
        values.append(_lr_of(model))
    return curve("ReduceLROnPlateau", case, arguments, values, base=0.1, unit="epoch", metrics=metrics)


def curves() -> Iterator[Curve]:
    """All of them."""
    for name, cases in _CASES.items():
        yield from (by_step(name, case) for case in cases)
    yield from (by_metric(case) for case in _PLATEAU)


def offered() -> list[str]:
    """The classes of `keras.optimizers.schedules` but the abstract one, and the callback."""
    classes = [name for name, found in vars(schedules).items() if inspect.isclass(found)]
    return [*(name for name in classes if name != "LearningRateSchedule"), "ReduceLROnPlateau"]


def _lr_of(model: Any) -> float:
    return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))


if __name__ == "__main__":
    precision = "float64" if "float64" in sys.argv[1:] else "float32"
    # One precision a process: Keras keeps the types it has come to
    jax.config.update("jax_enable_x64", precision == "float64")
    keras.config.set_floatx(precision)
    file = "keras" if precision == "float32" else f"keras_{precision}"
    note = f"with the {keras.backend.backend()} backend"
    write(file, curves(), library="keras", names=offered(), precision=precision, note=note)
