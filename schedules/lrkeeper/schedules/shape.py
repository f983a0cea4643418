"""The shape of a written definition against its proto message: what is wrong is named by its path."""

from __future__ import annotations

import re
import reprlib
from math import isfinite
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

_DEEPEST = 100
_MOST = (1 << 63) - 1
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

_WORDS: dict[int, tuple[type, str]] = {
    FieldDescriptor.CPPTYPE_STRING: (str, "a word"),
    FieldDescriptor.CPPTYPE_BOOL: (bool, "true or false"),
}


class DefinitionError(ValueError):
    """A definition is missing something or wrong: `field` is the path, `problem` what and what instead."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field = field
        self.problem = problem


class UnknownKind(DefinitionError):
    """A definition is of a kind that the protocol has and this version's evaluators have not."""


def check_shape(value: Any, descriptor: Descriptor, path: str = "", depth: int = 0) -> None:
    """Check that JSON's types fit a message: fields it has, mappings, lists and numbers in their places.

    Raises DefinitionError.
    """
    names = ", ".join(descriptor.fields_by_name)
    if not isinstance(value, dict):
        raise DefinitionError(path, f"is {reprlib.repr(value)}; it must be a mapping with {names}")
    if depth > _DEEPEST:
        raise DefinitionError(path, "is nested too deep")
    kinds: dict[str, str] = {}
    for key, content in value.items():
        where = f"{path}.{key}" if path else str(key)
        field = field_of(descriptor, key)
        if field is None:
            raise DefinitionError(where, f"is not known; what may stand here is {names}")
        if content is None:
            raise DefinitionError(where, "is empty")
        if field.containing_oneof is not None:
            other = kinds.setdefault(field.containing_oneof.name, field.name)
            if other != field.name:
                raise DefinitionError(where, f"stands beside {other}; there must be one of them")
        if not field.is_repeated:
            _check_value(content, field, where, depth)
        elif not isinstance(content, list):
            raise DefinitionError(where, f"is {reprlib.repr(content)}; it must be a list")
        else:
            for place, item in enumerate(content):
                _check_value(item, field, f"{where}[{place}]", depth)


def field_of(descriptor: Descriptor, key: Any) -> FieldDescriptor | None:
    """Return the field of a name, in the proto's spelling or in JSON's."""
    for field in descriptor.fields:
        if key in (field.name, field.json_name):
            return field
    return None


def _check_value(value: Any, field: FieldDescriptor, path: str, depth: int) -> None:
    if field.message_type is not None:
        check_shape(value, field.message_type, path, depth + 1)
        return
    if field.cpp_type in _WORDS:
        kind, wanted = _WORDS[field.cpp_type]
        if not isinstance(value, kind):
            raise DefinitionError(path, f"is {reprlib.repr(value)}; it must be {wanted}")
        return
    whole = field.cpp_type in (field.CPPTYPE_INT32, field.CPPTYPE_INT64)
    wanted = "a whole number" if whole else "a number"
    try:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise ValueError
        if isinstance(value, str) and not _NUMBER.fullmatch(value):
            raise ValueError
        if not isfinite(float(value)) or (whole and (int(value) != float(value) or abs(int(value)) > _MOST)):
            raise ValueError
    except (ValueError, OverflowError):
        raise DefinitionError(path, f"is {reprlib.repr(value)}; it must be {wanted}") from None
