"""What may stand where a schedule stands: a kind, a shape, stages, or a kind after a warmup."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import Descriptor

from lrkeeper.schedules.shape import DefinitionError
from lrkeeper.schedules.sugar import ramps
from lrkeeper.schedules.sugar.eases import HEADS
from lrkeeper.schedules.sugar.hints import unknown
from lrkeeper.schedules.sugar.written import Written, under
from lrkeeper.v1 import schedule_pb2

if TYPE_CHECKING:
    from lrkeeper.schedules.sugar.expansion import Expansion

_SCHEDULE = schedule_pb2.Schedule.DESCRIPTOR
_ONEOF = _SCHEDULE.oneofs_by_name["kind"].fields
_KINDS = {name: field.name for field in _ONEOF for name in (field.name, field.json_name)}
_BESIDE = {field.name for field in _SCHEDULE.fields} - set(_KINDS.values())
"""What stands beside a kind in the canonical form, and says how it is evaluated."""
_BARE = {"constant": "value", "expression": "text", "points": "points", "product": "schedules"}
"""Kinds whose one field needs no name: `expression: "0.95 ** epoch"`."""

_WORDS = (*ramps.STAGE_WORDS, *HEADS, "stages")
_ALSO_NUMBERS = ("power", "warp")
KNOWN = tuple(dict.fromkeys((*_KINDS.values(), *_WORDS)))
"""What says which schedule it is: the kinds and other words."""


def is_word(key: Any) -> bool:
    """Return whether a key says which schedule it is."""
    return isinstance(key, str) and (key in _KINDS or key in _WORDS)


def words_in(value: dict[Any, Any]) -> list[str]:
    """Return the keys that say which schedule it is; `power` and `warp` may also be a ramp's numbers."""
    return [
        key
        for key, item in value.items()
        if is_word(key) and not (key in _ALSO_NUMBERS and isinstance(item, int | float | str))
    ]


def schedule(expansion: Expansion, value: Any, descriptor: Descriptor, path: str) -> Any:  # noqa: ARG001
    """Return a schedule's canonical form. Raises DefinitionError."""
    if not isinstance(value, dict):
        return value
    return with_beside(value, path, lambda rest: _schedule(expansion, rest, path))


def with_beside(value: dict[Any, Any], path: str, read: Callable[[dict[Any, Any]], Any]) -> Any:
    """Return what is read of a mapping without what stands beside a kind, with that beside it again."""
    beside = {key: item for key, item in value.items() if key in _BESIDE}
    found = read({key: item for key, item in value.items() if key not in beside} if beside else value)
    if beside and isinstance(found, Written):
        found |= beside
        found.places |= {key: under(path, key) for key in beside}
    return found


def _schedule(expansion: Expansion, value: dict[Any, Any], path: str) -> Written:
    words = words_in(value)
    for key in words or value:
        if not words:
            raise DefinitionError(under(path, key), unknown(key, KNOWN))
        if value[key] is None:
            raise DefinitionError(under(path, key), "is empty")
    if not words:
        return Written({}, path)
    if "warmup" in value and len(words) > 1:
        return _after_warmup(expansion, value, next(word for word in words if word != "warmup"), path)
    if len(words) > 1:
        raise DefinitionError(under(path, words[1]), f"stands beside {words[0]}; there must be one of them")
    word = words[0]
    content, rest = value[word], {key: item for key, item in value.items() if key != word}
    if word == "stages":
        made = expansion.message(value, schedule_pb2.Sequence.DESCRIPTOR, path)
        return Written({"sequence": made}, path, {"sequence": path})
    if word in ramps.STAGE_WORDS and (word not in _KINDS or not isinstance(content, dict)):
        return ramps.by_word(expansion, word, content, rest, path)
    for key in rest:
        raise DefinitionError(under(path, key), f"stands beside {word}; if it is of {word}, write it inside")
    if word in HEADS:
        return ramps.head(expansion, word, content, path)
    return _kind(expansion, _KINDS[word], content, path, under(path, word))


def _kind(expansion: Expansion, kind: str, content: Any, path: str, place: str) -> Written:
    descriptor = _SCHEDULE.fields_by_name[kind].message_type
    assert descriptor is not None
    if kind in _BARE and not isinstance(content, dict | bool):
        name = _BARE[kind]
        value = expansion.field(content, descriptor.fields_by_name[name], place)
        made: Any = Written({name: value}, place, {name: place})
    else:
        made = expansion.message(content, descriptor, place)
    return Written({kind: made}, path, {kind: place})


def _after_warmup(expansion: Expansion, value: dict[str, Any], word: str, path: str) -> Written:
    """Return a warmup and what comes after it, whose own time begins when the warmup ends."""
    place = under(path, "warmup")
    if word == "stages":
        raise DefinitionError(place, "stands beside stages; write it as the first of them")
    first = ramps.short_warmup(expansion, value["warmup"], place, beside=word)
    rest = {key: item for key, item in value.items() if key != "warmup"}
    later = expansion.message(rest, _SCHEDULE, path)
    stages = [
        Written({"schedule": first, "over": first["ramp"]["over"], "label": "warmup"}, place),
        Written({"schedule": later}, path),
    ]
    return Written({"sequence": Written({"stages": stages}, path)}, path)
