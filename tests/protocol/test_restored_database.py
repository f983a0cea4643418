"""A database is put back from an older backup under live runs: it is noticed, and repaired from the jobs' own bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lrkeeper import Client, messages
from lrkeeper import schedules as S
from lrkeeper.errors import (
    CheckpointAhead,
    RemembersOther,
    RunExists,
    RunFenced,
    RunNotFound,
    StoreChanged,
    UnknownFence,
)
from lrkeeper.schedules.given import Given
from lrkeeper.v1.run_service_pb2 import AcquireRunRequest
from tests.protocol import jobs
from tests.protocol.restored import Backups, Job
from tests.protocol.stored import contents
from tests.protocol.watched import Watched
from tests.support.server import ServerProcess

SLOW_BITS = jobs.torch_bits(jobs.torch_step(0.999), 400)


@pytest.fixture
def backups(own_server: ServerProcess, tmp_path: Path) -> Backups:
    return Backups(own_server, tmp_path)


@pytest.fixture
def client(own_server: ServerProcess) -> Iterator[Client]:
    with Client(own_server.address, patience=30.0) as client:
        yield client


def a_job(client: Client, **fields: object) -> Job:
    return Job.begun(client, **{"schedule": jobs.SLOW, **fields})


def stored(client: Client, run: str, first: int, end: int) -> jobs.Bits:
    """Return what a run's present branch has of the steps in [first, end), as blocks."""
    found: jobs.Bits = []
    for block in client.list_blocks(run, from_step=first):
        low, high = max(first, block.table.first_step), min(end, block.table.end_step)
        if low < high:
            found += jobs.bits(block.table.cut(low, high))
    return found


# Noticing.


def test_a_database_with_a_new_epoch_is_noticed(client: Client, backups: Backups) -> None:
    job = a_job(client).hold(20)
    backups.put_back(backups.take())
    with pytest.raises(StoreChanged):
        job.fetch(10)


@pytest.mark.parametrize("seen", [40, 21])
def test_a_database_put_back_by_hand_is_noticed_before_it_commits_anything(
    client: Client, backups: Backups, seen: int
) -> None:
    job = a_job(client).hold(20)
    backup = backups.take()
    job.hold(seen)
    backups.put_back_by_hand(backup)
    with pytest.raises(StoreChanged, match=f"at step {seen}, and the database has it at step 20"):
        job.fetch(30)
    assert client.get_run(job.place.run).frontier == 20


def test_a_database_that_has_lost_an_edit_only_is_noticed(client: Client, backups: Backups) -> None:
    job = a_job(client).hold(20)
    backup = backups.take()
    client.edit_run(job.place.run, jobs.HALVING, expected_revision=1, reason="faster", at_step=20)
    job.fetch(1)
    assert job.revision == 2
    backups.put_back_by_hand(backup)
    job.frontier = 20  # as of a rank that asks for a step again
    with pytest.raises(StoreChanged, match="at revision 2, and the database has it at revision 1"):
        job.fetch(1)


def test_a_database_that_has_lost_a_fence_only_is_noticed(client: Client, backups: Backups) -> None:
    job = a_job(client).hold(20)
    backup = backups.take()
    place = client.acquire_run(jobs.a_start(job.place.run, schedule=jobs.SLOW, on_existing="takeover"))
    backups.put_back_by_hand(backup)
    with pytest.raises(UnknownFence):
        jobs.ask(client, place, 20)


# Rows.


@pytest.mark.parametrize("by_hand", [False, True])
def test_the_jobs_own_bits_are_committed_first(client: Client, backups: Backups, by_hand: bool) -> None:
    job = a_job(client).hold(20)
    backup = backups.take()
    job.hold(60)
    job.step = 35
    (backups.put_back_by_hand if by_hand else backups.put_back)(backup)
    place = job.come_back()
    assert place.repaired
    assert (place.branch, place.resume_step, place.frontier, place.revision) == (1, 35, 60, 1)
    assert jobs.bits(place.values) == job.bits(35, 36)
    assert stored(client, place.run, 1, 60) == SLOW_BITS[1:60]
    job.hold(100)
    assert job.bits(1, 100) == SLOW_BITS[1:100]
    assert all(client.explain(place.run, step).schedule == jobs.SLOW for step in (1, 19, 20, 59, 60, 99))


