"""A database of every released schema is brought up to this version's, and served, with all that is in it."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import MetaData, delete, insert, select

from lrkeeper import Client, migrations, views
from lrkeeper import schedules as S
from lrkeeper.errors import RunFenced, RunNotFound
from lrkeeper.server.storage import tables
from lrkeeper.server.storage.engine import make_engine, parse_url
from tests.migrations.make_sample import AUTHOR, a_start
from tests.migrations.schema import described
from tests.support.databases import Database, Fresh
from tests.support.server import ServerProcess

SAMPLES = sorted(Path(__file__).parent.glob("schema_*.sql"))
HALF = S.StepLR(step_size=2, gamma=0.5)


def load(sample: Path, target: Database, scratch: Path) -> None:
    """Bring a sample into an empty database, of either kind, in the schema it was written in."""
    path = scratch / "sample.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(sample.read_text(encoding="utf-8"))
    source = make_engine(parse_url(f"sqlite:///{path}"))
    engine = make_engine(parse_url(target.url))
    revision = migrations.current(source)
    assert revision == sample.stem.removeprefix("schema_")
    migrations.upgrade(engine, revision)
    old = MetaData()
    old.reflect(source)
    old.remove(old.tables["alembic_version"])
    with source.connect() as reader, engine.begin() as writer:
        writer.execute(delete(old.tables["meta"]))
        for table in old.sorted_tables:
            rows = [dict(row._mapping) for row in reader.execute(select(table))]
            assert rows, f"{table.name} is empty in {sample.name}"
            writer.execute(insert(table), rows)
    source.dispose()
    engine.dispose()


@pytest.fixture(scope="module", params=SAMPLES, ids=lambda sample: sample.stem)
def upgraded(
    request: pytest.FixtureRequest, kind: str, fresh: Fresh, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """A database of an old schema, brought up to this version's."""
    with fresh(kind) as database:
        load(request.param, database, tmp_path_factory.mktemp("sample"))
        engine = make_engine(parse_url(database.url))
        migrations.upgrade(engine)
        engine.dispose()
        yield database


