"""A run's lineage: the branches whose steps its timeline has, the present one first."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeAlias

from lrkeeper.server.runs.records import Branch, ParamGroup

Lineage: TypeAlias = tuple[Branch, ...]
"""The present branch, the one it goes on from, and so on. Each has its steps up to the origin of the one before."""


def end_of(lineage: Lineage, branch: Branch, frontier: int) -> int:
    """Return the first step that the timeline does not have on a branch: behind the next one's origin, or F."""
    for later, earlier in pairwise(lineage):
        if earlier.branch == branch.branch:
            return later.origin.step + 1
    return frontier


def on_branch(lineage: Lineage, number: int, step: int) -> Branch | None:
    """Return the branch of a number, if the timeline has the step there; None otherwise."""
    for branch in lineage:
        if branch.branch == number:
            return branch if branch is lineage[0] or step < end_of(lineage, branch, 0) else None
    return None


def at_step(lineage: Lineage, step: int, groups: int | None = None) -> Branch:
    """Return the branch that has a step; of two with the same one that of so many groups, else the later.

    The earliest one where the step lies before all of them.
    """
    found = [b for b in lineage if b.origin.step <= step <= end_of(lineage, b, step + 1) - 1]
    return next((b for b in found if len(b.groups) == groups), found[0] if found else lineage[-1])


def having(lineage: Lineage, branch: Branch, step: int) -> Branch:
    """Return the branch that has a step: one of the lineage, or in its past, if the step lies before its origin.

    The earliest one where the step lies before all of them.
    """
    place = lineage.index(branch)
    while step < lineage[place].origin.step and place + 1 < len(lineage):
        place += 1
    return lineage[place]


def onward(lineage: Lineage, branch: Branch) -> Branch:
    """Return the branch on which a job goes on that stands on one of the lineage: the latest with the same groups."""
    place = lineage.index(branch)
    while place and _alike(lineage[place - 1].groups, lineage[place].groups):
        place -= 1
    return lineage[place]


def same_place(lineage: Lineage, branch: Branch, step: int) -> Branch:
    """Return the earliest branch that has a step with the same groups: at an origin it is its parent's too."""
    found = having(lineage, branch, step)
    place = lineage.index(found)
    while place + 1 < len(lineage) and step <= lineage[place].origin.step:
        if not _alike(lineage[place].groups, lineage[place + 1].groups):
            break
        place += 1
    return lineage[place]


def _alike(ours: tuple[ParamGroup, ...], theirs: tuple[ParamGroup, ...]) -> bool:
    """Whether groups are the same ones; what they held when a scheduler was built does not matter."""
    return [(g.name, g.number, dict(g.initial)) for g in ours] == [
        (g.name, g.number, dict(g.initial)) for g in theirs
    ]
