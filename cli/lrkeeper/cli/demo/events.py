"""What a trainer tells the demo: one JSON object a line. A double's decimal form reads back as its bits."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Step:
    """The optimizer has a step's lr."""

    step: int
    lr: float


@dataclass(frozen=True)
class Epoch:
    """An epoch is trained, with this lr; the loss is its mean, the accuracy that on unseen images."""

    epoch: int
    lr: float
    loss: float
    accuracy: float


Event: TypeAlias = Step | Epoch

_KINDS: dict[str, type[Event]] = {"Step": Step, "Epoch": Epoch}


def to_line(event: Event) -> str:
    """Return an event as a line."""
    return json.dumps({"event": type(event).__name__, **asdict(event)})


def from_line(line: str) -> Event:
    """Read what `to_line` wrote."""
    fields = json.loads(line)
    return _KINDS[fields.pop("event")](**fields)
