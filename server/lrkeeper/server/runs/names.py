"""Names of runs and schedules, ids of starts and requests."""

from __future__ import annotations

import re
from uuid import UUID

from lrkeeper.errors import InvalidArgument

PRESETS = "presets/"
"""What the names of the definitions begin with that come with the server."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}", re.ASCII)
_RESERVED = {"con", "prn", "aux", "nul"}  # no file of such a name can be made on some systems
_LABEL_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}", re.ASCII)


def check_name(field: str, value: str) -> str:
    """Return a name; raises InvalidArgument naming the field."""
    if not _NAME.fullmatch(value) or value.lower() in _RESERVED:
        raise InvalidArgument(
            f"{field} is {_shown(value)}; it must be 1 to 128 letters, digits, '.', '_' or '-', "
            "beginning with a letter or digit",
            field=field,
        )
    return value


def check_schedule(field: str, value: str) -> str:
    """Return the name of a stored schedule, or of a preset; raises InvalidArgument naming the field."""
    check_name(field, value.removeprefix(PRESETS))
    return value


def check_own_schedule(field: str, value: str) -> str:
    """Return the name of a schedule that may be created or changed; raises InvalidArgument naming the field."""
    if value.startswith(PRESETS):
        raise InvalidArgument(
            f"{field} is {_shown(value)}; what begins with {PRESETS!r} comes with the server and is never "
            "changed: store a definition under another name",
            field=field,
        )
    return check_name(field, value)


def check_request_id(value: str, field: str = "request_id") -> str:
    """Return a UUID in its usual spelling; raises InvalidArgument."""
    try:
        if len(value) > 64:
            raise ValueError
        return str(UUID(value))
    except ValueError:
        raise InvalidArgument(f"{field} is {_shown(value)}; it must be a UUID", field=field) from None


def check_text(field: str, value: str, most: int) -> str:
    """Return a text that both databases take; raises InvalidArgument."""
    if len(value) > most:
        raise InvalidArgument(
            f"{field} has {len(value)} characters; it must have at most {most}", field=field
        )
    if "\0" in value:
        raise InvalidArgument(f"{field} holds a NUL character; leave it out", field=field)
    return value


def check_labels(field: str, labels: dict[str, str], most: int) -> dict[str, str]:
    """Return labels; raises InvalidArgument."""
    if len(labels) > most:
        raise InvalidArgument(f"{field} has {len(labels)} entries; it must have at most {most}", field=field)
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key):
            raise InvalidArgument(
                f"{field} has the key {_shown(key)}; keys are 1 to 128 letters, digits, '.', '_', '-' or '/'",
                field=field,
            )
        check_text(f"{field}[{key!r}]", value, 256)
    return dict(sorted(labels.items()))


def _shown(value: str) -> str:
    return repr(value) if len(value) <= 128 else f"{value[:32]!r}… ({len(value)} characters)"
