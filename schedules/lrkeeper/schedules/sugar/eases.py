"""The shapes of a ramp, by the words that people and libraries have for them."""

from __future__ import annotations

import reprlib
from typing import Any

from lrkeeper.schedules.shape import DefinitionError
from lrkeeper.schedules.sugar.hints import meant

EASES = ("linear", "cosine", "polynomial", "power", "tanh", "exponential", "log", "geometric")
"""The words of the canonical form."""

_ROOT = {"ease": "power", "power": 0.5}
_WORDS: dict[str, dict[str, Any]] = {
    **{ease: {"ease": ease} for ease in EASES},
    "1-sqrt": _ROOT,
    "1_sqrt": _ROOT,
    "minus_sqrt": _ROOT,
    "one_minus_sqrt": _ROOT,
    "cos": {"ease": "cosine"},
    "poly": {"ease": "polynomial"},
    "lin": {"ease": "linear"},
}
_INSTEAD = {
    "sqrt": "1-sqrt falls fast at first (WSD), polynomial with power: 0.5 falls fast at last",
    "quadratic": "power with power: 2 starts slowly, polynomial with power: 2 ends slowly",
    "exp": "geometric goes in equal ratios, exponential is Megatron-LM's 2 - 2 * 0.5 ** p",
    "inverse_sqrt": "that is no ramp: write the kind power, {power: {scale: 10000ba}}",
    "inverse_square_root": "that is no ramp: write the kind power, {power: {scale: 10000ba}}",
    "constant": "that is no ramp: write {hold: 1x}",
}
HEADS = ("linear", "cosine", "polynomial", "tanh", "exponential", "log", "geometric", "1-sqrt")
"""Those that may stand where a kind stands: `cosine: {to: 0, over: 1dur}`. (`power` is a kind itself.)"""


def is_ease(word: Any) -> bool:
    """Return whether a word means a shape, or resembles one."""
    return isinstance(word, str) and (word in _WORDS or word in _INSTEAD or meant(word, _WORDS) is not None)


def ease(word: Any, path: str) -> dict[str, Any]:
    """Return the fields of a ramp that a word means. Raises DefinitionError."""
    if isinstance(word, str) and word in _WORDS:
        return dict(_WORDS[word])
    advice = _INSTEAD.get(word) if isinstance(word, str) else None
    near = None if advice else meant(word, _WORDS)
    text = advice or f"it must be {', '.join(EASES)} or 1-sqrt" + (f"; did you mean {near}?" if near else "")
    raise DefinitionError(path, f"is {reprlib.repr(word)}; {text}")
