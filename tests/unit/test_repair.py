"""What is put back of a run, and who may do it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lrkeeper import schedules as S
from lrkeeper.errors import RemembersOther, RunFenced
from lrkeeper.schedules import codec
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs.acquire import Known
from lrkeeper.server.runs.records import Branch, Edit, Incarnation, LostEdit, Origin, ParamGroup, Run
from lrkeeper.server.runs.repair import (
    Plan,
    Remembered,
    RememberedRows,
    compare,
    ended,
    lost_edits,
    own_fence,
    plan,
    ruling,
)

HALVING, SLOW = S.StepLR(1, 0.5), S.StepLR(1, 0.999)


def rows(first: int, end: int, revision: int = 1) -> RememberedRows:
    table = Table.from_rows(first, [{"lr": (1.0 / step,)} for step in range(first, end)])
    return RememberedRows(table, revision, HALVING, "", first - 1)


def remembers(first: int, end: int, frontier: int | None = None, **fields: Any) -> Remembered:
    held = (rows(first, end),) if first < end else ()
    values = {"store_epoch": "old", "fence": 5, "held": True, "branch": 1, "rows": held, **fields}
    return Remembered(frontier=end if frontier is None else frontier, **values)


def an_edit(revision: int, step: int, schedule: S.Schedule = SLOW, **fields: Any) -> Edit:
    values: dict[str, Any] = {
        "run_uid": "run",
        "branch": 1,
        "request_id": f"edit-{revision}",
        "digest": "",
        "operation": "replace",
        "definition": codec.to_json(schedule),
        "schedule_uid": None,
        "schedule_revision": None,
        "clamped": False,
        "cursor": "",
        "author": "ann",
        "reason": "",
        "created_at": 0,
        **fields,
    }
    return Edit(revision=revision, effective_step=step, **values)


def as_lost(edit: Edit) -> LostEdit:
    return LostEdit(
        "run", edit.request_id, 1, edit.revision, edit.effective_step, edit.definition, "ann", "", 0, 0
    )


GROUP = ParamGroup(None, "float64", {"lr": 0.1}, {"lr": 0.1})
ORIGIN = Origin(codec.to_json(HALVING), None, None, 0, Table.from_rows(0, [{"lr": (0.1,)}]), "")
BRANCH = Branch("run", 1, None, None, 1, ORIGIN, (GROUP,), 0)
RUN = Run("run", "name", "active", "step", 1, 3, 20, 1, "", "1", None, 0, 0, 0)


def known(fence: int, same: int | None = None, holder: str = "another") -> Known:
    """Return a run under a fence, and the fence that the start that asks has there, if it is there."""

    def start(incarnation: str, fence: int) -> Incarnation:
        return Incarnation("run", incarnation, fence, 1, 0, None, 1, {}, 0)

    return Known(
        run=replace(RUN, fence=fence),
        lineage=(BRANCH,),
        same=None if same is None else start("this", same),
        holder=start(holder, fence),
        highest_attempt=None,
    )


# Fences.


@pytest.mark.parametrize(
    ("remembered", "fence", "same", "expected"),
    [
        pytest.param(5, 5, 5, 5, id="it has the run still"),
        pytest.param(5, 3, None, 5, id="its fence was lost"),
        pytest.param(5, 4, None, 5, id="a start without a memory has come in between"),
        pytest.param(5, 4, 4, 5, id="it has taken the run anew, and a rank of it remembers more"),
        pytest.param(5, 6, 6, 6, id="the other way round"),
    ],
)
def test_the_start_that_remembers_the_highest_fence_has_the_run(
    remembered: int, fence: int, same: int | None, expected: int
) -> None:
    assert own_fence(remembers(1, 9, fence=remembered), known(fence, same)) == expected


@pytest.mark.parametrize(("remembered", "fence", "same"), [(5, 6, None), (5, 5, None), (5, 6, 5), (2, 9, 2)])
def test_a_start_with_a_lower_fence_or_another_ones_is_fenced(
    remembered: int, fence: int, same: int | None
) -> None:
    with pytest.raises(RunFenced):
        own_fence(remembers(1, 9, fence=remembered), known(fence, same))


def test_a_start_that_comes_with_a_checkpoint_has_no_fence_of_its_own() -> None:
    assert own_fence(remembers(1, 9, held=False), known(3)) is None


@given(st.permutations([4, 5, 6, 7]))
def test_in_whichever_order_they_come_the_highest_has_the_run(order: list[int]) -> None:
    has = 3
    for fence in order:
        try:
            found = own_fence(remembers(1, 9, fence=fence), known(has))
        except RunFenced:
            assert fence <= has
        else:
            assert found == fence
            has = fence
    assert has == 7


# Plans.


@pytest.mark.parametrize(
    ("remembered", "expected"),
    [
        pytest.param(remembers(5, 18), Plan("nothing", 1, 20, 20, None), id="all of it is there"),
        pytest.param(remembers(0, 0, 18), Plan("nothing", 1, 20, 20, None), id="it holds nothing"),
        pytest.param(remembers(15, 30), Plan("extend", 1, 20, 30, None), id="rows across the frontier"),
        pytest.param(remembers(20, 30), Plan("extend", 1, 20, 30, None), id="rows at the frontier"),
        pytest.param(remembers(15, 30, 40), Plan("extend", 1, 20, 30, 2), id="steps beyond are unknown"),
        pytest.param(remembers(15, 18, 25), Plan("nothing", 1, 20, 20, 2), id="only unknown steps are lost"),
        pytest.param(remembers(21, 30), Plan("anew", 2, 21, 30, None), id="a step in between is unknown"),
        pytest.param(remembers(21, 30, 40), Plan("anew", 2, 21, 30, None), id="a gap, and steps beyond"),
    ],
)
def test_steps_whose_bits_nobody_has_are_left_to_their_branch(remembered: Remembered, expected: Plan) -> None:
    assert plan(remembered, 1, 20, there=True, newest=1) == expected


def test_a_branch_that_is_lost_comes_back_under_its_number() -> None:
    assert plan(remembers(30, 40, branch=4), 2, 20, there=False, newest=2) == Plan("anew", 4, 30, 40, None)
    assert plan(remembers(30, 40, 50, branch=4), 2, 20, there=False, newest=2).branch == 5
    assert plan(remembers(30, 40, branch=2), 3, 20, there=False, newest=3).branch == 4


@given(st.integers(1, 60), st.integers(0, 40), st.integers(0, 40), st.integers(1, 60))
def test_no_step_that_may_have_been_handed_out_is_evaluated_on_its_branch(
    first: int, count: int, beyond: int, frontier: int
) -> None:
    remembered = remembers(first, first + count, first + count + beyond)
    found = plan(remembered, 1, frontier, there=True, newest=1)
    evaluated = found.branch if found.fork is None else found.fork
    if evaluated == 1:
        assert found.frontier >= remembered.frontier
    assert found.frontier >= max(remembered.end_step, 0 if found.action == "anew" else frontier)


# Rows.


def test_rows_that_are_there_must_be_those_remembered() -> None:
    remembered = remembers(5, 15)
    compare("name", remembered, [rows(1, 8).table, rows(8, 30).table])
    compare("name", remembered, [])
    with pytest.raises(RemembersOther, match="step 9 of run 'name'") as caught:
        compare("name", remembered, [rows(1, 9).table, _with(rows(9, 30).table, 9)])
    assert caught.value.details["step"] == "9"
    compare("name", remembered, [_with(rows(1, 30).table, 15)])


def test_a_zero_of_another_sign_is_another_value() -> None:
    held = replace(rows(3, 4), table=Table.from_rows(3, [{"lr": (0.0,)}]))
    with pytest.raises(RemembersOther):
        compare("name", remembers(3, 4, rows=(held,)), [Table.from_rows(3, [{"lr": (-0.0,)}])])


def _with(table: Table, step: int) -> Table:
    """Return a table in which one step has another value."""
    column = table.column(0)
    column[step - table.first_step] *= 1 + 2**-52
    return table._replace(data=column.tobytes())


# Edits.


def test_the_definition_that_rules_is_that_of_the_last_edit_at_or_below() -> None:
    edits = [an_edit(2, 10), an_edit(3, 30, HALVING)]
    assert [ruling(BRANCH, edits, step)[1] for step in (9, 10, 29, 30)] == [1, 2, 2, 3]


def test_edits_that_the_database_has_not_are_lost() -> None:
    edits = [an_edit(2, 10), an_edit(3, 30)]
    remembered = remembers(5, 15, edits=tuple(map(as_lost, edits)))
    assert lost_edits(remembered, edits, []) == []
    assert lost_edits(remembered, edits[:1], []) == [as_lost(edits[1])]
    # Another rank has told before, and what its rows showed is an edit again.
    assert lost_edits(remembered, edits, [as_lost(edits[1])]) == [as_lost(edits[1])]


def test_edits_that_the_job_has_gone_past_without_act_no_more() -> None:
    unheard, back = an_edit(2, 25), an_edit(3, 20, HALVING)
    assert ended([unheard], [unheard, back], remembers(5, 40), 20) == [unheard]
    assert ended([unheard], [unheard], remembers(5, 40), 20) == []
    assert ended([an_edit(2, 10)], [back], remembers(5, 40), 20) == []
    told = remembers(5, 40, edits=(as_lost(unheard),))
    assert ended([unheard], [unheard, back], told, 20) == []
