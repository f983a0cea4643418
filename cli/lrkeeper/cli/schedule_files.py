"""Schedule files: YAML or JSON that holds a definition, or a name and a definition."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from lrkeeper.schedules import Schedule

_ENDINGS = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class ScheduleFile:
    """What a file holds. `name` is None where it holds the definition alone."""

    name: str | None
    schedule: Schedule


def is_file(text: str) -> bool:
    """Return whether an argument means a file, not the name of a stored schedule or of a preset."""
    if text.startswith("presets/") and not text.endswith(_ENDINGS):
        return False
    return text == "-" or "/" in text or "\\" in text or text.endswith(_ENDINGS)


def read(path: str) -> ScheduleFile:
    """Read a file ("-": standard input).

    Raises ClickException; it names the file, and the path of the field that is wrong.
    """
    from lrkeeper.schedules import codec
    from lrkeeper.schedules.shape import DefinitionError

    shown = "standard input" if path == "-" else path
    try:
        with click.open_file(path, encoding="utf-8") as file:
            value = _parse(file.read(), path)
    except OSError as error:
        raise click.BadParameter(f"{shown}: {error.strerror}") from None
    except ValueError as error:
        raise click.ClickException(f"{shown}: {error}") from None
    name, field = None, ""
    if isinstance(value, dict) and "schedule" in value:
        name, field = _name(shown, value), "schedule"
        value = value["schedule"]
    try:
        return ScheduleFile(name, codec.from_dict(value, path=field))
    except DefinitionError as error:
        where = error.field.lstrip(".")
        raise click.ClickException(": ".join(filter(None, (shown, where, error.problem)))) from None


def _name(shown: str, value: dict[Any, Any]) -> str | None:
    """Return the name beside a definition."""
    for key in value:
        if key not in ("name", "schedule"):
            raise click.ClickException(
                f"{shown}: {key}: is not known beside schedule; what may stand is name"
            )
    name = value.get("name")
    if name is not None and not isinstance(name, str):
        raise click.ClickException(f"{shown}: name: is {name!r}; it must be a text")
    return name


def _parse(text: str, path: str) -> Any:
    """Return what JSON or YAML holds. Raises ValueError."""
    import yaml

    try:
        if PurePath(path).suffix == ".json":
            return json.loads(text)
        try:
            return json.loads(text)  # YAML takes most of JSON, not tabs
        except ValueError:
            return yaml.safe_load(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ValueError(f"{where}{error.problem}") from None
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())) from None
    except RecursionError:
        raise ValueError("is nested too deep") from None
