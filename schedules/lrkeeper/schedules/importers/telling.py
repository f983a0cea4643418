"""Importers note the call that made a schedule, so that people read what they wrote."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from lrkeeper.schedules.schedule import Schedule

P = ParamSpec("P")
S = TypeVar("S", bound=Schedule)


def tells(importer: Callable[P, S]) -> Callable[P, S]:
    """Make an importer note its call in what it returns."""

    @wraps(importer)
    def call(*args: P.args, **kwargs: P.kwargs) -> S:
        shown = [*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())]
        return importer(*args, **kwargs).tell(f"S.{importer.__name__}({', '.join(shown)})")

    return call
