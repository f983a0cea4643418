"""A run's lineage: the branches whose steps its timeline has, the present one first."""

from __future__ import annotations

from itertools import pairwise
from typing import TypeAlias

from lrkeeper.server.runs.records import Branch

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
