"""Write a database of this version's schema as SQL, to be kept as a test's input once released.

python -m tests.migrations.make_sample tests/migrations/schema_0001.sql
"""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from uuid import uuid4

from sqlalchemy import update

from lrkeeper import Client, views
from lrkeeper import schedules as S
from lrkeeper.schedules.given import Given
from lrkeeper.schedules.numbers import Row, to_float32
from lrkeeper.schedules.table import Table
from lrkeeper.server.runs.frontier import Heard
from lrkeeper.server.runs.records import Deviation, LostEdit, RankProgress
from lrkeeper.server.storage import tables
from lrkeeper.server.storage.engine import make_engine, parse_url
from lrkeeper.server.storage.transaction import SqlTransaction
from tests.support.server import ServerProcess

AUTHOR = "operator@example.org"


def a_start(run: str, schedule: S.Schedule | str, **fields: object) -> views.Start:
    """Return the first start of a job."""
    values: dict[str, object] = {
        "run": run,
        "incarnation": f"{run}-first-start",
        "groups": (views.Group(None, "float64", {"lr": 3.0}, {"lr": 3.0}),),
        "schedule": schedule,
        "unit": "epoch",
        "holder_labels": {"host": "node-1", "pid": "4242"},
    }
    return views.Start(**{**values, **fields})  # type: ignore[arg-type]


def take(client: Client, place: views.Place, *windows: tuple[int, int]) -> None:
    """Ask for steps: from one, so many."""
    for from_step, count in windows:
        client.next_lr(place, from_step, count, applied_step=from_step - 1, revision=place.revision)


def fill(client: Client) -> None:
    """Do everything an operator and jobs can do, once."""
    half = S.StepLR(step_size=2, gamma=0.5)

    groups = (
        views.Group("größe", "float64", {"lr": 3.0}, {"lr": 3.0}),
        views.Group(None, "float32", {"lr": to_float32(0.1)}, {"lr": to_float32(0.05)}),
    )
    edited = client.acquire_run(
        a_start("edited", half, groups=groups, labels={"team": "视觉", "gpu": "8"}, attempt=1, world_size=2)
    )
    take(client, edited, (1, 1), (2, 1), (3, 2))
    client.edit_run(
        "edited",
        S.StepLR(step_size=1, gamma=0.25),
        expected_revision=1,
        at_step=6,
        reason="zu groß – 太大",
        author=AUTHOR,
    )
    take(client, edited, (5, 3))

    stored = client.create_schedule("shared", half, reason="first", author=AUTHOR)
    follower = client.acquire_run(a_start("follower", "shared"))
    take(client, follower, (1, 3))
    client.update_schedule(
        "shared", S.MultiStepLR(milestones=[5], gamma=0.5), etag=stored.etag, reason="later", author=AUTHOR
    )
    take(client, follower, (4, 2))

    again = client.acquire_run(a_start("again", half.then(S.StepLR(step_size=1, gamma=0.5), at=4)))
    take(client, again, (1, 5))
    client.finish_run("again")
    second = a_start("again", half, incarnation="again-second-start", on_existing="new_branch")
    take(client, client.acquire_run(second), (1, 1))

    finished = client.acquire_run(a_start("finished", S.SequentialLR([half, half], milestones=[3])))
    take(client, finished, (1, 4))
    client.finish_run("finished")

    given = client.acquire_run(a_start("given", half))
    learned = Given(metric=float("nan"), epoch=3, factors=(0.5, -0.0), seen={"lr": (2.0,)})
    client.next_lr(given, 1, applied_step=0, revision=given.revision, given=learned)

    length = S.Tracks(
        [S.Track(S.Ramp(S.Span(parameter="steps"), end=S.Level(absolute=0)))],
        parameters=[S.Parameter("steps")],
    )
    client.create_schedule("of-a-length", length, reason="first", author=AUTHOR)
    of_a_length = client.acquire_run(a_start("parameters", "of-a-length", parameters={"steps": 4}))
    take(client, of_a_length, (1, 1))
    client.edit_run(
        "parameters",
        "of-a-length",
        expected_revision=1,
        reason="shorter",
        author=AUTHOR,
        parameters={"steps": 3},
    )
    take(client, of_a_length, (2, 1))

    take(client, client.acquire_run(a_start("deleted", half)), (1, 1))
    client.delete_run("deleted", force=True)


def add_by_hand(path: Path) -> None:
    """Store what jobs and operators have no calls for yet, or tell too seldom to wait for."""
    engine = make_engine(parse_url(f"sqlite:///{path}"))
    now = time.time_ns() // 1000
    with engine.begin() as connection:
        tx = SqlTransaction(connection)
        run = tx.run_by_name("edited")
        assert run is not None
        heard = {0: Heard(7, now, 30_000_000), 1: Heard(3, now - 90_000_000)}
        tx.put_rank_progress(RankProgress(run.uid, run.fence, heard, now))
        rows: list[Row] = [{"lr": (0.25, 0.125)}, {"lr": (0.25, 0.125)}]
        held = Table.from_rows(5, rows)
        tx.insert_deviation(Deviation(run.uid, run.branch, run.fence, 0, held, "hold", now))
        half = '{"step_lr":{"gamma":0.5,"step_size":2.0}}'
        tx.insert_lost_edit(
            LostEdit(run.uid, str(uuid4()), run.branch, 3, 9, half, AUTHOR, "verloren – 失", now - 5, now)
        )
        connection.execute(
            update(tables.branches)
            .where(tables.branches.c.run_uid == run.uid)
            .values(author=AUTHOR, reason="zurück", request_id=str(uuid4()), digest="0" * 64)
        )
        tx.update_run(
            run.uid,
            forked_from_uid=str(uuid4()),
            forked_from_name="früher",
            forked_from_branch=1,
            forked_from_step=40,
        )
    engine.dispose()


def main(target: Path) -> None:
    """Fill a database through a server, and write it down."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "runs.sqlite3"
        with ServerProcess(path, log=Path(name) / "log") as server, Client(server.address) as client:
            fill(client)
        add_by_hand(path)
        with closing(sqlite3.connect(path)) as connection:
            target.write_text("\n".join(connection.iterdump()) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