def test_bits_that_no_evaluator_would_give_are_put_back_as_they_are(client: Client, backups: Backups) -> None:
    """The server may have been upgraded since: what was handed out counts."""
    job = a_job(client).hold(20)
    backup = backups.take()
    job.hold(30)
    odd = job.remembered(first=15)
    table = odd.rows[-1].table
    column = table.column(0)
    column[5] = column[5] * (1 + 2**-52)
    table = table._replace(data=column.tobytes())
    odd = replace(odd, rows=(*odd.rows[:-1], replace(odd.rows[-1], table=table)))
    backups.put_back(backup)
    job.come_back(odd)
    assert stored(client, job.place.run, 20, 30) == jobs.bits(table)
    assert stored(client, job.place.run, 20, 30) != SLOW_BITS[20:30]


def test_the_same_again_changes_nothing(client: Client, backups: Backups) -> None:
    job = a_job(client).hold(20)
    backup = backups.take()
    job.hold(60)
    backups.put_back(backup)
    start = job.start()
    first, again = client.acquire_run(start), client.acquire_run(start)
    assert (first.repaired, again.repaired) == (True, False)
    assert (first.fence, first.branch, first.frontier) == (again.fence, again.branch, again.frontier)


def test_nothing_is_put_back_where_nothing_was_lost(client: Client, backups: Backups) -> None:
    job = a_job(client).hold(20)
    backups.put_back(backups.take())
    place = job.come_back()
    assert (place.repaired, place.fence, place.branch, place.frontier) == (False, 1, 1, 20)
    assert place.lost_edits == ()
    job.hold(30)


def test_steps_of_which_nobody_has_the_bits_are_not_evaluated_again_on_their_branch(
    client: Client, backups: Backups
) -> None:
    """The job knows that another rank was given steps beyond those it holds itself."""
    job = a_job(client).hold(20)
    backup = backups.take()
    job.hold(60)
    remembered = job.remembered(end=50)
    backups.put_back(backup)
    place = job.come_back(remembered)
    assert (place.branch, place.frontier) == (2, 50)
    job.rows = list(remembered.rows)
    job.hold(80)
    assert job.bits(1, 80) == SLOW_BITS[1:80]
    run = client.get_run(place.run)
    assert [(each.branch, each.origin_step) for each in run.lineage] == [(1, 0), (2, 49)]
    assert max(block.table.end_step for block in client.list_blocks(place.run, branch=1)) == 50


def test_a_gap_begins_a_branch_anew(client: Client, backups: Backups) -> None:
    job = a_job(client).hold(20)
    backup = backups.take()
    job.hold(100)
    job.step = 95
    backups.put_back(backup)
    place = job.come_back(job.remembered(first=90))
    assert (place.branch, place.resume_step, place.frontier) == (2, 95, 100)
    job.hold(130)
    assert stored(client, place.run, 91, 130) == SLOW_BITS[91:130]
    run = client.get_run(place.run)
    assert [(each.branch, each.origin_step) for each in run.lineage] == [(2, 90)]
    assert jobs.bits(client.explain(place.run, 90).values) == [SLOW_BITS[90]]
    assert len(list(client.list_blocks(place.run, branch=1))) > 0


def test_a_run_that_is_lost_is_there_again_under_its_uid(client: Client, backups: Backups) -> None:
    backup = backups.take()
    job = a_job(client).hold(50)
    job.step = 40
    before = job.place
    backups.put_back(backup)
    with pytest.raises(RunNotFound):
        client.get_run(before.run)
    place = job.come_back(job.remembered(first=30))
    assert place.repaired
    assert (place.run, place.run_uid, place.fence, place.branch) == (before.run, before.run_uid, 1, 1)
    job.hold(90)
    assert stored(client, place.run, 31, 90) == SLOW_BITS[31:90]
    assert client.get_run(place.run).origin_step == 30


def test_a_deleted_run_does_not_come_back(client: Client, backups: Backups) -> None:
    job = a_job(client).hold(20)
    client.delete_run(job.place.run, force=True)
    backups.put_back(backups.take())
    with pytest.raises(RunNotFound):
        job.come_back()


