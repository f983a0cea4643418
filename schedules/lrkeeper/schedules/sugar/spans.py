"""Lengths of time as people write them: 2000, "2000ba", "10ep", "3e6sp", "1.5Mtok", "0.9dur", "10%", "$steps"."""

from __future__ import annotations

import reprlib
from typing import Any

from lrkeeper.schedules.shape import DefinitionError
from lrkeeper.schedules.sugar.hints import meant
from lrkeeper.schedules.sugar.quantities import finite, parameter, plain, quantity

WANTED = (
    'a number of steps, or a text such as "2000ba" (steps), "10ep", "3e6sp" (samples), "1.5Mtok" (tokens), '
    '"0.9dur" or "90%" (of the total), "$name" (a parameter)'
)

_UNITS = {"ba": "steps", "ep": "epochs", "sp": "samples", "tok": "tokens", "dur": "fraction", "%": "fraction"}
_POWERS = {"K": 3, "M": 6, "B": 9, "T": 12}
_LONG = {
    "ba": ("steps", "step", "batches", "batch", "iterations", "iters", "iter", "it", "updates"),
    "ep": ("epochs", "epoch", "e"),
    "sp": ("samples", "sample", "examples"),
    "tok": ("tokens", "token"),
    "dur": ("total", "of total", "duration", "fraction"),
}
_CLOCKS = ("s", "sec", "secs", "second", "seconds", "m", "min", "minutes", "h", "hours", "hour", "d", "days")


def span(value: Any, path: str) -> Any:
    """Return a span's canonical form; a mapping passes. Raises DefinitionError."""
    if isinstance(value, dict):
        return value
    if isinstance(value, str):
        return _text(value, path)
    finite(value, path, WANTED)
    if 0 < abs(value) < 1:
        raise DefinitionError(
            path,
            f'is {value} steps; write "{value:g}dur" for a part of the total, {{steps: {value}}} for steps',
        )
    return {"steps": value}


def _text(text: str, path: str) -> dict[str, Any]:
    name = parameter(text)
    if name is not None:
        return {"parameter": name}
    number, unit = quantity(text)
    wrong = f"is {reprlib.repr(text)}; it must be {WANTED}"
    if number is None or unit.startswith("x") or unit == "prev":
        raise DefinitionError(path, wrong)
    if not unit:
        return {"steps": plain(number)}
    if unit in _UNITS:
        return {_UNITS[unit]: plain(number.scaleb(-2) if unit == "%" else number)}
    if unit in _POWERS:
        raise DefinitionError(
            path,
            f'is {reprlib.repr(text)}, of what? write "{text.strip()}tok" for tokens, "{text.strip()}sp" for samples',
        )
    power, short = _POWERS.get(unit[0]), unit[1:].lstrip()
    if power is not None and short in ("ba", "sp", "tok"):
        return {_UNITS[short]: plain(number.scaleb(power))}
    if unit.lower() in _CLOCKS:
        raise DefinitionError(path, f"is {reprlib.repr(text)}, by a clock; a schedule counts steps: {WANTED}")
    right = _right(unit)
    raise DefinitionError(path, wrong + (f'; did you mean "{number}{right}"?' if right else ""))


def _right(unit: str) -> str | None:
    """Return how a unit is written that is not written so."""
    power = unit[0].upper() if unit[0].upper() in _POWERS and len(unit) > 3 else ""
    word = unit[1:] if power else unit
    for short, words in _LONG.items():
        if word.strip().lower() in (short, *words):
            return power + short
    near = meant(word, (name for short, words in _LONG.items() for name in (short, *words)))
    return next((power + short for short, words in _LONG.items() if near in (short, *words)), None)
