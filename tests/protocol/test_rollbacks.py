"""RollbackRun: a run goes on from a step it has been at, on a branch of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import (
    RequestIdReused,
    RunFenced,
    RunFinished,
    RunNotFound,
    ScheduleFails,
    ScheduleNotFound,
    StaleRevision,
    StepOutOfRange,
    UnknownFence,
    WrongBranch,
)
from lrkeeper.schedules.given import Given
from lrkeeper.views import Place, RolledBack
from tests.protocol import jobs
from tests.protocol.stored import contents
from tests.protocol.watched import Watched
from tests.support.flipping_server import EVERY, command
from tests.support.server import ServerProcess


def back(client: Client, run: str, to_step: int, **fields: Any) -> RolledBack:
    """Take a run back."""
    fields = {
        "expected_revision": client.get_run(run).revision,
        "reason": "it diverged",
        "author": "op",
        **fields,
    }
    return client.rollback_run(run, to_step, **fields)


def halving(first: int, end: int) -> jobs.Bits:
    return [((0.1 * 0.5**step).hex(),) for step in range(first, end)]


def resumed(client: Client, place: Place, step: int, **fields: Any) -> Place:
    """Return the place of another start, from a checkpoint that the first one took."""
    return client.acquire_run(jobs.a_start(place.run, checkpoint=jobs.checkpoint_of(place, step), **fields))


def test_a_run_goes_on_from_the_step_on_a_new_branch_and_the_old_one_stays_readable(client: Client) -> None:
    old = jobs.stepped(client, jobs.begun(client), 40)
    answer = back(client, old.run, 20)
    assert (answer.branch, answer.fence, answer.frontier, answer.revision) == (2, 2, 21, 2)
    assert answer.dropped == ()
    assert jobs.bits(answer.preview) == halving(20, 25)
    new = resumed(client, old, 15)
    assert (new.branch, new.fence, new.resume_step, new.frontier) == (2, 3, 15, 21)
    jobs.stepped(client, new, 30)
    assert jobs.read(client, new, 1, 31) == halving(1, 31)
    assert jobs.read(client, old, 1, 41) == halving(1, 41)
    run = client.get_run(old.run)
    assert [(b.branch, b.origin_step, b.author, b.reason) for b in run.lineage] == [
        (1, 0, "", ""),
        (2, 20, "op", "it diverged"),
    ]
    assert (run.origin_step, run.frontier, jobs.bits(run.latest)) == (20, 31, halving(30, 31))
    explained = [client.explain(old.run, step).branch for step in (19, 21)]
    assert explained == [1, 2]
    assert client.explain(old.run, 35, branch=1).fence == 1


def test_the_start_that_held_the_run_is_fenced_and_told_who_took_it_back_and_why(client: Client) -> None:
    old = jobs.stepped(client, jobs.begun(client), 10)
    back(client, old.run, 5)
    with pytest.raises(RunFenced, match="taken back to step 5 by op: it diverged") as caught:
        jobs.ask(client, old, 11)
    assert caught.value.details == {"run": old.run, "fence": "2", "branch": "2", "step": "5"}
    assert jobs.read(client, old, 1, 11) == halving(1, 11)  # what it was given stays its own
    with pytest.raises(RunFenced, match="taken back"):
        client.acquire_run(jobs.a_start(old.run, incarnation=old.incarnation))
    with pytest.raises(RunFenced, match="taken back"):
        client.finish_run(old.run, fence=old.fence)
    run = client.get_run(old.run)
    assert (run.holder, run.fence, run.frontier) == (None, 2, 6)
    assert next(r for r in client.list_runs() if r.name == old.run).holder is None
    new = resumed(client, old, 5)
    with pytest.raises(RunFenced, match=f"is held by incarnation {new.incarnation}"):
        jobs.ask(client, old, 11)


def test_ranks_that_hold_windows_of_different_length_get_steps_of_one_branch(client: Client) -> None:
    old = jobs.begun(client, world_size=2)
    ranks = [
        old,
        client.acquire_run(jobs.a_start(old.run, incarnation=old.incarnation, world_size=2, rank=1)),
    ]
    held = [
        jobs.bits(jobs.ask(client, rank, 1, count).table) for rank, count in zip(ranks, (20, 8), strict=True)
    ]
    assert [len(rows) for rows in held] == [20, 8]
    back(client, old.run, 5, schedule=jobs.SLOW)
    held[1] += jobs.bits(jobs.ask(client, ranks[1], 9, 20).table)  # committed before: it may catch up
    assert held == [halving(1, 21)] * 2
    for rank in ranks:
        with pytest.raises(RunFenced, match="taken back"):
            jobs.ask(client, rank, 21)


def test_a_fence_that_no_start_has_moves_nothing(client: Client) -> None:
    old = jobs.stepped(client, jobs.begun(client), 10)
    answer = back(client, old.run, 5)
    nobody = replace(old, fence=answer.fence, branch=answer.branch)
    with pytest.raises(UnknownFence, match="no start holds run"):
        jobs.ask(client, nobody, 6)
    assert client.get_run(old.run).frontier == 6


def test_a_run_that_was_taken_back_is_free_for_a_start_without_a_checkpoint(client: Client) -> None:
    old = jobs.stepped(client, jobs.begun(client), 10)
    back(client, old.run, 5)
    new = client.acquire_run(jobs.a_start(old.run))
    assert (new.branch, new.fence, new.resume_step, new.frontier) == (2, 3, 0, 6)
    jobs.stepped(client, new, 12)
    assert jobs.read(client, new, 1, 13) == halving(1, 13)


def test_a_run_that_was_taken_back_can_be_deleted(client: Client) -> None:
    old = jobs.stepped(client, jobs.begun(client), 10)
    back(client, old.run, 5)
    client.delete_run(old.run)


def test_a_checkpoint_beyond_the_step_is_of_another_branch(client: Client) -> None:
    old = jobs.stepped(client, jobs.begun(client), 10)
    back(client, old.run, 5)
    with pytest.raises(
        WrongBranch, match=r"step 6 of branch 1; .* on branch 2, which left branch 1 at step 5"
    ) as caught:
        resumed(client, old, 6)
    assert "by op: it diverged" in str(caught.value)
    assert resumed(client, old, 5).branch == 2


def test_checkpoints_of_steps_before_the_branch_lie_on_it_too(client: Client) -> None:
    """A job that resumes below the step, and saves again there."""
    old = jobs.stepped(client, jobs.begun(client), 10)
    back(client, old.run, 5)
    new = resumed(client, old, 2)
    again = resumed(client, new, 3)
    assert (again.branch, again.resume_step) == (2, 3)
    assert jobs.bits(again.values) == halving(3, 4)


def test_a_run_is_taken_back_again_and_again(client: Client) -> None:
    place = jobs.stepped(client, jobs.begun(client), 40)
    for to_step, lineage in ((30, [1, 2]), (35, [1, 2, 3]), (10, [1, 4]), (10, [1, 4, 5]), (0, [1, 6])):
        answer = back(client, place.run, to_step)
        assert [b.branch for b in client.get_run(place.run).lineage] == lineage
        start = jobs.a_start(place.run)
        new = client.acquire_run(start)
        assert (new.branch, new.fence) == (answer.branch, answer.fence + 1)
        jobs.stepped(client, new, 40)
        assert jobs.read(client, new, 1, 41) == halving(1, 41)
    assert next(client.list_blocks(place.run, branch=3)).table.first_step == 36


def edited(client: Client, *, to: int = 30) -> Place:
    """Return the place on a run at a step that was edited from step 11 on, and will be from 50 on."""
    place = jobs.stepped(client, jobs.begun(client), 10)
    client.edit_run(place.run, S.StepLR(1, gamma=0.75), expected_revision=1, reason="faster", at_step=11)
    jobs.stepped(client, place, to)
    client.edit_run(place.run, jobs.SLOW, expected_revision=2, reason="slower", at_step=50)
    return place


def test_edits_after_the_step_are_dropped(client: Client) -> None:
    old = edited(client)
    answer = back(client, old.run, 8)
    assert [(e.revision, e.effective_step, e.reason) for e in answer.dropped] == [
        (2, 11, "faster"),
        (3, 50, "slower"),
    ]
    new = resumed(client, old, 8)
    jobs.stepped(client, new, 60)
    assert jobs.read(client, new, 1, 61) == halving(1, 61)
    assert client.get_run(old.run).schedule == jobs.HALVING


def test_edits_after_the_step_are_kept_where_they_act(client: Client) -> None:
    old = jobs.stepped(client, edited(client), 60)
    before = jobs.read(client, old, 1, 61)
    answer = back(client, old.run, 8, keep_edits=True)
    assert answer.dropped == ()
    new = resumed(client, old, 8)
    jobs.stepped(client, new, 60)
    assert jobs.read(client, new, 1, 61) == before
    ours = [e for e in client.get_run(old.run).edits if e.branch == 2]
    assert [(e.effective_step, e.reason) for e in ours] == [(11, "faster"), (50, "slower")]


def test_an_edit_in_force_at_the_step_stays_in_force(client: Client) -> None:
    old = edited(client)
    values = jobs.read(client, old, 1, 31)
    answer = back(client, old.run, 20)
    assert [e.reason for e in answer.dropped] == ["slower"]
    assert client.get_run(old.run).schedule == S.StepLR(1, gamma=0.75)
    new = resumed(client, old, 20)
    jobs.stepped(client, new, 60)
    assert jobs.read(client, new, 1, 31) == values
    assert jobs.read(client, new, 20, 61) == jobs.torch_bits(jobs.torch_step(0.75), 61)[20:]
    assert client.explain(old.run, 55).edits[-1].reason == "faster"


def test_the_branch_may_get_another_schedule_in_the_same_transaction(client: Client) -> None:
    old = edited(client)
    answer = back(client, old.run, 8, schedule=S.StepLR(2, gamma=0.9))
    assert [e.revision for e in answer.dropped] == [2, 3]
    expected = halving(8, 9) + jobs.torch_bits(jobs.torch_step(0.9, 2), 13)[9:]
    assert jobs.bits(answer.preview) == expected
    new = resumed(client, old, 8)
    jobs.stepped(client, new, 12)
    assert jobs.read(client, new, 8, 13) == expected
    found = client.explain(old.run, 9)
    assert (found.edits[-1].author, found.edits[-1].reason) == ("op", "it diverged")


def test_another_schedule_rules_until_the_edits_that_are_kept(client: Client) -> None:
    old = edited(client)
    answer = back(client, old.run, 10, schedule=S.StepLR(2, gamma=0.9), keep_edits=True)
    assert [e.effective_step for e in answer.dropped] == [11]  # the request's own acts from there on
    new = resumed(client, old, 10)
    jobs.stepped(client, new, 52)
    assert jobs.read(client, new, 11, 50) == jobs.torch_bits(jobs.torch_step(0.9, 2), 50)[11:]
    assert jobs.read(client, new, 50, 53) == jobs.torch_bits(jobs.torch_step(0.999), 53)[50:]


def test_the_branch_may_follow_a_stored_schedule(client: Client) -> None:
    old = jobs.stepped(client, jobs.begun(client), 10)
    stored = client.create_schedule(jobs.new_name("schedule"), jobs.SLOW)
    back(client, old.run, 5, schedule=stored.name)
    run = client.get_run(old.run)
    assert (run.schedule_name, run.schedule_revision) == (stored.name, 1)
    back(client, old.run, 5)
    assert client.get_run(old.run).schedule_name == ""


def test_a_run_follows_again_what_it_followed_at_the_step(client: Client) -> None:
    stored = client.create_schedule(jobs.new_name("schedule"), jobs.HALVING)
    place = jobs.stepped(client, jobs.begun(client, schedule=stored.name), 10)
    client.edit_run(place.run, jobs.SLOW, expected_revision=1, reason="its own")
    assert client.get_run(place.run).schedule_name == ""
    back(client, place.run, 5)
    run = client.get_run(place.run)
    assert (run.schedule_name, run.schedule, run.edits[-1].reason) == (stored.name, jobs.HALVING, "its own")


def test_param_groups_that_were_added_after_the_step_are_gone_and_may_be_added_again(client: Client) -> None:
    place = jobs.stepped(client, jobs.begun(client), 10)
    more = (jobs.a_group(), jobs.a_group(0.3))
    add = {"groups": more, "adds_groups": True}
    grown = client.acquire_run(
        jobs.a_start(
            place.run, incarnation=place.incarnation, checkpoint=jobs.checkpoint_of(place, 10), **add
        )
    )
    jobs.stepped(client, grown, 20)
    values = jobs.read(client, grown, 11, 21)
    back(client, place.run, 15)  # with both groups
    new = client.acquire_run(jobs.a_start(place.run))
    assert (new.branch, new.resume_step) == (1, 0)  # with one, as it began
    again = client.acquire_run(
        jobs.a_start(place.run, incarnation=new.incarnation, checkpoint=jobs.checkpoint_of(new, 10), **add)
    )
    assert (again.branch, again.resume_step, again.frontier) == (3, 10, 16)
    jobs.stepped(client, again, 20)
    assert jobs.read(client, again, 11, 21) == values
    back(client, place.run, 7)
    run = client.get_run(place.run)
    assert (len(run.groups), [b.branch for b in run.lineage]) == (1, [1, 4])


def test_validating_changes_nothing_and_says_what_would_happen(watched: Watched) -> None:
    client, run = watched.client, watched.run
    client.edit_run(run, jobs.SLOW, expected_revision=1, reason="later", at_step=9)
    before = contents(watched.server)
    would = back(client, run, 2, validate_only=True)
    assert contents(watched.server) == before
    assert would == back(client, run, 2)
    assert (would.branch, would.fence, would.frontier, [e.reason for e in would.dropped]) == (
        2,
        2,
        3,
        ["later"],
    )


def test_a_repeated_request_is_the_same_rollback(watched: Watched) -> None:
    client, place, request_id = watched.client, watched.place, str(uuid4())
    client.edit_run(place.run, jobs.SLOW, expected_revision=1, reason="later", at_step=9)

    def again(**fields: Any) -> RolledBack:
        return back(client, place.run, 2, expected_revision=2, request_id=request_id, **fields)

    first = again()
    before = contents(watched.server)
    assert [again(), again()] == [first] * 2
    assert contents(watched.server) == before
    # Also once the run has gone on, has been edited and taken back again, and is finished.
    jobs.stepped(client, resumed(client, place, 1), 8)
    client.edit_run(place.run, S.StepLR(3), expected_revision=first.revision, reason="another")
    assert again() == first
    back(client, place.run, 4)
    client.finish_run(place.run)
    before = contents(watched.server)
    assert again() == first
    assert contents(watched.server) == before
    with pytest.raises(RequestIdReused, match="began branch 2") as caught:
        again(reason="another")
    assert caught.value.details == {"branch": "2"}
    assert contents(watched.server) == before


@pytest.mark.parametrize(
    ("fields", "error", "shown"),
    [
        ({"to_step": 4}, StepOutOfRange, "to_step is 4; .* has the steps from 0 to 3"),
        ({"to_step": 2**40}, StepOutOfRange, f"to_step is {2**40}"),
        ({"expected_revision": 2}, StaleRevision, "expected_revision is 2; .* is at revision 1"),
        ({"run": "no-such-run"}, RunNotFound, "no-such-run"),
        ({"schedule": "no-such-schedule"}, ScheduleNotFound, "no-such-schedule"),
        ({"schedule": S.ReduceLROnPlateau()}, ScheduleFails, "cannot"),
    ],
)
@pytest.mark.parametrize("validate_only", [False, True])
def test_what_cannot_be_is_refused(
    watched: Watched, fields: dict[str, Any], error: type[Exception], shown: str, validate_only: bool
) -> None:
    before = contents(watched.server)
    values = {"run": watched.run, "to_step": 2, "expected_revision": 1, "reason": "", **fields}
    with pytest.raises(error, match=shown):
        watched.client.rollback_run(**values, validate_only=validate_only)
    assert contents(watched.server) == before
    assert jobs.ask(watched.client, watched.place, 4).frontier == 5


def test_a_finished_run_stays_as_it_is(watched: Watched) -> None:
    watched.client.finish_run(watched.run)
    before = contents(watched.server)
    with pytest.raises(RunFinished, match="fork it"):
        back(watched.client, watched.run, 2)
    assert contents(watched.server) == before


def test_a_run_that_metrics_move_goes_on_with_what_it_had_learned_by_the_step(client: Client) -> None:
    plateau = S.ReduceLROnPlateau(factor=0.5, patience=1)
    place = jobs.begun(client, schedule=plateau)
    losses = [1.0, 2.0, 2.0, 2.0, 2.0, 0.5, 0.6, 0.7, 0.8]

    def report(place: Place, step: int) -> None:
        client.next_lr(place, step, applied_step=step - 1, revision=1, given=Given(metric=losses[step - 1]))

    for step in range(1, 10):
        report(place, step)
    values = jobs.read(client, place, 1, 10)
    back(client, place.run, 4)
    new = resumed(client, place, 4, schedule=plateau)
    for step in range(5, 10):
        report(new, step)
    assert jobs.read(client, new, 1, 10) == values


def test_the_values_at_the_step_are_those_on_record_whatever_evaluates_now(tmp_path: Path) -> None:
    """This server's evaluator is one bit off at every 50th step; what it has stored is the truth."""
    with (
        ServerProcess(tmp_path / "runs.sqlite3", log=tmp_path / "log", command=command()) as server,
        Client(server.address) as client,
    ):
        place = jobs.stepped(client, jobs.begun(client, schedule=jobs.SLOW), 60)
        (on_record,) = jobs.read(client, place, EVERY, EVERY + 1)
        assert on_record != jobs.torch_bits(jobs.torch_step(0.999), EVERY + 1)[EVERY]
        back(client, place.run, EVERY)
        run = client.get_run(place.run)
        assert (run.frontier, jobs.bits(run.latest)) == (EVERY + 1, [on_record])
        fork = client.fork_run(place.run, "fork", EVERY, reason="to compare")
        assert jobs.bits(fork.latest) == [on_record]
        new = resumed(client, place, EVERY, schedule=jobs.SLOW)
        assert jobs.bits(new.values) == [on_record]
