"""From what is written to the canonical form, message by message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from lrkeeper.schedules.shape import DefinitionError, field_of
from lrkeeper.schedules.sugar import ramps, schedules, stages
from lrkeeper.schedules.sugar.hints import unknown
from lrkeeper.schedules.sugar.levels import level
from lrkeeper.schedules.sugar.spans import span
from lrkeeper.schedules.sugar.written import Written, under

_DEEPEST = 100
_MOST = 100_000
_ALIASES = {
    "Ramp": {"from": "begin", "to": "end"},
    "Power": {"from": "begin", "to": "toward"},
    "Decay": {"from": "begin"},
    "Steps": {"from": "begin"},
}
"""Words of people for fields, by the message's name."""


class Expansion:
    """One expansion: counts what it meets, since a YAML file can hold one object in many places."""

    def __init__(self) -> None:
        self._depth = 0
        self._nodes = 0

    def message(self, value: Any, descriptor: Descriptor, path: str) -> Any:
        """Return what is written where a message stands in its canonical form. Raises DefinitionError."""
        self._nodes += 1
        if self._depth > _DEEPEST:
            raise DefinitionError(path, "is nested too deep")
        if self._nodes > _MOST:
            raise DefinitionError(path, f"is one of more than {_MOST} parts of one definition")
        self._depth += 1
        reader = _READERS.get(descriptor.name)
        found = reader(self, value, descriptor, path) if reader else self.fields(value, descriptor, path)
        self._depth -= 1
        return found

    def fields(self, value: Any, descriptor: Descriptor, path: str) -> Any:
        """Return a mapping of a message's fields in its canonical form; all else passes."""
        if not isinstance(value, dict):
            return value
        aliases = _ALIASES.get(descriptor.name, {})
        made = Written({}, path)
        for key, item in value.items():
            place = under(path, key)
            field = field_of(descriptor, aliases.get(key, key) if isinstance(key, str) else key)
            if field is None:
                raise DefinitionError(place, unknown(key, (*descriptor.fields_by_name, *aliases)))
            if field.name in made:
                other = made.places[field.name].rpartition(".")[2]
                raise DefinitionError(place, f"stands beside {other}, which means the same")
            made.places[field.name] = place
            made[field.name] = self.field(item, field, place)
        return made

    def field(self, value: Any, field: FieldDescriptor, path: str) -> Any:
        """Return what is written for a field in its canonical form. Raises DefinitionError."""
        if value is None or field.message_type is None:
            return value
        if not field.is_repeated:
            return self.message(value, field.message_type, path)
        if not isinstance(value, list):
            return value
        if field.message_type.name == "Stage":
            return stages.stage_list(self, value, path)
        return [self.message(item, field.message_type, f"{path}[{i}]") for i, item in enumerate(value)]


def _span(expansion: Expansion, value: Any, descriptor: Descriptor, path: str) -> Any:
    return expansion.fields(span(value, path), descriptor, path)


def _level(expansion: Expansion, value: Any, descriptor: Descriptor, path: str) -> Any:
    return expansion.fields(level(value, path), descriptor, path)


def _point(expansion: Expansion, value: Any, descriptor: Descriptor, path: str) -> Any:
    """Return a point, which may be written as [time, value]."""
    if not isinstance(value, list):
        return expansion.fields(value, descriptor, path)
    if len(value) != 2:
        raise DefinitionError(path, f"has {len(value)} entries; it must be [time, value]")
    made = Written({}, path, {"at": f"{path}[0]", "value": f"{path}[1]"})
    for item, (name, place) in zip(value, made.places.items(), strict=True):
        made[name] = expansion.field(item, descriptor.fields_by_name[name], place)
    return made


_Reader = Callable[[Expansion, Any, Descriptor, str], Any]
_READERS: Mapping[str, _Reader] = {
    "Span": _span,
    "Level": _level,
    "Point": _point,
    "Ramp": ramps.ramp,
    "Schedule": schedules.schedule,
    "Stage": stages.stage,
}
