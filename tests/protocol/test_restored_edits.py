"""A database is put back from an older backup: what becomes of edits that it has lost, and of those made since."""

from __future__ import annotations

import pytest

from lrkeeper import Client
from lrkeeper import schedules as S
from tests.protocol import jobs
from tests.protocol.restored import SLOW_BITS, Backups, Job, a_job, stored
from tests.support.server import ServerProcess


@pytest.fixture
def client(lasting_client: Client) -> Client:
    return lasting_client


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


@pytest.mark.parametrize("at_step", [12, 6])
def test_an_edit_that_a_rollback_has_carried_on_acts_at_its_own_step_or_is_listed(
    client: Client, backups: Backups, at_step: int
) -> None:
    """A job comes from a lost branch, with rows up to step 7, and the run has been edited and taken back meanwhile."""
    job = a_job(client).hold(5)
    backup = backups.take()
    for _ in range(2):
        revision = client.get_run(job.place.run).revision
        client.rollback_run(job.place.run, 3, expected_revision=revision, reason="spikes")
    place = client.acquire_run(jobs.a_start(job.place.run, schedule=jobs.SLOW, on_existing="takeover"))
    assert place.branch == 3
    lost = Job(client, place, schedule=jobs.SLOW).hold(8)
    lost.step = 7
    backups.put_back(backup)

    place = client.acquire_run(jobs.a_start(job.place.run, schedule=jobs.SLOW, on_existing="takeover"))
    now = Job(client, place, schedule=jobs.SLOW)
    edited(client, now, jobs.HALVING, at_step, "loss spikes")
    now.hold(25)
    client.rollback_run(
        place.run, 20, expected_revision=2, reason="later ones too", keep_edits=True, author="ben@node"
    )
    place = lost.come_back(lost.remembered(first=7, held=False), incarnation="new")
    assert (place.repaired, place.branch, place.frontier) == (True, 3, 8)
    jobs.stepped(client, place, 30)
    halved = jobs.torch_bits(jobs.torch_step(0.5), 31)
    if at_step == 12:
        assert place.lost_edits == ()
        assert stored(client, place.run, 8, 31) == SLOW_BITS[8:12] + halved[12:31]
        (edit,) = client.explain(place.run, 12).edits
        assert (edit.author, edit.reason, edit.effective_step) == ("ann@node", "loss spikes", 12)
    else:  # the job has gone past it
        assert [each.edit.reason for each in place.lost_edits] == ["loss spikes"]
        assert stored(client, place.run, 8, 31) == SLOW_BITS[8:31]
