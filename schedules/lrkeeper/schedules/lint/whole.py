"""A definition as the rules see it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from google.protobuf.message import Message

from lrkeeper.schedules.lint.values import Values
from lrkeeper.schedules.outline import Part, length, parts_of, starts_of
from lrkeeper.v1 import schedule_pb2

Length = tuple[str, float]
"""A unit and how many."""


class Node(NamedTuple):
    """A schedule in a definition."""

    path: str
    """The path of its kind's message."""
    kind: str
    message: Any
    part: Part
    limit: Length | None
    """How long it rules, if that is known."""
    followed: bool
    """Whether another stage comes after it."""

    @property
    def schedule(self) -> schedule_pb2.Schedule:
        """A copy of it, as a definition of its own."""
        found = schedule_pb2.Schedule()
        getattr(found, self.kind).CopyFrom(self.message)
        return found


@dataclass(frozen=True)
class Whole:
    """A definition, and how it is meant to be used.

    Args:
        message: the definition.
        path: its own path.
        base: the base value of an lr that the definition does not say.
        steps: how many steps a run has, if its author says.
    """

    message: schedule_pb2.Schedule
    path: str
    base: float
    steps: int | None = None
    _values: dict[int, Values] = field(default_factory=dict)

    @cached_property
    def parts(self) -> list[Part]:
        """What each hyperparameter does."""
        return parts_of(self.message, self.path)

    def horizon(self, part: Part) -> Length | None:
        """Return how long it all goes on, if that is known."""
        total = length(part.total) if part.total is not None else None
        return total or (("steps", float(self.steps)) if self.steps is not None else None)

    def values(self, part: Part) -> Values:
        """Return the values of a part."""
        base = self.base if part.base is None else part.base
        return self._values.setdefault(id(part), Values(part, base))

    def nodes(self) -> Iterator[Node]:
        """Yield every schedule, the outer before the inner."""
        for part in self.parts:
            own = f"{part.path}.schedule" if part.name and ".tracks[" in part.path else part.path
            yield from _nodes(part, part.schedule, own, self.horizon(part), followed=False)


def _nodes(
    part: Part, schedule: schedule_pb2.Schedule, path: str, limit: Length | None, followed: bool
) -> Iterator[Node]:
    kind = schedule.WhichOneof("kind")
    if kind is None:
        return
    message = getattr(schedule, kind)
    path = f"{path}.{kind}"
    yield Node(path, kind, message, part, limit, followed)
    if kind == "sequence":
        for place, stage in enumerate(message.stages):
            own, later = stage_limit(message, place, limit), place + 1 < len(message.stages)
            yield from _nodes(
                part, stage.schedule, f"{path}.stages[{place}].schedule", own, followed or later
            )
        return
    for name, value in message.ListFields():
        for place, each in enumerate(value if name.is_repeated else (value,)):
            if isinstance(each, schedule_pb2.Schedule):
                inner = f"{path}.{name.name}" + (f"[{place}]" if name.is_repeated else "")
                same = limit if kind in ("affine", "product", "pick", "plateau") else None
                yield from _nodes(part, each, inner, same, followed)


def stage_limit(sequence: schedule_pb2.Sequence, place: int, limit: Length | None) -> Length | None:
    """Return how long a stage rules, if that is known."""
    starts = starts_of(sequence)
    if starts is None:
        return None
    unit, start = starts[place]
    if place + 1 < len(starts):
        return unit, starts[place + 1][1] - start
    return (unit, limit[1] - start) if limit is not None and (limit[0] == unit or not start) else None


def messages(message: Message, path: str) -> Iterator[tuple[str, Message]]:
    """Yield a message and all in it, with their paths."""
    yield path, message
    for field_, value in message.ListFields():
        for place, each in enumerate(value if field_.is_repeated else (value,)):
            if isinstance(each, Message):
                inner = f"{path}.{field_.name}" + (f"[{place}]" if field_.is_repeated else "")
                yield from messages(each, inner)
