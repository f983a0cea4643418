"""The client's values as JSON's types, and definitions in the language of schedule files."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.message import Message

    from lrkeeper.schedules import Schedule
    from lrkeeper.schedules.cursor import Failure
    from lrkeeper.schedules.table import Table

_EXACT = 1 << 53


def definition(schedule: Schedule) -> dict[str, Any]:
    """Return a definition as a schedule file has it: without the releases of torch that it follows, always the same."""
    from lrkeeper.schedules import codec

    found = _plain(codec.encode(schedule))
    found.pop("semantics", None)
    return {"made_from": found.pop("made_from"), **found} if "made_from" in found else found


def canonical(value: Any, path: str = "") -> dict[str, Any]:
    """Return the canonical form of a definition as it is written in a file. Raises DefinitionError."""
    from lrkeeper.schedules import codec

    found = _plain(codec.message_of(value, path=path))
    found.pop("semantics", None)
    return found


def yaml_text(value: dict[str, Any]) -> str:
    """Return a definition as YAML over several lines."""
    import yaml

    return str(yaml.safe_dump(value, sort_keys=False, default_flow_style=None, width=100))


def definition_text(schedule: Schedule, name: str = "", revision: int = 0) -> str:
    """Return a definition in one line, after the name of the stored schedule that it is, if it is one."""
    import yaml

    text = yaml.safe_dump(definition(schedule), default_flow_style=True, width=1 << 30, sort_keys=False)
    text = text.strip()[1:-1]
    return f"{name} revision {revision} ({text})" if name else text


def failure_text(failure: Failure) -> str:
    """Return where an evaluation ends, and how."""
    if failure.type == "NotTold":
        return f"the values from step {failure.step} on hang on what the job will report"
    return f"step {failure.step} cannot be reached: torch raises {failure.type} there"


def form(value: Any) -> Any:
    """Return a view as JSON's types: fields by their names, times in ISO 8601, tables as a row a step."""
    from lrkeeper.schedules import Schedule
    from lrkeeper.schedules.table import Table

    if isinstance(value, Schedule):
        return definition(value)
    if isinstance(value, Table):
        return rows(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value):
        return {field.name: form(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: form(item) for key, item in sorted(value.items())}
    if isinstance(value, list | tuple):
        return [form(item) for item in value]
    return value


def rows(table: Table) -> list[dict[str, Any]]:
    """Return a table's rows as JSON's types."""
    return [
        {"step": step, "values": form(table.row(step))} for step in range(table.first_step, table.end_step)
    ]


def _plain(message: Message) -> dict[str, Any]:
    """Return a message as proto-JSON, but with its whole numbers as whole numbers: not 30.0, and not "20"."""
    return {
        field.name: [_item(item) for item in value] if field.is_repeated else _item(value)
        for field, value in message.ListFields()
    }


def _item(value: Any) -> Any:
    if isinstance(value, float):
        if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        return int(value) if value.is_integer() and abs(value) < _EXACT else value
    return _plain(value) if hasattr(value, "ListFields") else value
