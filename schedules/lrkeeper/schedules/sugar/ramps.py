"""Ramps and constants by the words of stage lists: `{warmup: linear, over: 2000ba}`, `{hold: 1x}`."""

from __future__ import annotations

import reprlib
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import Descriptor

from lrkeeper.schedules.shape import DefinitionError
from lrkeeper.schedules.sugar.eases import ease, is_ease
from lrkeeper.schedules.sugar.written import Written, under
from lrkeeper.v1 import schedule_pb2

if TYPE_CHECKING:
    from lrkeeper.schedules.sugar.expansion import Expansion

RAMP_WORDS = ("warmup", "decay", "ramp")
STAGE_WORDS = (*RAMP_WORDS, "hold")

_RAMP = schedule_pb2.Ramp.DESCRIPTOR
_SPAN = schedule_pb2.Span.DESCRIPTOR
_LEVEL = schedule_pb2.Level.DESCRIPTOR
_DEFAULTS: dict[str, dict[str, Any]] = {
    "warmup": {"begin": {"absolute": 0}, "end": {"relative": 1}},
    "decay": {"end": {"absolute": 0}},
    "ramp": {},
}
"""Where a ramp begins and ends if that is not written; else it begins at what the stage before has reached."""


def ramp(expansion: Expansion, value: Any, descriptor: Descriptor, path: str, ease_at: str = "") -> Any:
    """Return a ramp's canonical form; `ease_at` is where its ease is written, if not inside."""
    made = expansion.fields(value, descriptor, path)
    if not isinstance(made, Written) or made.get("ease") is None:
        return made
    word, place = made["ease"], ease_at or made.places["ease"]
    meaning = ease(word, place)
    if "power" in meaning and "power" in made:
        raise DefinitionError(made.places["power"], f"stands beside {word}, which has its own")
    made |= meaning
    made.places |= dict.fromkeys(meaning, place)
    return made


def by_word(expansion: Expansion, word: str, content: Any, rest: dict[str, Any], path: str) -> Written:
    """Return `{warmup: linear, from: 0, over: 2000ba}` or `{hold: 1x}`; `rest` stands beside the word."""
    place = under(path, word)
    if word == "hold":
        for key in rest:
            raise DefinitionError(under(path, key), "stands beside hold, which is a value alone")
        value = expansion.message(content, _LEVEL, place)
        constant = Written({"value": value}, place, {"value": place})
        return Written({"constant": constant}, path, {"constant": place})
    if word == "warmup" and not is_ease(content):
        for key in rest:
            raise DefinitionError(
                under(path, key), "stands beside warmup: its ease is wanted there, such as warmup: linear"
            )
        return short_warmup(expansion, content, place)
    if "ease" in rest:
        raise DefinitionError(under(path, "ease"), f"stands beside {word}, which says it")
    return _made(expansion, word, {**rest, "ease": content}, path, place)


def short_warmup(expansion: Expansion, content: Any, path: str, beside: str = "") -> Written:
    """Return `warmup: 2000ba`, or `warmup: {over: 2000ba, from: 0.1x}`; `beside` is the kind that follows."""
    if beside and is_ease(content):
        raise DefinitionError(
            path,
            f"is {reprlib.repr(content)}; beside {beside} it must be a length such as 2000ba, "
            f"or a mapping: {{over: 2000ba, ease: {content}}}",
        )
    if isinstance(content, dict) and not content.keys() <= set(_SPAN.fields_by_name):
        return _made(expansion, "warmup", content, path)
    over = expansion.message(content, _SPAN, path)
    found = _made(expansion, "warmup", {"over": over}, path)
    found["ramp"]["over"] = over
    return found


def head(expansion: Expansion, word: str, content: Any, path: str) -> Written:
    """Return `cosine: {to: 10%, over: 1dur}`."""
    place = under(path, word)
    if not isinstance(content, dict):
        raise DefinitionError(
            place, f"is {reprlib.repr(content)}; it must be a mapping: {word}: {{to: 0, over: 1dur}}"
        )
    if "ease" in content:
        raise DefinitionError(under(place, "ease"), f"stands in {word}, which says it")
    if not {"to", "end"} & content.keys():
        raise DefinitionError(under(place, "to"), "is missing: where it ends, such as 0, 10% or 1x")
    return _made(expansion, "ramp", {**content, "ease": word}, place, place)


def _made(expansion: Expansion, word: str, content: Any, path: str, ease_at: str = "") -> Written:
    made = ramp(expansion, content, _RAMP, path, ease_at)
    if "over" not in made:
        raise DefinitionError(under(path, "over"), "is missing: how long it takes, such as 2000ba or 0.1dur")
    for name, value in _DEFAULTS[word].items():
        made.setdefault(name, Written(value, path))
    return Written({"ramp": made}, path, {"ramp": path})