def test_metric_driven_rows_come_back_with_what_they_were_given(client: Client, backups: Backups) -> None:
    schedule = S.ReduceLROnPlateau(factor=0.5, patience=0)
    metrics = [1.0, 0.9, 0.95, 0.8, 0.85, 0.7, 0.75, 0.6]
    job, other = Job.begun(client, schedule=schedule), Job.begun(client, schedule=schedule)
    for metric in metrics[:2]:
        job.fetch(1, Given(metric=metric))
    backup = backups.take()
    for metric in metrics[2:6]:
        job.fetch(1, Given(metric=metric))
    job.step = 6
    backups.put_back(backup)
    job.come_back(job.remembered(first=2))
    for metric in metrics[6:]:
        job.fetch(1, Given(metric=metric))
    backups.put_back(backup)
    other.come_back()
    for metric in metrics:
        other.fetch(1, Given(metric=metric))
    job.step = 8
    job.come_back()
    assert job.bits(1, 9) == other.bits(1, 9) == stored(client, job.place.run, 1, 9)
    assert client.explain(job.place.run, 4).given.metric == 0.8


# Fences.


def test_a_start_that_was_lost_with_its_fence_has_the_run_again(client: Client, backups: Backups) -> None:
    first = a_job(client).hold(20)
    backup = backups.take()
    later = Job(
        client,
        client.acquire_run(jobs.a_start(first.place.run, schedule=jobs.SLOW, on_existing="takeover")),
        schedule=jobs.SLOW,
    )
    backups.put_back(backup)
    place = later.come_back()
    assert place.repaired
    assert place.fence == 2
    assert client.get_run(place.run).holder.incarnation == place.incarnation  # type: ignore[union-attr]
    with pytest.raises(RunFenced, match=place.incarnation):
        first.come_back()
    newer = client.acquire_run(jobs.a_start(place.run, schedule=jobs.SLOW, on_existing="takeover"))
    assert newer.fence == 3


def test_of_two_starts_that_come_back_the_later_one_has_the_run_in_whichever_order(
    client: Client, backups: Backups
) -> None:
    zeroth = a_job(client).hold(20)
    backup = backups.take()
    starts = [
        Job(
            client,
            client.acquire_run(jobs.a_start(zeroth.place.run, schedule=jobs.SLOW, on_existing="takeover")),
            schedule=jobs.SLOW,
        )
        for _ in range(2)
    ]
    older, newer = starts
    for order in ([older, newer], [newer, older]):
        backups.put_back(backup)
        for job in order:
            try:
                job.come_back()
            except RunFenced:
                assert job is older
        holder = client.get_run(zeroth.place.run).holder
        assert holder is not None
        assert holder.incarnation == newer.place.incarnation


def test_a_start_that_was_made_since_is_fenced_by_the_one_that_had_the_run(
    client: Client, backups: Backups
) -> None:
    first = a_job(client).hold(20)
    backup = backups.take()
    places = [
        client.acquire_run(jobs.a_start(first.place.run, schedule=jobs.SLOW, on_existing="takeover"))
        for _ in range(3)
    ]
    backups.put_back(backup)
    unknowing = client.acquire_run(jobs.a_start(first.place.run, schedule=jobs.SLOW, on_existing="takeover"))
    assert unknowing.fence == 2
    second, last = (Job(client, place, schedule=jobs.SLOW) for place in (places[0], places[-1]))
    with pytest.raises(RunFenced):
        second.come_back()
    assert last.come_back().fence == 4
    with pytest.raises(RunFenced):
        jobs.ask(client, unknowing, 20)


# Ranks.


def test_ranks_put_back_what_each_holds_and_share_the_fence(client: Client, backups: Backups) -> None:
    rank0 = a_job(client, world_size=3)
    others = [rank0.rank(client, rank) for rank in (1, 2)]
    backup = backups.take()
    for rank in (rank0, *others):
        rank.hold(20)
    for rank in (rank0, *others):
        rank.fetch(1)  # says where it is
    seen = max(rank.hold(end).frontier for rank, end in zip((rank0, *others), (30, 40, 36), strict=True))
    assert seen == 40
    for rank, step in zip((rank0, *others), (18, 19, 18), strict=True):
        rank.step = step
        rank.frontier = rank.end
    backups.put_back(backup)
    places = [rank.come_back() for rank in (rank0, *others)]
    assert [place.frontier for place in places] == [30, 40, 40]
    assert [place.repaired for place in places] == [True, True, False]
    assert {(place.fence, place.branch) for place in places} == {(1, 1)}
    assert [place.resume_step for place in places] == [18, 19, 18]
    assert stored(client, rank0.place.run, 1, 40) == SLOW_BITS[1:40]


