"""A database is put back from an older backup under live runs: it is noticed, and repaired from the jobs' own bits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from lrkeeper.errors import (
    RunFenced,
    RunNotFound,
    StoreChanged,
    UnknownFence,
    WrongBranch,
)
from lrkeeper.schedules.given import Given
from tests.protocol import jobs
from tests.protocol.restored import SLOW_BITS, Backups, Job, a_job, stored


@pytest.fixture
def client(lasting_client: Client) -> Client:
    return lasting_client


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


def test_a_database_that_has_lost_a_fence_gives_its_holder_no_steps_that_others_made_since(
    client: Client, backups: Backups
) -> None:
    job = a_job(client).hold(20)
    backup = backups.take()
    place = client.acquire_run(jobs.a_start(job.place.run, schedule=jobs.SLOW, on_existing="takeover"))
    client.edit_run(job.place.run, jobs.HALVING, expected_revision=1, reason="faster")
    jobs.ask(client, place, 20, 1)
    backups.put_back_by_hand(backup)
    jobs.ask(client, job.place, 20, 5)
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


# Branches.


def test_a_branch_that_is_lost_with_the_param_groups_it_has_comes_back(
    client: Client, backups: Backups
) -> None:
    job = a_job(client).hold(20)
    backup = backups.take()
    job.step = 15
    groups = (jobs.a_group(), jobs.a_group(0.5))
    start = jobs.a_start(
        job.place.run,
        incarnation=job.place.incarnation,
        schedule=jobs.SLOW,
        groups=groups,
        checkpoint=jobs.checkpoint_of(job.place, 15),
        adds_groups=True,
    )
    grown = Job(client, client.acquire_run(start), schedule=jobs.SLOW, groups=groups).hold(40)
    grown.step = 30
    backups.put_back(backup)
    place = grown.come_back()
    assert (place.fence, place.branch, place.resume_step, place.frontier) == (1, 2, 30, 40)
    grown.hold(60)
    assert [bits[0] for bits in grown.bits(16, 60)] == [bits[0] for bits in SLOW_BITS[16:60]]
    run = client.get_run(place.run)
    assert len(run.groups) == 2
    assert (run.lineage[-1].branch, run.lineage[-1].origin_step) == (2, 15)


def test_a_rank_that_holds_less_reads_on_through_the_branch_that_was_left(
    client: Client, backups: Backups
) -> None:
    rank0 = a_job(client, world_size=2)
    rank1 = rank0.rank(client, 1)
    backup = backups.take()
    rank0.hold(40)
    rank1.hold(20)
    rank0.step = rank1.step = 15
    rank0.frontier = rank1.frontier = 60
    backups.put_back(backup)
    assert rank0.come_back().branch == rank1.come_back().branch == 2
    rank1.hold(40)
    rank0.hold(70)
    rank1.hold(70)
    assert rank0.bits(1, 70) == rank1.bits(1, 70) == SLOW_BITS[1:70]


def test_a_branch_that_was_taken_back_is_not_put_on_again(client: Client, backups: Backups) -> None:
    """A rollback is no loss, whoever made it and whatever a checkpoint remembers."""
    job = a_job(client).hold(60)
    job.step = 50
    client.rollback_run(job.place.run, 30, expected_revision=1, reason="spikes", author="lrkeeper")
    for held in (True, False):
        start = job.start(job.remembered(held=held), incarnation=job.place.incarnation if held else "new")
        with pytest.raises((RunFenced, WrongBranch)):
            client.acquire_run(start)
    run = client.get_run(job.place.run)
    assert (run.branch, run.frontier) == (2, 31)


def test_rows_of_a_block_that_was_cut_are_put_back(client: Client, backups: Backups) -> None:
    """What a job holds may begin in the middle of a block, and of an answer."""
    schedule = S.SequentialLR([S.StepLR(4, gamma=0.3), S.MultiStepLR([2, 5])], [10])
    job = Job.begun(client, schedule=schedule).hold(8)
    backup = backups.take()
    job.hold(30)
    job.step = 20
    before = job.bits(1, 30)
    backups.put_back(backup)
    place = job.come_back(job.remembered(first=13))
    assert (place.branch, place.resume_step) == (2, 20)
    job.hold(50)
    other = Job.begun(client, schedule=schedule).hold(50)
    assert job.bits(13, 50) == other.bits(13, 50)
    assert before == other.bits(1, 30)
