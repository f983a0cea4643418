"""A run at its frontier: blocks, edits, failures."""

from __future__ import annotations

from lrkeeper import schedules as S
from lrkeeper.schedules import codec
from lrkeeper.schedules.cursor import begin, extend
from lrkeeper.schedules.schedule import Schedule
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs.head import Head, advanced, head_of, in_force
from lrkeeper.server.runs.records import Block, Branch, Edit, Origin, ParamGroup, Run

BASE = {"lr": (0.1,)}


def run_of(schedule: Schedule, edits: list[Edit] | None = None) -> Head:
    cursor = begin(schedule, BASE, BASE)
    values = Table.from_rows(0, [cursor.row])
    origin = Origin(codec.to_json(schedule), None, None, 0, values, cursor.to_json(BASE))
    groups = (ParamGroup(None, "float64", {"lr": 0.1}, {"lr": 0.1}),)
    branch = Branch("uid", 1, None, None, 1, origin, groups, 0)
    run = Run("uid", "run", "active", "step", 1, 1, 1, 1, cursor.to_json(BASE), "1", None, 0, 0, 0)
    return head_of(run, branch, edits or [])


def edit(revision: int, effective_step: int, schedule: Schedule) -> Edit:
    cursor, _, failure = extend(schedule, BASE, begin(schedule, BASE, BASE), effective_step - 1)
    assert failure is None
    return Edit(
        run_uid="uid",
        revision=revision,
        branch=1,
        request_id=str(revision),
        digest="",
        operation="replace",
        definition=codec.to_json(schedule),
        schedule_uid=None,
        schedule_revision=None,
        effective_step=effective_step,
        clamped=False,
        cursor=cursor.to_json(BASE),
        author="",
        reason="",
        created_at=0,
    )


def curve(schedule: Schedule, first: int, end: int) -> list[float]:
    cursor = begin(schedule, BASE, BASE)
    rows = [cursor.row, *extend(schedule, BASE, cursor, end - 1)[1]]
    return [row["lr"][0] for row in rows[first:end]]


def test_an_edit_acts_from_its_step_as_if_from_the_start() -> None:
    old, new = S.StepLR(2, 0.5), S.StepLR(3, 0.9)
    head, blocks, failure = advanced(run_of(old, [edit(2, 6, new)]), 11, now=0)
    assert failure is None
    assert [(b.table.first_step, b.table.end_step, b.revision) for b in blocks] == [(1, 6, 1), (6, 11, 2)]
    assert list(blocks[0].table.column(0)) == curve(old, 1, 6)
    assert list(blocks[1].table.column(0)) == curve(new, 6, 11)
    assert (head.frontier, head.revision, head.pending) == (11, 2, ())


def test_single_steps_and_one_long_step_give_the_same_bits() -> None:
    schedule = S.MultiStepLR([3, 7]).then(S.StepLR(2), at=9)
    edits = [edit(2, 5, S.StepLR(4)), edit(3, 12, S.StepLR(1, 0.7))]
    _, whole, _ = advanced(run_of(schedule, edits), 21, now=0)
    head, pieces = run_of(schedule, edits), list[Block]()
    while head.frontier < 21:
        head, blocks, _ = advanced(head, head.frontier + 1, now=0)
        pieces += blocks
    assert Table.join([b.table for b in pieces]) == Table.join([b.table for b in whole])
    assert [b.revision for b in pieces] == [1] * 4 + [2] * 7 + [3] * 9


def test_a_later_edit_ends_all_that_would_act_at_its_step_or_after() -> None:
    edits = [
        edit(2, 10, S.StepLR(1)),
        edit(3, 20, S.StepLR(2)),
        edit(4, 10, S.StepLR(3)),
        edit(5, 15, S.StepLR(4)),
    ]
    assert [e.revision for e in in_force(edits[:2])] == [2, 3]
    assert [e.revision for e in in_force(edits[:3])] == [4]
    assert [e.revision for e in in_force(edits)] == [4, 5]


def test_a_schedule_that_fails_ends_the_rows_before_and_says_where() -> None:
    nested = S.SequentialLR([S.StepLR(2), S.SequentialLR([S.StepLR(3)], [])], [4])
    head, blocks, failure = advanced(run_of(nested), 9, now=0)
    assert [(b.table.first_step, b.table.end_step) for b in blocks] == [(1, 4)]
    assert failure is not None
    assert (failure.step, failure.type) == (4, "NotImplementedError")
    assert advanced(head, 9, now=0)[1:] == ((), failure)


def test_a_block_keeps_the_evaluation_before_it() -> None:
    from lrkeeper.schedules.cursor import Cursor

    schedule = S.StepLR(2, 0.3)
    head, _, _ = advanced(run_of(schedule), 6, now=0)
    _, (block,), _ = advanced(head, 9, now=0)
    cursor = Cursor.from_json(block.cursor, BASE)
    assert cursor.step == 5
    _, rows, _ = extend(schedule, BASE, cursor, 3)
    assert Table.from_rows(6, rows) == block.table
