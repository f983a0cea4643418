"""How the server goes down: calls under way finish, others are told to try again, nobody is surprised."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import torch
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lrkeeper import Client, RemoteLR, errors
from lrkeeper import schedules as S
from lrkeeper.views import Group, Start
from tests.support import altered_server, ledger
from tests.support.server import ServerProcess
from tests.support.serving import ANY_PORT, serving, url
from tests.support.steppers import Job, Steppers

GROUP = Group(None, "float64", {"lr": 0.1}, {"lr": 0.1})
START = Start(run="run", incarnation="run-1", groups=(GROUP,), schedule=S.StepLR(step_size=1, gamma=0.5))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_calls_under_way_finish_and_refuses_new_ones(
    number: signal.Signals, tmp_path: Path
) -> None:
    database, gate = tmp_path / "runs.sqlite3", tmp_path / "gate"
    command = altered_server.command(f"steps-wait-for={gate}")
    options = ("--listen", ANY_PORT, "--database-url", url(database))
    with (
        serving(tmp_path, *options, command=command) as server,
        Client(server.address) as client,
        ThreadPoolExecutor(1) as pool,
    ):
        place = client.acquire_run(START)
        under_way = pool.submit(client.next_lr, place, 1, applied_step=0, revision=place.revision)
        await_that((tmp_path / "gate.waiting").exists)
        server.process.send_signal(number)
        await_that(lambda: is_refused(client))
        with Client(server.address) as newcomer:
            assert is_refused(newcomer)
        assert not under_way.done()
        gate.touch()
        table = under_way.result().table
        assert table is not None
        assert table.row(1) == {"lr": (0.05,)}
        assert server.process.wait() == 0
    assert list(ledger.read(database).rows.values()) == [table.data]


def test_restarts_under_load_are_noticed_by_no_client(tmp_path: Path) -> None:
    database, jobs = tmp_path / "runs.sqlite3", [Job(f"run{n}", 0.1, 0.999) for n in range(6)]
    server = ServerProcess(database, log=tmp_path / "server.log")
    try:
        with Steppers(server.address, jobs, tmp_path) as steppers:
            for _ in range(3):
                since = steppers.answers()
                server.start()
                steppers.wait_for_answers(since, len(jobs))
                assert server.stop() == 0
            server.start()
            calls = steppers.stop()
    finally:
        assert server.stop() == 0
    answered = {(call.run_uid, call.branch, call.step): bytes.fromhex(call.bits or "") for call in calls}
    assert ledger.read(database).rows == answered


def test_a_training_notices_neither_restarts_nor_connections_that_are_of_age(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every step asks. The server goes down and comes back as the job goes on; then a connection comes of age."""
    monkeypatch.setenv("LRKEEPER_MAX_CONNECTION_AGE", "1")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    used: list[str] = []
    ends: list[grpc.ChannelConnectivity] = []
    with (
        ServerProcess(tmp_path / "runs", log=tmp_path / "server.log") as server,
        ThreadPoolExecutor(1) as operator,
        grpc.insecure_channel(server.address) as watched,
    ):
        scheduler = RemoteLR(optimizer, S.ExponentialLR(0.999), server=server.address, horizon=0)
        optimizer.register_step_pre_hook(lambda *_: used.append(float(optimizer.param_groups[0]["lr"]).hex()))

        def train_until(condition: Callable[[], bool]) -> None:
            while not condition():
                optimizer.step()
                scheduler.step()

        for _ in range(3):
            enough = len(used) + 200
            train_until(lambda: len(used) >= enough)  # noqa: B023
            restarted = operator.submit(lambda: (server.stop(), server.start())[0])
            train_until(restarted.done)
            assert restarted.result() == 0
        watched.subscribe(ends.append, try_to_connect=True)
        train_until(lambda: grpc.ChannelConnectivity.IDLE in ends[1:])
    theirs = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    torchs = torch.optim.lr_scheduler.ExponentialLR(theirs, 0.999)
    for lr in used:
        assert lr == float(torchs.get_last_lr()[0]).hex()
        theirs.step()
        torchs.step()


def test_connections_that_are_of_age_are_noticed_by_no_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without patience, so that every failure shows; a watcher counts how often its connection ended."""
    monkeypatch.setenv("LRKEEPER_MAX_CONNECTION_AGE", "1")
    ends: list[grpc.ChannelConnectivity] = []
    with (
        ServerProcess(tmp_path / "runs", log=tmp_path / "server.log") as server,
        Client(server.address) as client,
        grpc.insecure_channel(server.address) as watched,
    ):
        watched.subscribe(ends.append, try_to_connect=True)
        place = client.acquire_run(START)
        step = 0
        while step < 2000 or grpc.ChannelConnectivity.IDLE not in ends[1:]:
            step += 1
            client.next_lr(place, step, applied_step=step - 1, revision=1)


def test_a_watcher_of_its_health_is_told_that_the_server_goes_down(tmp_path: Path) -> None:
    options = ("--listen", ANY_PORT, "--database-url", url(tmp_path / "runs"))
    with serving(tmp_path, *options) as server, grpc.insecure_channel(server.address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(watch).status == health_pb2.HealthCheckResponse.SERVING
        server.process.terminate()
        assert next(watch).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()
        assert server.process.wait() == 0


def is_refused(client: Client) -> bool:
    """Return whether the server has gone, or says that it goes: a client may try again."""
    try:
        client.get_server()
    except errors.LrkeeperError as error:
        if isinstance(error, errors.ServerUnavailable) or error.status == "UNAVAILABLE":
            return True
        raise
    return False


def await_that(condition: Callable[[], bool]) -> None:
    """Return once a condition holds that another process brings about."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)
