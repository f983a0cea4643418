"""Golden numbers of Optax: every schedule of `optax.schedules`, and `optax.contrib.reduce_on_plateau`.

Optax computes in float32 unless jax is told otherwise; both are written. A schedule is called as optax's own
`scale_by_schedule` calls it, with an int32 array, and outside of jit.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import optax
import optax.contrib
import optax.schedules

from scripts.goldens.write import Curve, curve, falling, losses, write

_STEPS = 95
_WARM = {"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 10}
_KEYS = "the keys of boundaries_and_scales are ints"
_BOUNDARIES = {20: 0.5, 50: 0.2}

# function: case: arguments
_CASES: dict[str, dict[str, dict[str, Any]]] = {
    "constant_schedule": {"tenth": {"value": 0.1}, "small": {"value": 3e-4}, "zero": {"value": 0.0}},
    "linear_schedule": {
        "falls": {"init_value": 0.1, "end_value": 0.0, "transition_steps": 80},
        "rises-late": {"init_value": 0.01, "end_value": 0.1, "transition_steps": 40, "transition_begin": 20},
        "no-steps": {"init_value": 0.1, "end_value": 0.0, "transition_steps": 0},
    },
    "polynomial_schedule": {
        "square": {"init_value": 0.1, "end_value": 0.001, "power": 2, "transition_steps": 80},
        "root": {"init_value": 0.1, "end_value": 0.01, "power": 0.5, "transition_steps": 70},
        "begins-late": {
            "init_value": 0.1,
            "end_value": 0.2,
            "power": 3,
            "transition_steps": 50,
            "transition_begin": 15,
        },
    },
    "cosine_decay_schedule": {
        "plain": {"init_value": 0.1, "decay_steps": 80},
        "alpha": {"init_value": 0.1, "decay_steps": 70, "alpha": 0.1},
        "exponent": {"init_value": 0.1, "decay_steps": 80, "alpha": 0.05, "exponent": 2.0},
        "exponent-below-1": {"init_value": 0.1, "decay_steps": 75, "exponent": 0.6},
    },
    "exponential_decay": {
        "plain": {"init_value": 0.1, "transition_steps": 20, "decay_rate": 0.5},
        "staircase": {"init_value": 0.1, "transition_steps": 20, "decay_rate": 0.5, "staircase": True},
        "begin-end": {
            "init_value": 0.1,
            "transition_steps": 10,
            "decay_rate": 0.6,
            "transition_begin": 15,
            "end_value": 0.01,
        },
        "staircase-begin": {
            "init_value": 0.1,
            "transition_steps": 12,
            "decay_rate": 0.7,
            "transition_begin": 5,
            "staircase": True,
        },
        "grows-to-end": {"init_value": 0.01, "transition_steps": 10, "decay_rate": 1.5, "end_value": 0.1},
    },
    "piecewise_constant_schedule": {
        "two": {"init_value": 0.1, "boundaries_and_scales": _BOUNDARIES},
        "grows": {"init_value": 0.1, "boundaries_and_scales": {1: 3.0, 30: 0.1, 60: 0.0}},
        "none": {"init_value": 0.1},
    },
    "piecewise_interpolate_schedule": {
        "linear": {"interpolate_type": "linear", "init_value": 0.1, "boundaries_and_scales": _BOUNDARIES},
        "cosine": {"interpolate_type": "cosine", "init_value": 0.1, "boundaries_and_scales": _BOUNDARIES},
        "linear-three": {
            "interpolate_type": "linear",
            "init_value": 0.01,
            "boundaries_and_scales": {10: 10.0, 40: 1.0, 80: 0.01},
        },
        "cosine-three": {
            "interpolate_type": "cosine",
            "init_value": 0.01,
            "boundaries_and_scales": {10: 10.0, 40: 1.0, 80: 0.01},
        },
    },
    "linear_onecycle_schedule": {
        "defaults": {"transition_steps": 80, "peak_value": 0.1},
        "divisors": {
            "transition_steps": 75,
            "peak_value": 0.2,
            "pct_start": 0.25,
            "pct_final": 0.7,
            "div_factor": 10.0,
            "final_div_factor": 100.0,
        },
        "fractions-of-a-step": {"transition_steps": 67, "peak_value": 0.1},
    },
    "cosine_onecycle_schedule": {
        "defaults": {"transition_steps": 80, "peak_value": 0.1},
        "divisors": {
            "transition_steps": 75,
            "peak_value": 0.2,
            "pct_start": 0.4,
            "div_factor": 10.0,
            "final_div_factor": 100.0,
        },
        "fractions-of-a-step": {"transition_steps": 67, "peak_value": 0.1},
    },
    "warmup_constant_schedule": {
        "from-0": _WARM,
        "from-above": {"init_value": 0.2, "peak_value": 0.1, "warmup_steps": 25},
        "no-warmup": {"init_value": 0.0, "peak_value": 0.1, "warmup_steps": 0},
    },
    "warmup_cosine_decay_schedule": {
        "plain": {**_WARM, "decay_steps": 80},
        "end_value": {**_WARM, "init_value": 0.01, "decay_steps": 80, "end_value": 0.005},
        "exponent": {**_WARM, "decay_steps": 70, "end_value": 0.01, "exponent": 1.5},
    },
    "warmup_exponential_decay_schedule": {
        "plain": {**_WARM, "transition_steps": 20, "decay_rate": 0.5},
        "staircase-end": {
            **_WARM,
            "transition_steps": 15,
            "decay_rate": 0.4,
            "staircase": True,
            "end_value": 0.01,
        },
        "begin": {**_WARM, "transition_steps": 20, "decay_rate": 0.5, "transition_begin": 12},
    },
    "sgdr_schedule": {
        "two": {
            "cosine_kwargs": [{**_WARM, "decay_steps": 40}, {**_WARM, "peak_value": 0.05, "decay_steps": 45}]
        },
        "three": {
            "cosine_kwargs": [
                {
                    "init_value": 0.0,
                    "peak_value": peak,
                    "warmup_steps": 5,
                    "decay_steps": steps,
                    "end_value": 0.001,
                }
                for peak, steps in ((0.1, 15), (0.08, 25), (0.06, 40))
            ]
        },
        "one": {"cosine_kwargs": [{**_WARM, "decay_steps": 60, "end_value": 0.02}]},
    },
}
# What join_schedules is given: function, arguments; and the boundaries
_JOINED: dict[str, tuple[list[tuple[str, str]], list[int]]] = {
    "warmup-cosine": ([("warmup_constant_schedule", "from-0"), ("cosine_decay_schedule", "alpha")], [10]),
    "three": (
        [
            ("linear_schedule", "rises-late"),
            ("constant_schedule", "tenth"),
            ("exponential_decay", "staircase"),
        ],
        [30, 50],
    ),
    "cut-off": ([("cosine_decay_schedule", "plain"), ("polynomial_schedule", "root")], [35]),
}
_PLATEAU: dict[str, tuple[list[float], dict[str, Any]]] = {
    "defaults": (falling(60, 20), {}),
    "patience": (losses(120), {"factor": 0.5, "patience": 3, "cooldown": 4}),
    "accumulates": (losses(120), {"factor": 0.5, "patience": 2, "accumulation_size": 4, "min_scale": 0.2}),
    "atol": (losses(120), {"factor": 0.8, "patience": 2, "rtol": 0.0, "atol": 0.005}),
}


def by_step(name: str, case: str) -> Curve:
    """A curve of one schedule."""
    arguments = _CASES[name][case]
    schedule = getattr(optax.schedules, name)(**arguments)
    note = _KEYS if "boundaries_and_scales" in arguments else None
    return curve(name, case, arguments, _values(schedule), base=None, note=note)


def joined(case: str) -> Curve:
    """A curve of several schedules, each with its own clock."""
    parts, boundaries = _JOINED[case]
    schedules = [getattr(optax.schedules, name)(**_CASES[name][part]) for name, part in parts]
    schedule = optax.schedules.join_schedules(schedules, boundaries)
    listed = [{"name": name, "arguments": _CASES[name][part]} for name, part in parts]
    arguments = {"schedules": listed, "boundaries": boundaries}
    return curve("join_schedules", case, arguments, _values(schedule), base=None)


def by_metric(case: str) -> Curve:
    """A curve of the scale that updates are multiplied with."""
    metrics, arguments = _PLATEAU[case]
    transform = optax.contrib.reduce_on_plateau(**arguments)
    parameter = jnp.zeros(())
    state = transform.init(parameter)
    scales = [float(state.scale)]
    for metric in metrics:
        _, state = transform.update(parameter, state, value=metric)
        scales.append(float(state.scale))
    note = "the values are scales of the update, after k reports; optax does update k with report k known: value k+1"
    return curve("reduce_on_plateau", case, arguments, scales, base=1.0, metrics=metrics, note=note)


def curves() -> Iterator[Curve]:
    """All of them."""
    for name, cases in _CASES.items():
        yield from (by_step(name, case) for case in cases)
    yield from (joined(case) for case in _JOINED)
    yield from (by_metric(case) for case in _PLATEAU)


def offered() -> list[str]:
    """The functions of `optax.schedules` but those that inject them, and the one of `optax.contrib`."""
    functions = [name for name, found in vars(optax.schedules).items() if inspect.isfunction(found)]
    return [*(name for name in functions if not name.startswith("inject_")), "reduce_on_plateau"]


def _values(schedule: Any) -> list[float]:
    return [float(schedule(jnp.asarray(step, jnp.int32))) for step in range(_STEPS)]


if __name__ == "__main__":
    write("optax", curves(), library="optax", names=offered(), precision="float32")
    jax.config.update("jax_enable_x64", True)
    write("optax_float64", curves(), library="optax", names=offered(), note="with jax_enable_x64")
