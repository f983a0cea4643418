"""Heights as people write them: 3e-4, "1x" and "10%" (of the base value), "prev", "0.5prev", "$peak"."""

from __future__ import annotations

import reprlib
from typing import Any

from lrkeeper.schedules.shape import DefinitionError
from lrkeeper.schedules.sugar.hints import meant
from lrkeeper.schedules.sugar.quantities import finite, parameter, plain, quantity

WANTED = (
    'a number, or a text such as "0.1x" or "10%" (of the base value), "prev" or "0.5prev" '
    '(of what the stage before has reached), "$name" (a parameter)'
)

_LONG = {"x": ("x", "times", "base", "of base"), "prev": ("prev", "previous", "before", "reached", "last")}


def level(value: Any, path: str) -> Any:
    """Return a level's canonical form; a mapping passes. Raises DefinitionError."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, str):
        finite(value, path, WANTED)
        return {"absolute": value}
    found = parsed(value)
    if found is not None:
        return found
    number, unit = quantity(value)
    near = meant(unit, (word for words in _LONG.values() for word in words))
    right = next((short for short, words in _LONG.items() if near in words), None)
    amount = "1" if number is None and right == "x" else "" if number is None else str(number)
    hint = f'; did you mean "{amount}{right}"?' if right else ""
    raise DefinitionError(path, f"is {reprlib.repr(value)}; it must be {WANTED}{hint}")


def parsed(text: str) -> dict[str, Any] | None:
    """Return the canonical form of the level that a text means, None if it means none."""
    name = parameter(text)
    if name is not None:
        return {"parameter": name}
    number, unit = quantity(text)
    if unit == "prev":
        return {"before": 1 if number is None else plain(number)}
    if number is None:
        return None
    if not unit:
        return {"absolute": plain(number)}
    if unit in ("x", "%"):
        return {"relative": plain(number.scaleb(-2) if unit == "%" else number)}
    return None
