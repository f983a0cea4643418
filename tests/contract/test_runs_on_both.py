"""The main job through a real server, the same on every database."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from lrkeeper import Client, views
from lrkeeper import schedules as S
from lrkeeper.errors import RunInUse, RunNotFound, ScheduleInUse, StaleRevision
from tests.support.databases import Fresh
from tests.support.server import ServerProcess

GROUPS = (
    views.Group("größe", "float64", {"lr": 0.1}, {"lr": 0.1}),
    views.Group(None, "float64", {"lr": 3.0}, {"lr": 3.0}),
)


@pytest.fixture(scope="module")
def served(kind: str, fresh: Fresh, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server on an empty database."""
    with (
        fresh(kind) as database,
        ServerProcess(database.url, log=tmp_path_factory.mktemp("server") / "log") as server,
    ):
        yield server


@pytest.fixture
def client(served: ServerProcess) -> Iterator[Client]:
    """A client of it, with the patience to see it start again."""
    with Client(served.address, patience=30.0) as client:
        yield client


def new_name() -> str:
    """Return a name nobody has."""
    return f"name-{uuid4()}"


def acquire(client: Client, run: str, schedule: S.Schedule | str, **fields: object) -> views.Place:
    """Acquire a run for a start of its own."""
    start = views.Start(run=run, incarnation=uuid4().hex, groups=GROUPS, schedule=schedule, **fields)  # type: ignore[arg-type]
    return client.acquire_run(start)


def take(client: Client, place: views.Place, from_step: int, count: int) -> list[float]:
    """Return the second group's lrs, from the steps a job asks for one after the other."""
    found: list[float] = []
    for step in range(from_step, from_step + count):
        window = client.next_lr(place, step, applied_step=step - 1, revision=place.revision)
        assert window.table is not None
        found.append(window.table.row(step)["lr"][1])
    return found


def explained(client: Client, run: str, steps: range) -> list[float]:
    """Return the second group's lrs, as the record has them."""
    return [client.explain(run, step).values.row(step)["lr"][1] for step in steps]


def test_a_job_gets_its_lrs_step_by_step_and_the_record_has_them(client: Client) -> None:
    run = new_name()
    place = acquire(client, run, S.StepLR(step_size=2, gamma=0.5))

    assert place.created
    assert place.values.row(0) == {"lr": (0.1, 3.0)}
    assert take(client, place, 1, 5) == [3.0, 1.5, 1.5, 0.75, 0.75]
    assert explained(client, run, range(6)) == [3.0, 3.0, 1.5, 1.5, 0.75, 0.75]
    stored = client.get_run(run)
    assert (stored.frontier, stored.groups, stored.state) == (6, GROUPS, "active")
    assert [block.table.first_step for block in client.list_blocks(run, page_size=2)] == [1, 2, 3, 4, 5]


def test_many_steps_are_committed_at_once_and_asked_for_again_are_the_same(client: Client) -> None:
    place = acquire(client, new_name(), S.MultiStepLR(milestones=[100, 3000], gamma=0.1))

    first = client.next_lr(place, 1, 4000, applied_step=0, revision=1)
    again = client.next_lr(place, 1, 4000, applied_step=0, revision=1)
    assert first.table is not None
    assert first.table.count == 4000
    assert again.table == first.table


def test_an_edit_acts_from_the_frontier_on(client: Client) -> None:
    run = new_name()
    place = acquire(client, run, S.StepLR(step_size=2, gamma=0.5))
    take(client, place, 1, 3)

    edited = client.edit_run(
        run, S.StepLR(step_size=1, gamma=0.25), expected_revision=1, reason="zu groß – 太大", author="Zoë"
    )
    assert (edited.effective_step, edited.revision) == (4, 2)
    with pytest.raises(StaleRevision):
        client.edit_run(run, S.StepLR(step_size=9), expected_revision=1, reason="late")
    assert take(client, place, 4, 2) == [3.0 / 4**4, 3.0 / 4**5]
    before, after = client.explain(run, 3), client.explain(run, 4)
    assert before.edits == ()
    assert [(edit.author, edit.reason) for edit in after.edits] == [("Zoë", "zu groß – 太大")]


def test_the_followers_of_a_schedule_take_its_new_revision(client: Client) -> None:
    name, runs = new_name(), sorted(new_name() for _ in range(3))
    stored = client.create_schedule(name, S.StepLR(step_size=2, gamma=0.5))
    places = [acquire(client, run, name) for run in runs]
    for count, place in enumerate(places, start=1):
        take(client, place, 1, count)
    acquire(client, new_name(), S.StepLR(step_size=2, gamma=0.5))

    updated, followers = client.update_schedule(
        name, S.StepLR(step_size=1, gamma=0.5), etag=stored.etag, reason="faster"
    )
    assert updated.revision == 2
    assert sorted((f.run, f.effective_step, f.refusal) for f in followers) == [
        (run, step, "") for step, run in enumerate(runs, start=2)
    ]
    assert take(client, places[0], 2, 1) == [0.75]
    explanation = client.explain(runs[0], 2)
    assert (explanation.schedule_name, explanation.schedule_revision) == (name, 2)
    with pytest.raises(ScheduleInUse):
        client.delete_schedule(name)


def test_runs_are_listed_page_by_page_by_their_labels(client: Client) -> None:
    team = new_name()
    runs = [new_name() for _ in range(5)]
    for place, run in enumerate(runs):
        labels = {"team": team, "parity": "even" if place % 2 == 0 else "odd"}
        acquire(client, run, S.StepLR(step_size=2), labels=labels)
    client.finish_run(runs[0])

    listed = list(client.list_runs(labels={"team": team}, page_size=2))
    assert sorted(run.name for run in listed) == sorted(runs)
    even = client.list_runs(labels={"team": team, "parity": "even"}, page_size=1)
    assert sorted(run.name for run in even) == sorted(runs[::2])
    finished = client.list_runs(labels={"team": team}, state="finished")
    assert [run.name for run in finished] == [runs[0]]


def test_a_deleted_run_is_gone_and_its_name_free(client: Client) -> None:
    run = new_name()
    first = acquire(client, run, S.StepLR(step_size=2))
    with pytest.raises(RunInUse):
        client.delete_run(run)
    client.delete_run(run, force=True)

    with pytest.raises(RunNotFound):
        client.get_run(run)
    with pytest.raises(RunNotFound):
        client.next_lr(first, 1, applied_step=0, revision=1)
    second = acquire(client, run, S.StepLR(step_size=5))
    assert second.created
    assert second.run_uid != first.run_uid


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_server_started_again_goes_on_where_it_was(client: Client, served: ServerProcess, end: str) -> None:
    run = new_name()
    place = acquire(client, run, S.StepLR(step_size=2, gamma=0.5))
    take(client, place, 1, 3)
    client.edit_run(run, S.StepLR(step_size=1, gamma=0.5), expected_revision=1, at_step=5, reason="later")

    getattr(served, end)()
    served.start()

    assert client.get_server().store_epoch == place.store_epoch
    assert explained(client, run, range(4)) == [3.0, 3.0, 1.5, 1.5]
    assert take(client, place, 1, 3) == [3.0, 1.5, 1.5]
    assert take(client, place, 4, 2) == [0.75, 3.0 / 2**5]