@pytest.fixture(scope="module")
def client(upgraded: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A client of a server on it."""
    log = tmp_path_factory.mktemp("server") / "log"
    with ServerProcess(upgraded.url, log=log) as server, Client(server.address) as client:
        yield client


@pytest.fixture(scope="module")
def runs(client: Client) -> dict[str, views.Run]:
    """The runs as they were found."""
    return {run.name: run for run in client.list_runs()}


def lrs(client: Client, run: str, steps: range, branch: int | None = None) -> list[float]:
    """Return the first group's lrs as the record has them."""
    return [client.explain(run, step, branch=branch).values.row(step)["lr"][0] for step in steps]


def test_there_is_a_sample_of_every_schema() -> None:
    assert {sample.stem.removeprefix("schema_") for sample in SAMPLES} == migrations.known()


def test_an_old_database_comes_to_the_schema_of_the_tables(
    upgraded: Database, kind: str, fresh: Fresh
) -> None:
    engine = make_engine(parse_url(upgraded.url))
    with fresh(kind) as other:
        made = make_engine(parse_url(other.url))
        tables.metadata.create_all(made)
        assert described(engine) == described(made)
        made.dispose()
    engine.dispose()


def test_its_runs_are_all_there(client: Client, runs: dict[str, views.Run]) -> None:
    since_0002 = runs.get("given")
    if since_0002 is not None:
        given = client.explain("given", 1).given
        assert (math.isnan(given.metric or 0), given.epoch, given.seen) == (True, 3, {"lr": (2.0,)})
        assert [factor.hex() for factor in given.factors] == ["0x1.0000000000000p-1", "-0x0.0p+0"]
    assert {n: (run.frontier, run.state) for n, run in runs.items() if n not in ("given", "parameters")} == {
        "edited": (8, "active"),
        "follower": (6, "active"),
        "again": (2, "active"),
        "finished": (5, "finished"),
    }
    assert runs["edited"].labels == {"team": "视觉", "gpu": "8"}
    assert runs["edited"].groups[0].name == "größe"
    assert runs["edited"].groups[1].number == "float32"
    assert runs["edited"].holder is not None
    assert runs["edited"].holder.labels["host"] == "node-1"
    assert [run.name for run in client.list_runs(labels={"team": "视觉"})] == ["edited"]
    with pytest.raises(RunNotFound):
        client.get_run("deleted")


def test_a_run_keeps_the_numbers_that_it_gave_to_parameters(
    client: Client, runs: dict[str, views.Run]
) -> None:
    if "parameters" not in runs:  # schemas before 0003
        return
    assert lrs(client, "parameters", range(3)) == [3.0, 2.25, 1.0]
    stored = client.get_schedule("of-a-length")
    assert isinstance(stored.schedule, S.Tracks)
    added = S.Tracks(
        [S.Track(track.schedule, scale=2.0) for track in stored.schedule.tracks],
        parameters=stored.schedule.parameters,
    )
    _, (followed,) = client.update_schedule("of-a-length", added, etag=stored.etag)
    assert (followed.run, followed.refusal) == ("parameters", "")
    assert client.get_run("parameters").edits[-1].schedule == S.Tracks(
        [S.Track(S.Ramp(S.Span(steps=3), end=S.Level(absolute=0)), scale=2.0)]
    )


def test_what_ranks_said_and_did_is_kept(client: Client) -> None:
    run = client.get_run("edited")
    if run.forked_from is None:  # schemas before 0004
        assert (run.ranks, run.deviations, run.lost_edits, run.lineage[-1].time) == ((), (), (), None)
        return
    assert (run.forked_from.run, run.forked_from.branch, run.forked_from.step) == ("früher", 1, 40)
    assert (run.lineage[-1].author, run.lineage[-1].reason) == (AUTHOR, "zurück")
    assert {rank.rank: rank.applied_step for rank in run.ranks} == {0: 7, 1: 3}
    (deviation,) = run.deviations
    assert (deviation.kind, deviation.values.row(6)) == ("hold", {"lr": (0.25, 0.125)})
    (lost,) = run.lost_edits
    assert (lost.edit.effective_step, lost.edit.author, lost.edit.reason) == (9, AUTHOR, "verloren – 失")
    assert lost.edit.schedule == HALF


def test_its_steps_have_their_values(client: Client) -> None:
    assert lrs(client, "edited", range(8)) == [3, 3, 1.5, 1.5, 0.75, 0.75, 3 / 4**5 / 4, 3 / 4**5 / 16]
    assert lrs(client, "follower", range(6)) == [3, 3, 1.5, 1.5, 3, 1.5]
    assert lrs(client, "again", range(6), branch=1) == [3, 3, 1.5, 1.5, 0.75, 0.375]
    assert lrs(client, "again", range(2)) == [3, 3]
    assert lrs(client, "finished", range(5)) == [3, 3, 1.5, 3, 3]
    float32 = client.explain("edited", 7).values.row(7)["lr"][1]
    assert float32.hex() == "0x1.99999a0000000p-19"


def test_its_edits_and_schedules_are_explained(client: Client) -> None:
    (edit,) = client.explain("edited", 6).edits
    assert (edit.author, edit.reason, edit.effective_step) == (AUTHOR, "zu groß – 太大", 6)
    assert edit.schedule == S.StepLR(step_size=1, gamma=0.25)
    followed = client.explain("follower", 5)
    assert (followed.schedule_name, followed.schedule_revision) == ("shared", 2)
    assert client.get_schedule("shared", 1).schedule == HALF
    assert client.get_schedule("shared").reason == "later"
    assert client.get_schedule("shared").followers == 1


def test_its_jobs_go_on(client: Client, runs: dict[str, views.Run]) -> None:
    place = client.acquire_run(a_start("follower", "shared"))
    window = client.next_lr(place, 4, 4, applied_step=3, revision=place.revision)
    assert window.table is not None
    assert list(window.table.column(0)) == [3, 1.5, 1.5, 1.5]

    with pytest.raises(RunFenced):
        client.acquire_run(a_start("again", HALF))
    second = client.acquire_run(a_start("again", HALF, incarnation="again-second-start"))
    window = client.next_lr(second, 2, 3, applied_step=1, revision=second.revision)
    assert window.table is not None
    assert list(window.table.column(0)) == [1.5, 1.5, 0.75]
