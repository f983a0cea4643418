"""Definitions that come with the server: read and used as stored ones, and never changed.

A file has a `description` and a `schedule`. Runs pin what they began with; a preset that gave other values would
be refused on their next resume, so a better one gets a name of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

import yaml

from lrkeeper.schedules import codec
from lrkeeper.server.runs.names import PRESETS
from lrkeeper.server.runs.records import ScheduleRevision


def preset(name: str) -> ScheduleRevision | None:
    """Return a preset by its whole name, such as "presets/wsd"; None if there is none."""
    return presets().get(name)


@cache
def presets() -> Mapping[str, ScheduleRevision]:
    """Return all presets by name, in the names' order."""
    files = [file for file in resources.files(__name__).iterdir() if file.name.endswith(".yaml")]
    found = {}
    for file in sorted(files, key=lambda file: file.name):
        value = yaml.safe_load(file.read_text(encoding="utf-8"))
        name = PRESETS + file.name.removesuffix(".yaml")
        found[name] = ScheduleRevision(
            uid="",
            name=name,
            revision=1,
            head_revision=1,
            definition=codec.to_json(codec.from_dict(value["schedule"])),
            request_id="",
            author="lrkeeper",
            reason=value["description"],
            rolled_out=True,
            created_at=0,
        )
    return found
