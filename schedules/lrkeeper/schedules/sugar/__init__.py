"""Schedules as people write them, and how they become the canonical form: the JSON of the proto message.

Pure functions from values to values. What they make knows where its author wrote it (`where`).
"""

from __future__ import annotations

from typing import Any

from lrkeeper.schedules.sugar.written import placed, where

__all__ = ["expanded", "placed", "where"]


def expanded(value: Any, path: str = "") -> Any:
    """Return a written definition in its canonical form; one that has it already is not changed.

    What is no definition at all passes: its shape is checked afterwards. Raises DefinitionError.
    """
    from lrkeeper.schedules.sugar.definition import definition

    return definition(value, path)
