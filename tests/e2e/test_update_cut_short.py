"""A schedule's update is killed among its many followers: each gets it, and none twice."""

from __future__ import annotations

import shutil
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest

from lrkeeper import Client, errors
from lrkeeper import schedules as S
from lrkeeper.views import Group, Place, Start
from tests.support import altered_server, ledger
from tests.support.server import ServerProcess

FOLLOWERS = 200


@dataclass
class Followed:
    """A database with runs that follow the schedule `plan`, which have got to different steps."""

    database: Path
    etag: str
    places: list[Place]
    frontiers: dict[str, int]


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Followed:
    database = tmp_path_factory.mktemp("followed") / "runs.sqlite3"
    with (
        ServerProcess(database, log=database.with_name("server.log")) as server,
        Client(server.address) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        plan = client.create_schedule("plan", S.StepLR(step_size=1, gamma=0.5))

        def follow(number: int) -> tuple[Place, int]:
            run = f"follower{number}"
            group = Group(None, "float64", {"lr": 0.1}, {"lr": 0.1})
            start = Start(run=run, incarnation=f"{run}-1", groups=(group,), schedule="plan")
            place = client.acquire_run(start)
            steps = number % 4
            if steps:
                client.next_lr(place, 1, steps, applied_step=0, revision=place.revision)
            return place, steps + 1

        found = list(pool.map(follow, range(FOLLOWERS)))
    return Followed(database, plan.etag, [p for p, _ in found], {p.run: frontier for p, frontier in found})


@pytest.mark.parametrize("deaths", [[0], [100, 150]], ids=str)
def test_an_update_cut_short_by_a_kill_reaches_each_follower_once(
    followed: Followed, deaths: list[int], tmp_path: Path
) -> None:
    """The first death is in the update; a second one in the start after it, which goes on with the update."""
    database, log = Path(shutil.copy(followed.database, tmp_path)), tmp_path / "server.log"
    request_id = str(uuid4())

    def update(client: Client) -> dict[str, int]:
        stored, followers = client.update_schedule(
            "plan", S.StepLR(step_size=1, gamma=0.25), etag=followed.etag, request_id=request_id
        )
        assert stored.revision == 2
        assert not any(follower.refusal for follower in followers)
        return {follower.run: follower.effective_step for follower in followers}

    for number, death in enumerate(deaths):
        done = deaths[number - 1] if number else 0
        command = altered_server.command(f"update-dies-at={death - done}")
        dying = ServerProcess(database, log=log, command=command)
        try:
            if number == 0:
                with Client(dying.start().address) as client, pytest.raises(errors.ServerUnavailable):
                    update(client)
            else:
                with pytest.raises(RuntimeError, match="did not start"):
                    dying.start()
        finally:
            assert dying.stop() == -signal.SIGKILL
        assert len(ledger.read_copy(database).edits) == death

    with ServerProcess(database, log=log) as server, Client(server.address) as client:
        finished = ledger.read_copy(database).edits
        assert update(client) == followed.frontiers
        assert ledger.read_copy(database).edits == finished
        for place in followed.places:
            step = followed.frontiers[place.run]
            window = client.next_lr(place, step, applied_step=step - 1, revision=place.revision)
            assert window.table is not None
            assert window.table.row(step) == {"lr": (0.1 * 0.25**step,)}
    edits = ledger.read(database).edits.values()
    assert len({edit.run_uid for edit in edits}) == len(edits) == FOLLOWERS
