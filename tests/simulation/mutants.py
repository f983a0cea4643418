"""Patches of the production rules, each of which breaks a promise; the checker must notice every one.

A mutant replaces a piece of a function's source, which must be there exactly once: a rule that is rewritten
breaks its mutant loudly.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import FunctionType
from typing import Any

from tests.simulation.run import simulate

_SERVER = "lrkeeper.server."


@dataclass(frozen=True)
class Patch:
    """A piece of a function, or of a text that a module or a class has, and what stands there instead."""

    where: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """Patches, and the promises of DESIGN.md §3 that they break."""

    breaks: tuple[int, ...]
    patches: tuple[Patch, ...]


def _one(breaks: int | tuple[int, ...], where: str, old: str, new: str, *more: Patch) -> Mutant:
    promises = breaks if isinstance(breaks, tuple) else (breaks,)
    return Mutant(promises, (Patch(_SERVER + where, old, new), *more))


_MOVES = "AND state = 'active' AND branch = ?2 AND fence = ?3 AND revision = ?4 AND frontier = ?5"
_BATCH = (
    "AND runs.state = 'active' AND runs.branch = v.column2 AND runs.fence = v.column3 "
    "AND runs.revision = v.column4 AND runs.frontier = v.column5"
)


def _guard(breaks: int | tuple[int, ...], column: str) -> Mutant:
    """Return the mutant that moves runs whatever a column of theirs is by now, on both ways to the database."""
    place = {"branch": 2, "fence": 3, "revision": 4, "frontier": 5}[column]
    return _one(
        breaks,
        "storage.statements:Statements._MOVE",
        f"AND runs.{column} = v.column{place}",
        f"AND (runs.{column} = v.column{place} OR TRUE)",
        Patch(
            _SERVER + "storage.writer:_MOVE", f"AND {column} = ?{place}", f"AND ({column} = ?{place} OR TRUE)"
        ),
    )


MUTANTS: dict[str, Mutant] = {
    "no fence check": _guard(4, "fence"),
    "frontier not monotone": _one(
        (1, 3),
        "runs.frontier:new_frontier",
        "return max(frontier, min(",
        "return max(0, min(",
        Patch(_SERVER + "usecases.next_lr:_covered", "steps.from_step + count <= head.frontier", "False"),
    ),
    "the same incarnation gets a new fence": _one(
        (3, 4), "runs.acquire:decide", "if known.same is not None:", "if False:"
    ),
}


@contextmanager
def applied(name: str) -> Iterator[None]:
    """Have a mutant's rules instead of production's."""
    undo = [_apply(patch) for patch in MUTANTS[name].patches]
    try:
        yield
    finally:
        for each in reversed(undo):
            each()


def caught_by(name: str, seeds: Iterable[int]) -> tuple[int, str] | None:
    """Return the first seed in which a mutant breaks a promise that it is said to break, and how."""
    promises = tuple(f"{promise} " for promise in MUTANTS[name].breaks)
    with applied(name):
        for seed in seeds:
            for violation in simulate(seed).violations:
                if violation.startswith(promises):
                    return seed, violation
    return None


def _apply(patch: Patch) -> Any:
    module_name, _, path = patch.where.partition(":")
    *outer, name = path.split(".")
    holder: Any = import_module(module_name)
    for each in outer:
        holder = getattr(holder, each)
    found = getattr(holder, name)
    if isinstance(found, str):
        setattr(holder, name, _replaced(patch, found))
        return lambda: setattr(holder, name, found)
    assert isinstance(found, FunctionType)
    before = found.__code__
    found.__code__ = _compiled(found, _replaced(patch, textwrap.dedent(inspect.getsource(found))))

    def undo() -> None:
        found.__code__ = before

    return undo


def _replaced(patch: Patch, text: str) -> str:
    count = text.count(patch.old)
    if count != 1:
        raise LookupError(f"{patch.where} has {patch.old!r} {count} times, not once: mend the mutant")
    return text.replace(patch.old, patch.new)


def _compiled(function: FunctionType, source: str) -> Any:
    space: dict[str, Any] = {}
    flags = function.__code__.co_flags & 0x1000000  # annotations as text, as the module has them
    exec(compile(source, function.__code__.co_filename, "exec", flags, True), function.__globals__, space)
    return space[function.__name__].__code__
