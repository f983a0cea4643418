"""Stages as people write them: a schedule and how long it lasts, in one mapping."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from google.protobuf.descriptor import Descriptor

from lrkeeper.schedules.shape import DefinitionError
from lrkeeper.schedules.sugar import schedules
from lrkeeper.schedules.sugar.eases import HEADS
from lrkeeper.schedules.sugar.hints import unknown
from lrkeeper.schedules.sugar.ramps import RAMP_WORDS, STAGE_WORDS
from lrkeeper.schedules.sugar.spans import span
from lrkeeper.schedules.sugar.written import Written, under
from lrkeeper.v1 import schedule_pb2

if TYPE_CHECKING:
    from lrkeeper.schedules.sugar.expansion import Expansion

_STAGE = schedule_pb2.Stage.DESCRIPTOR
_OWN = ("at", "over", "label", "clock")


def stage_list(expansion: Expansion, values: list[Any], path: str) -> list[Any]:
    """Return stages in their canonical form: each ends somewhere, and has a label if its word is the only one."""
    found = [expansion.message(value, _STAGE, f"{path}[{i}]") for i, value in enumerate(values)]
    _label(values, found)
    for place, (value, made) in enumerate(zip(values, found, strict=True)):
        later = found[place + 1] if place + 1 < len(found) else {}
        if not isinstance(made, Written) or not isinstance(later, dict) or "schedule" in value:
            continue
        ramp = made["schedule"].get("ramp") if "schedule" in made else None
        if isinstance(ramp, Written) and "over" in ramp and "over" not in made and "at" not in later:
            made["over"] = ramp["over"]
            made.places["over"] = ramp.places.get("over", made.path)
    for place, (made, later) in enumerate(pairwise(found)):
        if (
            isinstance(made, dict)
            and isinstance(later, dict)
            and not ({"over"} & made.keys() or "at" in later)
        ):
            raise DefinitionError(
                f"{path}[{place}]",
                f"never ends, and stages come after it: write `over`, or `at` in {path}[{place + 1}]",
            )
    return found


def stage(expansion: Expansion, value: Any, descriptor: Descriptor, path: str) -> Any:  # noqa: ARG001
    """Return a stage's canonical form. Raises DefinitionError."""
    if not isinstance(value, dict):
        return value
    words = schedules.words_in(value)
    if "schedule" in value:
        for word in words:
            raise DefinitionError(under(path, word), "stands beside schedule; there must be one of them")
        return _own(expansion, value, path)
    if not words:
        for key in value:
            if key not in _OWN:
                raise DefinitionError(under(path, key), unknown(key, (*_OWN, "schedule", *schedules.KNOWN)))
        return _own(expansion, value, path)
    made = _own(expansion, {key: item for key, item in value.items() if key in _OWN}, path)
    inner = {key: item for key, item in value.items() if key not in _OWN}
    if "over" in value and len(words) == 1:
        inner = _lasting(inner, words[0], value["over"])
    made["schedule"] = expansion.message(inner, schedule_pb2.Schedule.DESCRIPTOR, path)
    return made


def _lasting(inner: dict[str, Any], word: str, over: Any) -> dict[str, Any]:
    """Return what a stage has besides its length, with that as the ramp's own if it is a ramp without one."""
    content = inner[word]
    if word in RAMP_WORDS and isinstance(content, str):
        return {**inner, "over": over}
    if (word in HEADS or word in ("ramp", "warmup")) and isinstance(content, dict) and "over" not in content:
        return {**inner, word: {**content, "over": over}}
    return inner


def _own(expansion: Expansion, value: dict[str, Any], path: str) -> Written:
    at = value.get("at")
    if isinstance(at, str):
        found = span(at, under(path, "at"))
        if "steps" not in found:
            raise DefinitionError(
                under(path, "at"),
                f"is {at!r}; it must be a step: write `over` in the stage before for other lengths",
            )
        value = {**value, "at": found["steps"]}
    made = expansion.fields(value, _STAGE, path)
    assert isinstance(made, Written)
    return made


def _label(values: list[Any], found: list[Any]) -> None:
    """Give the stages without a label their word as one: warmup, hold, decay; where no other has it."""
    words = [
        next((word for word in STAGE_WORDS if isinstance(value, dict) and word in value), None)
        for value in values
    ]
    taken = [made.get("label") for made in found if isinstance(made, dict)]
    for word, made in zip(words, found, strict=True):
        if word in ("warmup", "hold", "decay") and isinstance(made, Written) and "schedule" in made:
            schedule = made["schedule"]
            named = isinstance(schedule, dict) and schedule.keys() & {"ramp", "constant"}
            if named and "label" not in made and words.count(word) == 1 and word not in taken:
                made["label"] = word
