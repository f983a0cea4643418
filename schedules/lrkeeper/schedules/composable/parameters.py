"""Numbers that a run gives to a definition: levels, spans and base values that name them become numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from functools import lru_cache
from itertools import chain
from typing import Any

from lrkeeper.schedules import checks
from lrkeeper.schedules.composable.closed_form import found_in, with_changed
from lrkeeper.schedules.composable.parts import Level, Span
from lrkeeper.schedules.composable.track import Parameter, Track
from lrkeeper.schedules.expressions import Expression, ExpressionError, parse
from lrkeeper.schedules.schedule import Schedule


def filled(definition: Schedule, values: Mapping[str, float]) -> Schedule:
    """Return a definition with numbers in place of its parameters: those given, or their defaults.

    Raises TypeError or ValueError, by name: one is missing, unknown or no finite number, or the definition makes
    no sense with them.
    """
    declared = declared_in(definition)
    _check_given(declared, values)
    numbers = {name: p.value for name, p in declared.items() if p.value is not None}
    numbers |= {name: float(value) for name, value in values.items()}
    missing = [p for name, p in declared.items() if name not in numbers and name not in _optional(definition)]
    if missing:
        texts = ", ".join(f"{p.name} ({p.description})" if p.description else p.name for p in missing)
        raise ValueError(f"the definition needs a number for {texts}")
    if not has_parameters(definition):
        return definition
    names = frozenset(declared)

    def number(text: str) -> float:
        return _expression(text, names).evaluate(numbers)

    def level_of(level: Level) -> Level:
        return level if level.parameter is None else Level(absolute=number(level.parameter))

    def span_of(span: Span) -> Span:
        return span if span.parameter is None else Span(steps=number(span.parameter))

    def track_of(track: Track) -> Track:
        if track.base_parameter is None:
            return track
        given = _expression(track.base_parameter, names).names <= numbers.keys()
        return replace(track, base=number(track.base_parameter) if given else None, base_parameter=None)

    found = with_changed(with_changed(definition, Level, level_of), Span, span_of)
    found = with_changed(found, Track, track_of).altered(parameters=())
    for schedule in _inner_first(found):
        schedule.check()
    found.check_whole()
    return found


def has_parameters(definition: Schedule) -> bool:
    """Return whether a definition declares parameters, or names some."""
    return bool(declared_in(definition)) or any(True for _ in texts_in(definition))


def defaults_fill(definition: Schedule) -> bool:
    """Return whether a definition is whole without a run's numbers."""
    optional = _optional(definition)
    return all(p.value is not None or name in optional for name, p in declared_in(definition).items())


def declared_in(definition: Schedule) -> dict[str, Parameter]:
    """Return the parameters that a definition declares, by name."""
    return {parameter.name: parameter for parameter in getattr(definition, "parameters", ())}


def check_parameters(definition: Schedule) -> None:
    """Check what a definition declares, and that it names nothing else. Raises TypeError or ValueError."""
    parameters: tuple[Any, ...] = getattr(definition, "parameters", ())
    for place, parameter in enumerate(parameters):
        where = f"parameters[{place}]"
        if not isinstance(parameter, Parameter):
            raise TypeError(f"Tracks: {where} is {parameter!r}; use a Parameter")
        parameter.check(where)
        if parameter.name in {earlier.name for earlier in parameters[:place]}:
            raise ValueError(f"Tracks: {where}.name is {parameter.name!r}, which stands twice")
    names = frozenset(declared_in(definition))
    for text in texts_in(definition):
        _expression(text, names)


def texts_in(definition: Schedule) -> Iterator[str]:
    """Yield what stands in a definition in a number's place."""
    yield from _required_texts(definition)
    for track in found_in(definition, Track):
        if track.base_parameter is not None:
            yield track.base_parameter


def _required_texts(definition: Schedule) -> Iterator[str]:
    parts: Iterator[Level | Span] = chain(found_in(definition, Level), found_in(definition, Span))
    for part in parts:
        if part.parameter is not None:
            yield part.parameter


def _optional(definition: Schedule) -> set[str]:
    """Return the parameters that only replace the param groups' own base values."""
    names = frozenset(declared_in(definition))
    required = {name for text in _required_texts(definition) for name in _expression(text, names).names}
    named = {name for text in texts_in(definition) for name in _expression(text, names).names}
    return named - required


def _check_given(declared: Mapping[str, Parameter], values: Mapping[str, float]) -> None:
    for name, value in values.items():
        if name not in declared:
            close = get_close_matches(name, declared, 1)
            what = f"it has {', '.join(declared)}" if declared else "it has none"
            advice = f"; did you mean {close[0]!r}" if close else ""
            raise ValueError(f"the definition has no parameter {name!r}: {what}{advice}")
        checks.number("parameters", name, value, "a finite number")


@lru_cache(maxsize=256)
def _expression(text: str, names: frozenset[str]) -> Expression:
    try:
        return parse(text, names)
    except ExpressionError as error:
        raise ValueError(f"{text!r} names no parameter of the definition: {error}") from error


def _inner_first(value: Any) -> Iterator[Schedule]:
    if isinstance(value, tuple):
        for item in value:
            yield from _inner_first(item)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _inner_first(getattr(value, field.name))
        if isinstance(value, Schedule):
            yield value
