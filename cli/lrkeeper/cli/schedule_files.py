"""Schedule files: YAML or JSON that holds a definition, or a name and a definition."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from lrkeeper.cli import texts

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

    text = read_text(path)
    with text.errors():
        return ScheduleFile(text.name, codec.from_dict(text.definition, path=text.field))


@dataclass(frozen=True)
class Text:
    """What a file holds, as its author wrote it."""

    shown: str
    """The file's name, for messages."""
    name: str | None
    definition: Any
    field: str
    """Where the definition stands in the file."""

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Make a definition's errors name the file."""
        from lrkeeper.schedules.shape import DefinitionError

        try:
            yield
        except DefinitionError as error:
            where = error.field.lstrip(".")
            raise click.ClickException(": ".join(filter(None, (self.shown, where, error.problem)))) from None


def read_text(path: str) -> Text:
    """Read a file's name and definition as they are written. Raises ClickException."""
    shown = "standard input" if path == "-" else path
    try:
        with click.open_file(path, encoding="utf-8") as file:
            value = texts.parse(file.read(), path)
    except OSError as error:
        raise click.BadParameter(f"{shown}: {error.strerror}") from None
    except ValueError as error:
        raise click.ClickException(f"{shown}: {error}") from None
    if isinstance(value, dict) and "schedule" in value:
        return Text(shown, _name(shown, value), value["schedule"], "schedule")
    return Text(shown, None, value, "")


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
