"""What several hyperparameters do, by their names: `lr: {...}`, `weight_decay: {...}`, `groups: {...}`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lrkeeper.schedules.shape import DefinitionError
from lrkeeper.schedules.sugar.hints import meant
from lrkeeper.schedules.sugar.parameters import parameters
from lrkeeper.schedules.sugar.schedules import KNOWN, is_word
from lrkeeper.schedules.sugar.track import track
from lrkeeper.schedules.sugar.written import Written, under
from lrkeeper.v1 import schedule_pb2

if TYPE_CHECKING:
    from lrkeeper.schedules.sugar.expansion import Expansion

_USUAL = ("lr", "weight_decay", "momentum", "beta2", "eps")
_ABOUT = ("total", "parameters", "groups")
_SPAN = schedule_pb2.Span.DESCRIPTOR


def is_tracks(value: Any) -> bool:
    """Return whether a definition is by the names of hyperparameters."""
    return isinstance(value, dict) and any(key in (*_USUAL, *_ABOUT) for key in value)


def tracks(expansion: Expansion, value: dict[Any, Any], path: str) -> Written:
    """Return the canonical form of a definition by the names of hyperparameters. Raises DefinitionError."""
    made = Written({}, path, {name: under(path, name) for name in _ABOUT})
    for key, item in value.items():
        _check_key(key, item, value, under(path, key))
    if "total" in value:
        made["total"] = expansion.message(value["total"], _SPAN, under(path, "total"))
    if "parameters" in value:
        made["parameters"] = parameters(value["parameters"], under(path, "parameters"))
    names = [key for key in value if key not in _ABOUT]
    whole = {name: track(expansion, name, value[name], under(path, name)) for name in names}
    made["tracks"] = list(whole.values())
    groups, place = value.get("groups", {}), under(path, "groups")
    _check_mapping(groups, place, "of param groups by their names")
    for group, members in groups.items():
        where = under(place, group)
        if not isinstance(group, str | int) or isinstance(group, bool):
            raise DefinitionError(where, "is no name of a param group")
        _check_mapping(members, where, "of hyperparameters, such as {lr: {scale: 2}}")
        for name, item in members.items():
            _check_key(name, item, members, under(where, name), of_group=True)
            made["tracks"].append(
                track(expansion, name, item, under(where, name), group=str(group), whole=whole.get(name))
            )
    if not made["tracks"]:
        raise DefinitionError(path or "the definition", "names no hyperparameter: write lr: {...}")
    return Written({"tracks": made}, path, {"tracks": path})


def _check_key(key: Any, item: Any, value: dict[Any, Any], place: str, *, of_group: bool = False) -> None:
    known = _USUAL if of_group else (*_USUAL, *_ABOUT)
    if item is None:
        raise DefinitionError(place, "is empty")
    if key in known:
        return
    if is_word(key):
        beside = next((other for other in value if not is_word(other)), "lr")
        raise DefinitionError(
            place, f"stands beside {beside}; write it under the hyperparameter: lr: {{{key}: ...}}"
        )
    if key in ("name", "schedule"):
        raise DefinitionError(place, "is no hyperparameter; a file with a name has the rest under schedule")
    near = meant(key, known) if isinstance(key, str) else None
    if near or not isinstance(key, str) or not key.isidentifier():
        raise DefinitionError(
            place,
            f"is not known; what may stand here is {', '.join(known)} or another hyperparameter's name"
            + (f"; did you mean {near}?" if near else ""),
        )


def _check_mapping(value: Any, path: str, of: str) -> None:
    if not isinstance(value, dict):
        raise DefinitionError(path, f"must be a mapping {of}")


KNOWN_AT_THE_TOP = (*KNOWN, *_USUAL, *_ABOUT)
"""What may stand at the top of a definition."""