def test_ranks_that_come_later_go_on_where_the_first_one_has_begun_a_branch(
    client: Client, backups: Backups
) -> None:
    rank0 = a_job(client, world_size=2)
    rank1 = rank0.rank(client, 1)
    backup = backups.take()
    rank0.hold(20)
    rank1.hold(40)
    rank0.step = rank1.step = 15
    rank0.frontier = 40
    backups.put_back(backup)
    first, second = rank0.come_back(), rank1.come_back()
    assert (first.branch, first.frontier) == (2, 20)
    assert (second.branch, second.frontier) == (2, 40)
    rank0.hold(60)
    rank1.hold(60)
    assert rank0.bits(1, 60) == rank1.bits(1, 60) == SLOW_BITS[1:60]


# Two histories.


def test_a_run_that_has_gone_on_another_way_is_not_mixed_up(
    own_server: ServerProcess, client: Client, backups: Backups
) -> None:
    job = a_job(client).hold(20)
    backup = backups.take()
    job.hold(60)
    backups.put_back(backup)
    other = client.acquire_run(jobs.a_start(job.place.run, schedule=jobs.SLOW, on_existing="takeover"))
    client.edit_run(other.run, jobs.HALVING, expected_revision=1, reason="another way", at_step=30)
    jobs.stepped(client, other, 50)
    before = contents(own_server)
    job.place = replace(job.place, fence=9)
    with pytest.raises(RemembersOther, match="two histories of one run") as caught:
        job.come_back()
    assert caught.value.details == {"run": job.place.run, "step": "30"}
    assert contents(own_server) == before


def test_a_run_that_has_gone_on_the_same_way_is_gone_on_with(client: Client, backups: Backups) -> None:
    job = a_job(client).hold(20)
    backup = backups.take()
    later = Job(
        client,
        client.acquire_run(jobs.a_start(job.place.run, schedule=jobs.SLOW, on_existing="takeover")),
        schedule=jobs.SLOW,
    ).hold(60)
    backups.put_back(backup)
    other = client.acquire_run(jobs.a_start(job.place.run, schedule=jobs.SLOW, on_existing="takeover"))
    jobs.stepped(client, other, 40)
    later.place = replace(later.place, fence=5)
    assert later.come_back().frontier == 60


def test_a_run_whose_name_is_another_ones_now_is_not_made_again(client: Client, backups: Backups) -> None:
    backup = backups.take()
    job = a_job(client).hold(30)
    backups.put_back(backup)
    other = client.acquire_run(jobs.a_start(job.place.run))
    with pytest.raises(RunExists, match="another run name"):
        job.come_back()
    assert client.get_run(job.place.run).uid == other.run_uid


# Starts that come with a checkpoint.


def test_a_new_start_puts_back_what_its_checkpoint_holds(client: Client, backups: Backups) -> None:
    job = a_job(client).hold(20)
    backup = backups.take()
    job.hold(60)
    job.step = 40
    place = job.place
    backups.put_back(backup)
    checkpoint = jobs.checkpoint_of(place, 40)
    with pytest.raises(CheckpointAhead):
        client.acquire_run(jobs.a_start(place.run, schedule=jobs.SLOW, checkpoint=checkpoint))
    remembered = job.remembered(first=40, held=False)
    new = client.acquire_run(
        jobs.a_start(place.run, schedule=jobs.SLOW, checkpoint=checkpoint, remembered=remembered)
    )
    assert new.repaired
    assert (new.fence, new.resume_step, new.frontier) == (2, 40, 60)
    assert jobs.bits(new.values) == [SLOW_BITS[40]]
    jobs.stepped(client, new, 80)
    assert stored(client, place.run, 41, 80) == SLOW_BITS[41:80]
    with pytest.raises(RunFenced):
        job.come_back()


def test_all_ranks_of_a_new_start_go_on_from_its_checkpoint(client: Client, backups: Backups) -> None:
    job = a_job(client).hold(20)
    backup = backups.take()
    job.hold(60)
    backups.put_back(backup)
    remembered = job.remembered(first=40, held=False)
    start = jobs.a_start(
        job.place.run,
        schedule=jobs.SLOW,
        checkpoint=jobs.checkpoint_of(job.place, 40),
        remembered=remembered,
        world_size=2,
    )
    places = [client.acquire_run(replace(start, rank=rank)) for rank in (0, 1)]
    assert [(place.fence, place.branch, place.resume_step) for place in places] == [(2, 2, 40), (2, 2, 40)]
    assert [place.repaired for place in places] == [True, False]


