"""The client's values as JSON's types, and definitions in the language of schedule files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lrkeeper.schedules import Schedule
    from lrkeeper.schedules.table import Table

_EXACT = 1 << 53


def definition(schedule: Schedule) -> dict[str, Any]:
    """Return a definition as a schedule file has it: without the releases of torch that it follows, always the same."""
    from lrkeeper.schedules import codec

    found: dict[str, Any] = _whole(codec.to_dict(schedule))
    del found["semantics"]
    return found


def definition_text(schedule: Schedule, name: str = "", revision: int = 0) -> str:
    """Return a definition in one line, after the name of the stored schedule that it is, if it is one."""
    import yaml

    text = yaml.safe_dump(definition(schedule), default_flow_style=True, width=1 << 30, sort_keys=False)
    text = text.strip()[1:-1]
    return f"{name} revision {revision} ({text})" if name else text


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


def _whole(value: Any) -> Any:
    """Return proto-JSON with its whole numbers as whole numbers: not 30.0, and not "20"."""
    if isinstance(value, dict):
        return {key: _whole(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    if isinstance(value, str) and value.lstrip("-").isdigit():
        return int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    return value
