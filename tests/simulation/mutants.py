"""Patches of the production rules, each of which breaks a promise; the checker must notice every one.

A mutant replaces a piece of a function's source, which must be there exactly once: a rule that is rewritten
breaks its mutant loudly.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import FunctionType
from typing import Any

from tests.simulation.run import simulate


@dataclass(frozen=True)
class Patch:
    """A piece of a function, or of a text that a module or a class has, and what stands there instead."""

    where: str
    old: str
    new: str


@dataclass(frozen=True)
class Mutant:
    """Patches, and the promises of DESIGN.md §3 that they break.

    `shows` are the promises that the checker then names, where those are others: clocks have no values of their own.
    """

    breaks: tuple[int, ...]
    patches: tuple[Patch, ...]
    shows: tuple[int, ...] = ()


def _server(where: str, old: str, new: str) -> Patch:
    return Patch(f"lrkeeper.server.{where}", old, new)


def _unguarded(column: str) -> tuple[Patch, Patch]:
    """Return what moves runs whatever a column of theirs is by now, on both ways to the database."""
    place = {"branch": 2, "fence": 3, "revision": 4, "frontier": 5}[column]
    ours, theirs = f"runs.{column} = v.column{place}", f"{column} = ?{place}"
    return (
        _server("storage.statements:Statements._MOVE", f"AND {ours}", f"AND ({ours} OR TRUE)"),
        _server("storage.writer:_MOVE", f"AND {theirs}", f"AND ({theirs} OR TRUE)"),
    )


_AS_GIVEN = """
    from lrkeeper.schedules.cursor import Cursor, extend
    def again(block):
        cursor = Cursor.from_json(block.cursor, head.branch.base)
        _, rows, _ = extend({schedule}, head.branch.base, cursor, block.table.count, {given})
        return block._replace(table=Table.from_rows(block.table.first_step, rows)) if rows else block
    if {condition}:
        blocks = [again(block) for block in blocks]
    whole = len(blocks)
