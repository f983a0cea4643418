"""Definitions with the numbers that a run gives to their parameters."""

from __future__ import annotations

from collections.abc import Mapping

from lrkeeper.errors import InvalidArgument
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


def known_to(definition: str, parameters: Mapping[str, float]) -> dict[str, float]:
    """Return those of a run's numbers that a definition takes."""
    declared = declared_in(codec.from_json(definition))
    return {name: value for name, value in parameters.items() if name in declared}
