"""Mappings of the canonical form that know where their author wrote them, so that errors can say it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lrkeeper.schedules.shape import DefinitionError

_PART = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]")
_TRACK = re.compile(r"(?:Tracks: )?(tracks\[\d+\](?:\.\w+)*)(?::| (?=is\b|has\b)) ?")
"""How a track is named by a problem of the whole."""


class Written(dict[str, Any]):
    """A mapping of the canonical form.

    Args:
        content: what it holds.
        path: where its author wrote it.
        places: where its author wrote a field, by the field's canonical name; where none is given, at `path`.
    """

    def __init__(
        self, content: Mapping[str, Any], path: str, places: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(content)
        self.path = path
        self.places = dict(places or {})


def under(path: str, key: Any) -> str:
    """Return the path of a mapping's field."""
    return f"{path}.{key}" if path else str(key)


def placed(error: DefinitionError, value: Any, path: str) -> DefinitionError:
    """Return the error of an expanded definition with the path at which its author wrote what is wrong."""
    inner = _TRACK.match(error.problem)
    if inner is None:
        return type(error)(where(value, error.field, path), error.problem)
    tracks = error.field if error.field.endswith(".tracks") else f"{error.field}.tracks"
    field = f"{tracks}.{inner.group(1)}"
    return DefinitionError(where(value, field, path), error.problem[inner.end() :])


def where(value: Any, field: str, path: str) -> str:
    """Return where the author wrote what has the canonical path `field` in an expanded definition.

    `path` is the definition's own.
    """
    found = path
    for match in _PART.finditer(field[len(path) :]):
        key, place = match.groups()
        if key is not None:
            made = isinstance(value, Written) and key in value
            found = value.places.get(key, value.path) if made else under(found, key)
            value = value.get(key) if isinstance(value, dict) else None
        else:
            items = value if isinstance(value, list) else []
            value = items[int(place)] if int(place) < len(items) else None
            found = f"{found}[{place}]"
        if isinstance(value, Written):
            found = value.path
    return found
