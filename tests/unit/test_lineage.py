"""Which branch of a run's timeline has a step, and on which a job goes on."""

from __future__ import annotations

import pytest

from lrkeeper.server.runs.lineage import end_of, having, onward, same_place
from lrkeeper.server.runs.records import Branch, ParamGroup
from tests.contract.samples import a_branch, a_run, an_origin

RUN = a_run()
ONE = (ParamGroup(None, "float64", {"lr": 0.1}, {"lr": 0.1}),)
TWO = (*ONE, ParamGroup(None, "float64", {"lr": 0.5}, {"lr": 0.5}))


def branch(number: int, at: int, groups: tuple[ParamGroup, ...], parent: int | None = None) -> Branch:
    """Return a branch that begins at a step."""
    fork_step = None if parent is None else at
    origin = an_origin(groups, step=at)
    return a_branch(RUN, branch=number, parent=parent, fork_step=fork_step, origin=origin, groups=groups)


FIRST = branch(1, 0, ONE)
BACK = branch(2, 50, ONE, parent=1)  # taken back to 50
GROWN = branch(3, 80, TWO, parent=2)  # a group was added at 80
AGAIN = branch(5, 90, TWO, parent=3)  # taken back to 90
LINEAGE = (AGAIN, GROWN, BACK, FIRST)


@pytest.mark.parametrize(
    ("of", "step", "has"),
    [
        (AGAIN, 120, AGAIN),
        (AGAIN, 90, AGAIN),
        (AGAIN, 89, GROWN),
        (AGAIN, 79, BACK),
        (AGAIN, 3, FIRST),
        (GROWN, 95, GROWN),
        (BACK, 50, BACK),
        (BACK, 49, FIRST),
        (FIRST, 0, FIRST),
    ],
)
def test_a_step_before_a_branch_is_its_parents(of: Branch, step: int, has: Branch) -> None:
    assert having(LINEAGE, of, step) == has


def test_a_step_before_all_branches_is_the_first_ones() -> None:
    late = branch(1, 10, ONE)
    assert having((late,), late, 3) == late


@pytest.mark.parametrize(("stands", "goes_on"), [(FIRST, BACK), (BACK, BACK), (GROWN, AGAIN), (AGAIN, AGAIN)])
def test_a_job_goes_on_on_the_latest_branch_with_its_groups(stands: Branch, goes_on: Branch) -> None:
    assert onward(LINEAGE, stands) == goes_on


def test_other_values_in_the_groups_at_construction_are_no_other_groups() -> None:
    moved = (ParamGroup(None, "float64", {"lr": 0.1}, {"lr": 0.7}),)
    lineage = (branch(2, 5, moved, parent=1), FIRST)
    assert onward(lineage, FIRST) == lineage[0]


@pytest.mark.parametrize(
    ("of", "step", "place"), [(BACK, 50, FIRST), (BACK, 51, BACK), (GROWN, 80, GROWN), (AGAIN, 90, GROWN)]
)
def test_an_origin_is_the_parents_step_too_if_the_groups_are_the_same(
    of: Branch, step: int, place: Branch
) -> None:
    assert same_place(LINEAGE, of, step) == place


def test_a_branch_ends_behind_the_origin_of_the_next() -> None:
    assert [end_of(LINEAGE, each, 200) for each in LINEAGE] == [200, 91, 81, 51]
