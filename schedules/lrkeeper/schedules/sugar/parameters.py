"""Parameters by their names: `parameters: {peak: 3e-4, total_steps: {description: ...}}`."""

from __future__ import annotations

import reprlib
from typing import Any

from lrkeeper.schedules.shape import DefinitionError
from lrkeeper.schedules.sugar.hints import unknown
from lrkeeper.schedules.sugar.quantities import finite, plain, quantity
from lrkeeper.schedules.sugar.written import Written, under

_FIELDS = ("value", "description")
_WANTED = "a number (what it is where the run does not say), or a mapping with value and description"


def parameters(value: Any, path: str) -> list[Any]:
    """Return parameters in their canonical form. Raises DefinitionError."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        raise DefinitionError(
            path, f"is {reprlib.repr(value)}; it must be a mapping of names: {{peak: 3e-4}}"
        )
    return [_parameter(name, item, under(path, name)) for name, item in value.items()]


def _parameter(name: Any, value: Any, path: str) -> Written:
    if not isinstance(name, str):
        raise DefinitionError(path, f"is {name!r}; it must be a name: letters, digits and _")
    made = Written({"name": name}, path, {"value": path})
    if value is None:
        raise DefinitionError(path, "is empty; write {} if the run must say it")
    if not isinstance(value, dict):
        made["value"] = _number(value, path)
        return made
    for key, item in value.items():
        made.places[key] = under(path, key)
        if key not in _FIELDS:
            raise DefinitionError(under(path, key), unknown(key, _FIELDS))
        made[key] = _number(item, under(path, key)) if key == "value" else item
    return made


def _number(value: Any, path: str) -> Any:
    if isinstance(value, str):
        number, unit = quantity(value)
        if number is None or unit:
            raise DefinitionError(path, f"is {reprlib.repr(value)}; it must be {_WANTED}")
        return plain(number)
    finite(value, path, _WANTED)
    return value