def test_what_a_checkpoint_holds_changes_nothing_where_nothing_was_lost(client: Client) -> None:
    job = a_job(client).hold(60)
    remembered = job.remembered(first=30, end=50, held=False)
    start = jobs.a_start(
        job.place.run, schedule=jobs.SLOW, checkpoint=jobs.checkpoint_of(job.place, 30), remembered=remembered
    )
    place = client.acquire_run(start)
    assert (place.repaired, place.fence, place.branch, place.frontier) == (False, 2, 1, 60)


def test_a_run_that_is_not_here_is_not_made_of_a_checkpoint(client: Client, backups: Backups) -> None:
    """A checkpoint may have been brought to the wrong server."""
    backup = backups.take()
    job = a_job(client).hold(60)
    backups.put_back(backup)
    with pytest.raises(RunNotFound, match="on_missing='create'"):
        job.come_back(job.remembered(held=False))


# Edits.


def edited(client: Client, job: Job, schedule: S.Schedule, at_step: int, reason: str) -> None:
    revision = client.get_run(job.place.run).revision
    client.edit_run(
        job.place.run,
        schedule,
        expected_revision=revision,
        at_step=at_step,
        reason=reason,
        author="ann@node",
    )


def test_an_edit_that_has_acted_stays_in_force_and_is_listed(client: Client, backups: Backups) -> None:
    job = a_job(client).hold(20)
    backup = backups.take()
    edited(client, job, jobs.HALVING, 30, "loss spikes")
    job.edits = client.get_run(job.place.run).edits
    job.hold(40)
    before = job.bits(1, 40)
    backups.put_back(backup)
    place = job.come_back()
    (lost,) = place.lost_edits
    assert lost.edit == job.edits[0] == place.edits[0]
    assert (place.revision, place.frontier) == (1, 40)
    assert stored(client, place.run, 1, 40) == before
    why = client.explain(place.run, 30)
    assert (why.revision, why.schedule) == (2, jobs.HALVING)
    assert [(e.author, e.reason, e.effective_step) for e in why.edits] == [("ann@node", "loss spikes", 30)]
    job.hold(45)
    assert job.bits(40, 45) == jobs.torch_bits(jobs.torch_step(0.5), 46)[40:45]
    run = client.get_run(place.run)
    assert (run.revision, run.schedule) == (2, jobs.HALVING)
    assert [e.edit.request_id for e in run.lost_edits] == [lost.edit.request_id]


def test_an_edit_that_was_to_act_acts_no_more_and_is_told_with_what_to_do(
    own_server: ServerProcess, client: Client, backups: Backups, caplog: pytest.LogCaptureFixture
) -> None:
    job = a_job(client).hold(20)
    backup = backups.take()
    edited(client, job, jobs.HALVING, 100, "cool down")
    job.edits = client.get_run(job.place.run).edits
    job.hold(40)
    backups.put_back(backup)
    place = job.come_back()
    assert [lost.edit.revision for lost in place.lost_edits] == [2]
    assert place.edits == ()
    message = next(r.getMessage() for r in caplog.records if "cool down" in r.getMessage())
    assert f"lrkeeper run set-schedule {place.run} FILE --at-step 100 --reason 'cool down'" in message
    assert "acts no more" in message
    assert place.lost_edits[0].edit.request_id in own_server.log.read_text()
    job.hold(120)
    assert job.bits(95, 120) == SLOW_BITS[95:120]
    assert client.get_run(place.run).revision == 2
    edited(client, job, jobs.HALVING, 130, "cool down")
    assert client.get_run(place.run).revision == 3


def test_an_edit_known_only_from_its_rows_stays_in_force_and_is_listed(
    client: Client, backups: Backups
) -> None:
    job = a_job(client).hold(20)
    backup = backups.take()
    edited(client, job, jobs.HALVING, 30, "nobody here has read this")
    job.hold(40)
    backups.put_back(backup)
    place = job.come_back()
    (lost,) = place.lost_edits
    assert (lost.edit.author, lost.edit.effective_step, lost.edit.schedule) == ("unknown", 30, jobs.HALVING)
    job.hold(50)
    assert job.bits(30, 50) == jobs.torch_bits(jobs.torch_step(0.5), 51)[30:50]


