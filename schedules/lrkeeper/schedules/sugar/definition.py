"""A whole definition: by the names of hyperparameters, or one schedule for the lr."""

from __future__ import annotations

from typing import Any

from lrkeeper.schedules.shape import DefinitionError
from lrkeeper.schedules.sugar.expansion import Expansion
from lrkeeper.schedules.sugar.hints import unknown
from lrkeeper.schedules.sugar.schedules import with_beside, words_in
from lrkeeper.schedules.sugar.tracks import KNOWN_AT_THE_TOP, is_tracks, tracks
from lrkeeper.schedules.sugar.written import under
from lrkeeper.v1 import schedule_pb2


def definition(value: Any, path: str) -> Any:
    """Return a definition in its canonical form. Raises DefinitionError."""
    if not isinstance(value, dict):
        return value
    return with_beside(value, path, lambda rest: _definition(rest, path))


def _definition(value: dict[Any, Any], path: str) -> Any:
    if is_tracks(value):
        return tracks(Expansion(), value, path)
    if not words_in(value):
        for key in value:
            raise DefinitionError(under(path, key), unknown(key, KNOWN_AT_THE_TOP))
    return Expansion().message(value, schedule_pb2.Schedule.DESCRIPTOR, path)
