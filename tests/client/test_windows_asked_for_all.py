"""Where rank 0 asks for all, it holds as many seconds of values as the horizon says, and not many more."""

from __future__ import annotations

import time
from pathlib import Path

from lrkeeper import Client, RemoteLR
from lrkeeper import schedules as S
from tests.client.processes import as_ranks, in_group
from tests.client.training import Training
from tests.support.server import ServerProcess

STEP_SECONDS = 0.002


def train(run: str, steps: int) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, S.ExponentialLR(0.999), run=run, sync="broadcast")
    for _ in range(steps):
        time.sleep(STEP_SECONDS)
        training.optimizer.step()
        scheduler.step()


def test_a_window_is_no_longer_than_the_horizon_however_often_it_is_fetched(
    client: Client, server: ServerProcess, tmp_path: Path, run: str
) -> None:
    most = 20
    as_ranks(
        1,
        in_group,
        tmp_path / "store",
        train,
        run,
        400,
        LRKEEPER_SERVER=server.address,
        LRKEEPER_HORIZON=str(most * STEP_SECONDS),
    )
    assert client.get_run(run).frontier <= 400 + 1 + most
