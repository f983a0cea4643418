"""What ranks went on with while no server could be reached stands beside the timeline."""

from __future__ import annotations

import pytest

from lrkeeper import Client
from lrkeeper.schedules.numbers import Row
from lrkeeper.schedules.table import Table
from lrkeeper.views import Deviation
from tests.protocol import jobs
from tests.protocol.restored import Backups, a_job
from tests.protocol.stored import contents
from tests.support.server import ServerProcess


def held(first_step: int, count: int, lr: float = 0.25) -> Table:
    """Return rows of one lr."""
    rows: list[Row] = [{"lr": (lr,)}] * count
    return Table.from_rows(first_step, rows)


def test_a_deviation_is_shown_with_the_run_and_its_steps(client: Client) -> None:
    place = jobs.begun(client)
    jobs.stepped(client, place, 9)
    before = jobs.read(client, place, 1, 10)
    client.report_deviation(place, held(4, 3), "hold")
    client.report_deviation(place, Table.from_rows(12, [{"lr": (0.5,)}, {"lr": (-0.0,)}]), "forecast")

    later, earlier = client.get_run(place.run).deviations
    assert (later.kind, later.branch, later.fence, later.rank) == ("forecast", 1, 1, 0)
    assert jobs.bits(later.values) == [((0.5).hex(),), ("-0x0.0p+0",)]
    assert (earlier.kind, earlier.values) == ("hold", held(4, 3))
    assert earlier.time <= later.time

    def explained(step: int) -> tuple[Deviation, ...]:
        return client.explain(place.run, step).deviations

    assert [explained(step) for step in (3, 7)] == [(), ()]
    (at_5,) = explained(5)
    assert at_5.values == held(5, 1)
    assert jobs.read(client, place, 1, 10) == before
    assert client.get_run(place.run).frontier == 10


def test_a_report_that_is_repeated_changes_nothing(own_server: ServerProcess) -> None:
    with Client(own_server.address) as client:
        place = jobs.begun(client)
        client.report_deviation(place, held(4, 3), "hold")
        before = contents(own_server)
        client.report_deviation(place, held(4, 3), "hold")
        assert contents(own_server) == before
        client.report_deviation(place, held(4, 5), "hold")
        assert [found.values for found in client.get_run(place.run).deviations] == [held(4, 5)]


def test_a_start_that_has_lost_the_run_can_still_tell_what_it_did(client: Client) -> None:
    old = jobs.begun(client, world_size=2)
    new = client.acquire_run(jobs.a_start(old.run, on_existing="takeover"))
    client.report_deviation(jobs.at_rank(old, 1), held(1, 1), "hold")
    client.report_deviation(new, held(1, 1, lr=0.75), "hold")
    assert [(found.fence, found.rank) for found in client.get_run(old.run).deviations] == [(2, 0), (1, 1)]


def test_an_outage_in_which_an_older_backup_was_put_back_is_told(
    lasting_client: Client, backups: Backups
) -> None:
    """The run goes on on a branch that begins with the first step which the job holds, amid the outage."""
    client = lasting_client
    job = a_job(client).hold(20)
    backup = backups.take()
    job.hold(100)
    job.step = 95
    backups.put_back(backup)
    place = job.come_back(job.remembered(first=90))
    assert [each.origin_step for each in client.get_run(place.run).lineage] == [90]
    client.report_deviation(place, held(86, 8), "forecast")
    (found,) = client.get_run(place.run).deviations
    assert (found.branch, found.values) == (2, held(86, 8))
    (at_92,) = client.explain(place.run, 92).deviations
    assert at_92.values == held(92, 1)


def test_a_run_has_its_newest_hundred_deviations(client: Client) -> None:
    place = jobs.begun(client)
    for step in range(1, 103):
        client.report_deviation(place, held(step, 1), "hold")
    found = [deviation.values.first_step for deviation in client.get_run(place.run).deviations]
    assert found == list(range(102, 2, -1))


@pytest.mark.parametrize("groups", [1, 100])
def test_a_long_outage_is_told_in_parts(client: Client, groups: int) -> None:
    place = jobs.begun(client, groups=tuple(jobs.a_group() for _ in range(groups)))
    rows: list[Row] = [{"lr": (step / 7,) * groups} for step in range(1, 5000)]
    table = Table.from_rows(1, rows)
    client.report_deviation(place, table, "forecast")
    parts = [found.values for found in client.get_run(place.run).deviations][::-1]
    assert len(parts) > 1
    assert Table.join(parts) == table.cut(1, parts[-1].end_step)
    jobs.stepped(client, place, 3)
    assert client.explain(place.run, 3).deviations[0].values == table.cut(3, 4)


def test_many_long_deviations_do_not_make_an_answer_too_long(client: Client) -> None:
    groups = 300
    place = jobs.begun(client, groups=tuple(jobs.a_group() for _ in range(groups)))
    for start in range(1, 4000, 400):
        rows: list[Row] = [
            {"lr": tuple(step + group / 7 for group in range(groups))} for step in range(start, start + 400)
        ]
        client.report_deviation(place, Table.from_rows(start, rows), "forecast")
    found = client.get_run(place.run).deviations
    assert found[0].values.end_step == 4001
    assert 1 <= len(found) < 10