def test_an_edit_that_was_made_again_acts_where_the_job_has_not_been_yet(
    client: Client, backups: Backups
) -> None:
    job = a_job(client).hold(20)
    backup = backups.take()
    job.hold(60)
    backups.put_back(backup)
    edited(client, job, jobs.HALVING, 30, "while the job was away")
    edited(client, job, S.StepLR(step_size=10, gamma=0.1), 80, "and later")
    place = job.come_back()
    assert stored(client, place.run, 1, 60) == SLOW_BITS[1:60]
    lost = {each.edit.reason for each in place.lost_edits}
    assert "while the job was away" in lost
    job.hold(90)
    assert job.bits(60, 75) == SLOW_BITS[60:75]


def test_edits_that_the_database_has_go_on_to_act_on_a_branch_that_a_repair_begins(
    client: Client, backups: Backups
) -> None:
    for first, end in ((90, None), (None, 50)):
        job = a_job(client).hold(20)
        edited(client, job, jobs.HALVING, 10, "early")
        edited(client, job, jobs.SLOW, 120, "late")
        backup = backups.take()
        job.edits = client.get_run(job.place.run).edits
        job.hold(100)
        job.step = 45 if end else 95
        remembered = job.remembered(first=first, end=end)
        backups.put_back(backup)
        place = job.come_back(remembered)
        assert place.branch == 2
        assert place.lost_edits == ()
        job.rows = list(remembered.rows)
        job.hold(130)
        halved, slow = jobs.torch_bits(jobs.torch_step(0.5), 131), SLOW_BITS
        assert job.bits(job.rows[0].table.first_step, 20)[1:] == SLOW_BITS[1:20][: 19 if first is None else 0]
        assert job.bits(100, 120) == halved[100:120]
        assert job.bits(120, 130) == slow[120:130]
        assert client.explain(place.run, 125).edits[-1].reason == "late"
        assert {e.reason for e in client.explain(place.run, 119).edits} <= {"early"} | {
            "in force where the rows that a job remembers begin"
        }


# What does not hold together.

BAD = {
    "no checkpoint": (lambda r: r.ClearField("checkpoint"), "checkpoint"),
    "a run that is no uuid": (lambda r: setattr(r.checkpoint, "run_uid", "x"), "checkpoint.run_uid"),
    "groups are added": (lambda r: setattr(r, "adds_groups", True), "remembered"),
    "no fence": (lambda r: r.remembered.ClearField("fence"), "remembered.fence"),
    "no branch": (lambda r: r.remembered.ClearField("branch"), "remembered.branch"),
    "a fence below 0": (lambda r: setattr(r.remembered, "fence", -1), "remembered.fence"),
    "a frontier below the rows": (lambda r: setattr(r.remembered, "frontier", 9), "remembered.frontier"),
    "rows of no step": (lambda r: r.remembered.rows[1].ClearField("values"), "remembered.rows[1].values"),
    "rows with a wrong checksum": (
        lambda r: setattr(r.remembered.rows[1].values, "crc32", 7),
        "remembered.rows[1].values",
    ),
    "rows with a gap": (lambda r: r.remembered.rows.pop(1), "remembered.rows[1].values"),
    "no definition": (lambda r: r.remembered.rows[2].ClearField("schedule"), "remembered.rows[2].schedule"),
    "no cursor": (lambda r: r.remembered.rows[2].ClearField("cursor"), "remembered.rows[2].cursor"),
    "a cursor of another step": (
        lambda r: setattr(r.remembered.rows[2], "cursor_step", 3),
        "remembered.rows[2].cursor_step",
    ),
    "given to more than a step": (
        lambda r: setattr(r.remembered.rows[2].given, "metric", 3.0),
        "remembered.rows[2].given",
    ),
    "an edit without an id": (lambda r: r.remembered.edits.add(), "remembered.edits[0].request_id"),
}


@pytest.mark.parametrize(("change", "field"), BAD.values(), ids=BAD)
def test_what_does_not_hold_together_is_refused(
    watched: Watched, change: Callable[[AcquireRunRequest], object], field: str
) -> None:
    job = a_job(watched.client).hold(10).hold(20).hold(30)
    request = messages.acquire_request(job.start())
    # More than the server has, so that it is looked at.
    longer = job.hold(40).remembered()
    request.remembered.CopyFrom(messages.acquire_request(job.start(longer)).remembered)
    change(request)
    refusal = watched.refuses(lambda: watched.wire.runs.AcquireRun(request))
    assert (refusal.status, refusal.details) == ("INVALID_ARGUMENT", {"field": field})
    assert refusal.message.startswith(field)
