"""Definitions with the numbers that a run gives to their parameters."""

from __future__ import annotations

from collections.abc import Mapping

from lrkeeper.errors import InvalidArgument, ScheduleFails
from lrkeeper.schedules import Schedule, codec
from lrkeeper.schedules.composable.parameters import declared_in, filled, has_parameters


def fill(definition: str, parameters: Mapping[str, float]) -> str:
    """Return a definition's canonical JSON with numbers in place of its parameters. Raises InvalidArgument."""
    schedule = codec.from_json(definition)
    if not parameters and not has_parameters(schedule):
        return definition
    return codec.to_json(fill_schedule(schedule, parameters))


def fill_schedule(schedule: Schedule, parameters: Mapping[str, float]) -> Schedule:
    """Return a schedule with numbers in place of its parameters. Raises InvalidArgument."""
    try:
        return filled(schedule, parameters)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise InvalidArgument(str(error), field="parameters") from error


def fill_for_run(run: str, definition: str, given: Mapping[str, float], known: Mapping[str, float]) -> str:
    """Return a definition with the numbers that a change gives, and those that the run has where it gives none.

    Raises InvalidArgument, ScheduleFails.
    """
    declared = declared_in(codec.from_json(definition))
    values = {**{name: value for name, value in known.items() if name in declared}, **given}
    try:
        return fill(definition, values)
    except InvalidArgument as error:
        if given:
            raise
        raise ScheduleFails(
            f"run {run!r} cannot take the definition: {error}; an edit may give parameters", run=run
        ) from error
