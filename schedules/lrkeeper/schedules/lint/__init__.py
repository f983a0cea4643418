"""Traps in a definition: what it does, though it is allowed, that its author hardly means."""

from __future__ import annotations

from typing import Any

from lrkeeper.schedules import codec
from lrkeeper.schedules.lint import jumps, lengths, ramps, reach
from lrkeeper.schedules.lint.finding import Finding
from lrkeeper.schedules.lint.whole import Whole
from lrkeeper.schedules.shape import DefinitionError, UnknownKind
from lrkeeper.schedules.sugar import expanded, placed, where

__all__ = ["Finding", "lint"]

_RULES = (
    lengths.does_not_add_up,
    lengths.never_begins,
    ramps.rises_again,
    ramps.falls_short,
    jumps.stages_jump,
    jumps.goes_back,
    jumps.begins_with_nothing,
    jumps.is_linked_to_nothing,
    reach.leaves_the_numbers,
)


def lint(value: Any, *, path: str = "", base: float = 0.1, steps: int | None = None) -> list[Finding]:
    """Return the traps in a definition as its author wrote it, by the paths that are written there.

    `base` is the base lr where the definition says none; `steps` is how many steps a run has. What is no definition
    at all is one finding.
    """
    try:
        written = expanded(value, path)
        message = codec.message_of(written, path=path)
    except DefinitionError as error:
        return [Finding(error.field, error.problem, "")]
    whole = Whole(message, path, base, steps)
    found = list(lengths.hangs_on_nothing(whole))
    if not found:
        try:
            codec.decode(message, path=path)
        except UnknownKind:
            pass
        except DefinitionError as error:
            error = placed(error, written, path)
            return [Finding(error.field.lstrip("."), error.problem, "")]
    found += [finding for rule in _RULES for finding in rule(whole)]
    put = [finding._replace(path=where(written, finding.path, path).lstrip(".")) for finding in found]
    return list(dict.fromkeys(put))
