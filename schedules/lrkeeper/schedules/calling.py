"""Schedules whose factors are what functions return: a definition has none, a job's own builder may."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from lrkeeper.schedules.given import Functions
from lrkeeper.schedules.schedule import Schedule
from lrkeeper.schedules.torch_schedule import EpochSchedule


class CallingSchedule(EpochSchedule):
    """A schedule of torch's that calls functions.

    They belong to the object that a job has built, and to its copies; not to the definition: they are neither
    compared nor stored, and never leave the process.
    """

    functions: Functions = ()
    pure: bool = False
    """Whether the functions depend on what they are called with alone."""

    @property
    def calls(self) -> bool:
        """Whether steps are given factors at all."""
        return True

    def callers(self) -> Iterator[Schedule]:
        if self.calls:
            yield self

    def altered(self, **values: Any) -> Self:
        found = super().altered(**values)
        found._keep(self.functions, pure=self.pure)
        return found

    def _keep(self, functions: Functions, *, pure: bool) -> None:
        object.__setattr__(self, "functions", functions)
        object.__setattr__(self, "pure", pure)

    def _take(self, argument: str, given: Any, *, pure: bool) -> None:
        """Take what a builder was given as its functions. Raises TypeError."""
        functions = () if given is None else tuple(given) if isinstance(given, list | tuple) else (given,)
        for place, function in enumerate(functions):
            if not callable(function):
                where = argument if function is given else f"{argument}[{place}]"
                raise TypeError(f"{type(self).__name__}: {where} is {function!r}; it must be a function")
        self._keep(functions, pure=pure)


def functions_problem(schedule: Schedule, groups: int) -> str:
    """Say why a job cannot call a schedule's functions for so many param groups; empty if it can."""
    for caller in schedule.callers():
        assert isinstance(caller, CallingSchedule)
        name, argument = type(caller).__name__, "scale_fn=" if caller.kind == "cyclic_lr" else ""
        if not caller.functions:
            return (
                f"{name} calls a function, and has none here: no definition from a server or a file has one; "
                f"build it in the job, as S.{name}({argument}function)"
            )
        if len(caller.functions) not in (1, groups):
            return f"{name} has {len(caller.functions)} functions, and the optimizer {groups} param groups"
    return ""
