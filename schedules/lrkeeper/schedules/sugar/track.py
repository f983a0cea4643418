"""One hyperparameter of a definition: its base value, and a schedule or a link."""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING, Any

from lrkeeper.schedules.shape import DefinitionError
from lrkeeper.schedules.sugar.hints import meant, unknown
from lrkeeper.schedules.sugar.levels import parsed
from lrkeeper.schedules.sugar.quantities import finite, parameter, plain, quantity
from lrkeeper.schedules.sugar.schedules import KNOWN, is_word, words_in
from lrkeeper.schedules.sugar.written import Written, under
from lrkeeper.v1 import schedule_pb2

if TYPE_CHECKING:
    from lrkeeper.schedules.sugar.expansion import Expansion

_SCHEDULE = schedule_pb2.Schedule.DESCRIPTOR
_LEVEL = schedule_pb2.Level.DESCRIPTOR
_NUMBERS = ("base", "scale")
_BASE_PARAMETER = "base_parameter"
_INSTEAD = ({"schedule", "link"}, {"base", _BASE_PARAMETER})
"""What of a group takes the place of what all groups have."""
_OWN = (*_NUMBERS, "link", "schedule")


def track(
    expansion: Expansion,
    name: str,
    value: Any,
    path: str,
    *,
    group: str | None = None,
    whole: Written | None = None,
) -> Written:
    """Return a hyperparameter's canonical form.

    `whole` is that of all param groups, from which a group has what is not written. Raises DefinitionError.
    """
    made = Written({"name": name}, path)
    if not isinstance(value, dict):
        _short(expansion, made, value, path)
    else:
        _long(expansion, made, value, path)
    if group is not None:
        made["group"] = group
        own = set(made).union(*(fields for fields in _INSTEAD if fields & made.keys()))
        for field, content in (whole or {}).items():
            if field not in own:
                assert whole is not None
                made[field] = content
                made.places[field] = whole.places.get(field, whole.path)
        if not made.keys() & {"schedule", "link"}:
            raise DefinitionError(
                path, f"says no schedule, and there is no {name} of all groups that it could have"
            )
    elif not made.keys() & {"schedule", "link"}:
        if not made.keys() & {"base", _BASE_PARAMETER}:
            raise DefinitionError(path, "says neither a schedule nor a base value")
        made["schedule"] = Written(
            {"constant": Written({"value": Written({"relative": 1}, path)}, path)}, path
        )
    return made


def _short(expansion: Expansion, made: Written, value: Any, path: str) -> None:
    """Read `weight_decay: 0.1`, or `weight_decay: 0.1 * lr / base_lr`."""
    if isinstance(value, str) and parsed(value) is None:
        made["link"] = value
        made.places["link"] = path
        return
    height = expansion.message(value, _LEVEL, path)
    made["schedule"] = Written({"constant": Written({"value": height}, path, {"value": path})}, path)


def _long(expansion: Expansion, made: Written, value: dict[Any, Any], path: str) -> None:
    rest = {key: item for key, item in value.items() if key not in _OWN}
    for key in _NUMBERS:
        if key in value:
            given = parameter(value[key]) if key == "base" and isinstance(value[key], str) else None
            if given is not None:
                made[_BASE_PARAMETER] = given
                made.places[_BASE_PARAMETER] = under(path, key)
                continue
            made[key] = _number(value[key], under(path, key))
            made.places[key] = under(path, key)
    for key in rest:
        if not words_in(rest) or (not is_word(key) and meant(key, _OWN)):
            raise DefinitionError(under(path, key), unknown(key, (*_OWN, *KNOWN)))
    own = [key for key in value if key in ("link", "schedule")]
    said = [*own, *words_in(rest)]
    if own and len(said) > 1:
        raise DefinitionError(under(path, said[1]), f"stands beside {own[0]}; there must be one of them")
    if "link" in value:
        made["link"] = value["link"]
        made.places["link"] = under(path, "link")
    elif "schedule" in value:
        made["schedule"] = expansion.message(value["schedule"], _SCHEDULE, under(path, "schedule"))
    elif rest:
        made["schedule"] = expansion.message(rest, _SCHEDULE, path)


def _number(value: Any, path: str) -> Any:
    wanted = "a number"
    if isinstance(value, str):
        number, unit = quantity(value)
        if number is None or unit:
            advice = "; a part of the base is a level, such as to: 10%"
            raise DefinitionError(path, f"is {reprlib.repr(value)}; it must be {wanted}{advice}")
        return plain(number)
    finite(value, path, wanted)
    return value