"""

MUTANTS: dict[str, Mutant] = {
    "no fence check": Mutant((4,), _unguarded("fence")),
    "no revision check when rows are stored": Mutant((2,), _unguarded("revision")),
    "frontier not monotone": Mutant(
        (3,),
        (
            *_unguarded("frontier"),
            _server("storage.statements:Statements._INSERT", "INSERT INTO", "INSERT OR REPLACE INTO"),
            _server("storage.writer:_INSERT", "INSERT INTO", "INSERT OR REPLACE INTO"),
        ),
    ),
    "the same incarnation gets a new fence": Mutant(
        (3, 4),
        (
            _server(
                "usecases.acquire_run:_take",
                "        tx.move_incarnation(run.uid, start.incarnation, grant.resume_step)\n",
                "        run = replace(run, fence=run.fence + 1)\n"
                "        tx.update_run(run.uid, fence=run.fence)\n"
                "        tx.fence_incarnation(run.uid, start.incarnation, run.fence)\n",
            ),
        ),
    ),
    "a superseded start is let in again": Mutant(
        (4,), (_server("runs.acquire:decide", "if known.same.fence != run.fence:", "if False:"),)
    ),
    "an edit acts below the frontier": Mutant(
        (2,), (_server("usecases.edit_run:_effective_step", "max(at_step, run.frontier)", "at_step"),)
    ),
    "a stale revision is no conflict": Mutant(
        (2,), (_server("usecases.edit_run:_look", "change.expected_revision != run.revision", "False"),)
    ),
    "an edit later than it may": Mutant(
        (2,), (_server("usecases.edit_run:_effective_step", "step > change.not_after_step", "False"),)
    ),
    "a request id stands for any edit": Mutant(
        (3,), (_server("usecases.edit_run:_look", "before.digest != change.digest", "False"),)
    ),
    "answered before the commit": Mutant(
        (2,),
        (
            _server(
                "storage.sql:SqlStorage.advance",
                "stored: bool = await self._group.submit(advance, meanwhile=meanwhile)\n    return stored",
                "self._group.submit(advance, meanwhile=meanwhile)\n    return True",
            ),
        ),
    ),
    "a window handed out beyond the commit": Mutant(
        (1, 2),
        (
            _server(
                "usecases.next_lr:_move",
                "if await keeper.storage.advance(advance, meanwhile):",
                "if await keeper.storage.advance(advance, meanwhile) or True:",
            ),
        ),
    ),
    "an answer that a try before has prepared": Mutant(
        (1, 2),
        (
            _server(
                "usecases.next_lr:_move",
                "for _ in range(_TRIES):",
                "encoded = []\n    for _ in range(_TRIES):",
            ),
            _server("usecases.next_lr:_move", "encoded: list[R] = []", "pass"),
        ),
    ),
    "a batch's neighbours are lost": Mutant(
        (2,),
        (
            _server(
                "storage.sql:SqlStorage._commit_each",
                "for item in batch:",
                "for item in [each for each in batch if each.result is None]:",
            ),
        ),
    ),
    "a repeated request advances": Mutant(
        (3,), (_server("runs.frontier:new_frontier", "min(from_step + count,", "min(frontier + count,"),)
    ),
    "the progress of ranks is ignored": Mutant(
        (3,), (_server("runs.frontier:new_frontier", "lowest + 1 + 2 * count, ", ""),)
    ),
    "replayed with the newest definition": Mutant(
        (1, 2),
        (
            _server(
                "usecases.committed:answer",
                "\n    whole = len(blocks)\n",
                _AS_GIVEN.format(
                    schedule="head.schedule", given="block.learned", condition="len(blocks) < 9"
                ),
            ),
        ),
    ),
    "what a second report says decides": Mutant(
        (1,),
        (
            _server(
                "usecases.committed:answer",
                "\n    whole = len(blocks)\n",
                _AS_GIVEN.format(schedule="head.schedule", given="steps.given", condition="steps.given"),
            ),
        ),
    ),
    "the branch is missing where rows are looked up": Mutant(
        (1, 2),
        (_server("usecases.committed:answer", "if steps.branch != head.run.branch:", "if False:"),),
    ),
    "a rollback keeps the fence": Mutant(
        (4,),
        (
            _server(
                "usecases.rollback_run:_planned",
                "        fence=run.fence + 1,\n    )",
                "        fence=run.fence,\n    )",
            ),
            _server("usecases.rollback_run:_planned", "            fence=run.fence + 1,\n", ""),
            _server("usecases.rollback_run:_made", "run.fence - 1", "run.fence"),
        ),
    ),
    "a checkpoint of a branch that was left resumes": Mutant(
        (5,),
        (
            _server(
                "runs.acquire:_standing",
                "raise left_branch(start, known)",
                "found = at_step(lineage, step)",
            ),
        ),
    ),
    "a resume begins a step too late": Mutant(
        (5,),
        (
            _server(
                "runs.acquire:_standing",
                "step = start.checkpoint.step\n",
                "step = start.checkpoint.step + 1\n",
            ),
        ),
    ),
    "held rows are forgotten": Mutant(
        (7,),
        (
            Patch(
                "lrkeeper.window:Stock.forget_before", "table.end_step <= step", "table.end_step <= step + 4"
            ),
        ),
    ),
    "the store epoch is ignored": Mutant(
        (1,), (_server("usecases.keeper:check_epoch", "if store_epoch != storage.epoch:", "if False:"),)
    ),
    "edits are ordered by the clock": Mutant(
        (8,),
        (
            _server(
                "storage.transaction:SqlTransaction.edits",
                ".order_by(t.edits.c.revision)",
                ".order_by(t.edits.c.created_at, t.edits.c.revision)",
            ),
        ),
        shows=(2, 9),
    ),
    "an explanation looks a step too early": Mutant(
        (9,),
        (
            _server(
                "usecases.runs:explain", "if edit.effective_step <= step]", "if edit.effective_step < step]"
            ),
        ),
    ),
}


@contextmanager
def applied(name: str) -> Iterator[None]:
    """Have a mutant's rules instead of production's."""
    places: dict[str, list[Patch]] = {}
    for patch in MUTANTS[name].patches:
        places.setdefault(patch.where, []).append(patch)
    undo = [_apply(where, patches) for where, patches in places.items()]
    try:
        yield
    finally:
        for each in reversed(undo):
            each()


def caught_by(name: str, seeds: Iterable[int]) -> tuple[int, str] | None:
    """Return the first seed in which a mutant breaks a promise that it is said to break, and how."""
    mutant = MUTANTS[name]
    promises = tuple(f"{promise} " for promise in mutant.shows or mutant.breaks)
    with applied(name):
        for seed in seeds:
            for violation in simulate(seed).violations:
                if violation.startswith(promises):
                    return seed, violation
    return None


def _apply(where: str, patches: list[Patch]) -> Callable[[], None]:
    """Patch a function or a text; return what undoes it."""
    module_name, _, path = where.partition(":")
    *outer, name = path.split(".")
    holder: Any = import_module(module_name)
    for each in outer:
        holder = getattr(holder, each)
    found = getattr(holder, name)
    if isinstance(found, str):
        setattr(holder, name, _replaced(found, patches))
        return lambda: setattr(holder, name, found)
    assert isinstance(found, FunctionType)
    before = found.__code__
    found.__code__ = _compiled(found, _replaced(textwrap.dedent(inspect.getsource(found)), patches))

    def undo() -> None:
        found.__code__ = before

    return undo


def _replaced(text: str, patches: list[Patch]) -> str:
    for patch in patches:
        count = text.count(patch.old)
        if count != 1:
            raise LookupError(f"{patch.where} has {patch.old!r} {count} times, not once: mend the mutant")
        text = text.replace(patch.old, patch.new)
    return text


def _compiled(function: FunctionType, source: str) -> Any:
    space: dict[str, Any] = {}
    flags = function.__code__.co_flags & 0x1000000  # annotations as text, as the module has them
    exec(compile(source, function.__code__.co_filename, "exec", flags, True), function.__globals__, space)
    return space[function.__name__].__code__
