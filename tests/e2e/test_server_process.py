"""`lrkeeper serve` as a process: how it starts, refuses to, logs, and goes down."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from lrkeeper import Client, errors
from lrkeeper import schedules as S
from lrkeeper.v1 import run_service_pb2
from lrkeeper.views import Group, Place, Start
from tests.support import altered_server, ledger
from tests.support.server import ServerProcess, free_port
from tests.support.steppers import Job, Steppers

CLI = (sys.executable, "-m", "lrkeeper.cli")
ANY_PORT = "127.0.0.1:0"


@dataclass
class Serving:
    """A server that serves."""

    address: str
    process: subprocess.Popen[str]
    log: Path


@contextmanager
def serving(
    folder: Path, *options: str, command: Sequence[str] = CLI, **environment: str
) -> Iterator[Serving]:
    """Run `lrkeeper serve` with options and variables; it writes no file but in the folder."""
    log = folder / "server.log"
    with (
        log.open("w") as out,
        subprocess.Popen(
            [*command, "serve", *options],
            stdout=subprocess.PIPE,
            stderr=out,
            text=True,
            env=_environment(XDG_DATA_HOME=str(folder)) | environment,
        ) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"listening on (\S+)\n", line)
        assert found, f"{line!r}\n{log.read_text()}"
        try:
            yield Serving(found[1], process, log)
        finally:
            process.kill()


def refusal(*options: str) -> subprocess.CompletedProcess[str]:
    """Run `lrkeeper serve` where it must not get so far as to serve."""
    done = subprocess.run(
        [*CLI, "serve", *options],
        capture_output=True,
        text=True,
        timeout=60,
        env=_environment(),
        check=False,
    )
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done


def _environment(**more: str) -> dict[str, str]:
    """Return our environment without a word on lrkeeper."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LRKEEPER_")} | more


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def a_start(run: str, schedule: S.Schedule | str) -> Start:
    group = Group(None, "float64", {"lr": 0.1}, {"lr": 0.1})
    return Start(run=run, incarnation=f"{run}-1", groups=(group,), schedule=schedule)


def test_port_0_is_any_free_port_and_the_line_says_which(tmp_path: Path) -> None:
    with serving(tmp_path, "--listen", ANY_PORT, "--database-url", url(tmp_path / "runs")) as server:
        host, _, port = server.address.rpartition(":")
        assert host == "127.0.0.1"
        assert int(port) > 0
        with Client(server.address) as client:
            assert client.get_server().database == "sqlite"


def test_a_unix_socket_is_served(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:  # the path of a socket must be short
        listen = f"unix:{folder}/lrkeeper"
        with serving(tmp_path, "--listen", listen, "--database-url", url(tmp_path / "runs")) as server:
            assert server.address == listen
            with Client(listen) as client:
                assert client.get_server().database == "sqlite"


def test_the_environment_names_address_and_database(tmp_path: Path) -> None:
    listen, database = f"127.0.0.1:{free_port()}", tmp_path / "named.sqlite3"
    with serving(tmp_path, LRKEEPER_LISTEN=listen, LRKEEPER_DATABASE_URL=url(database)) as server:
        assert server.address == listen
        assert database.exists()


def test_options_win_over_the_environment(tmp_path: Path) -> None:
    variables = {"LRKEEPER_LISTEN": "nowhere", "LRKEEPER_DATABASE_URL": url(tmp_path / "other")}
    with serving(tmp_path, "--listen", ANY_PORT, "--database-url", url(tmp_path / "runs"), **variables):
        assert (tmp_path / "runs").exists()
        assert not (tmp_path / "other").exists()


def test_without_a_word_the_database_is_in_the_users_data_directory(tmp_path: Path) -> None:
    with serving(tmp_path, "--listen", ANY_PORT, XDG_DATA_HOME=str(tmp_path / "data")):
        assert ledger.read_copy(tmp_path / "data" / "lrkeeper" / "lrkeeper.sqlite3").runs == {}


def test_a_second_server_on_the_file_refuses_to_start(tmp_path: Path) -> None:
    database = tmp_path / "runs.sqlite3"
    with serving(tmp_path, "--listen", ANY_PORT, "--database-url", url(database)) as server:
        second = refusal("--listen", ANY_PORT, "--database-url", url(database))
        assert second.returncode == 1
        (line,) = second.stderr.splitlines()
        assert line.startswith(f"Error: another lrkeeper server has {database} open")
        with Client(server.address) as client:
            client.get_server()


def test_the_file_is_free_again_once_its_server_was_killed(tmp_path: Path) -> None:
    database = tmp_path / "runs.sqlite3"
    with serving(tmp_path, "--listen", ANY_PORT, "--database-url", url(database)) as server:
        server.process.kill()
        server.process.wait()
        with serving(tmp_path, "--listen", ANY_PORT, "--database-url", url(database)):
            pass


def test_a_second_server_on_the_port_refuses_to_start(tmp_path: Path) -> None:
    with serving(tmp_path, "--listen", ANY_PORT, "--database-url", url(tmp_path / "first")) as server:
        second = refusal("--listen", server.address, "--database-url", url(tmp_path / "second"))
        assert second.returncode == 1
        (line,) = [line for line in second.stderr.splitlines() if line.startswith("Error")]
        assert line == f"Error: cannot listen on {server.address}: is another process using it?"
        with Client(server.address) as client:
            client.get_server()


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "some-host:0", ":0"])
def test_an_address_that_others_reach_is_refused_without_insecure(listen: str, tmp_path: Path) -> None:
    done = refusal("--listen", listen, "--database-url", url(tmp_path / "runs"))
    assert done.returncode == 2
    assert f"Error: {listen} can be reached from other machines" in done.stderr
    assert "--insecure" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_insecure_allows_an_address_that_others_reach(tmp_path: Path) -> None:
    options = ("--listen", "0.0.0.0:0", "--insecure", "--database-url", url(tmp_path / "runs"))
    with serving(tmp_path, *options) as server:
        host, _, port = server.address.rpartition(":")
        assert host == "0.0.0.0"
        with Client(f"127.0.0.1:{port}") as client:
            client.get_server()


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
        place = client.acquire_run(a_start("run", S.StepLR(step_size=1, gamma=0.5)))
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
    with Steppers(server.address, jobs, tmp_path) as steppers:
        for _ in range(4):
            since = steppers.answers()
            server.start()
            steppers.wait_for_answers(since, len(jobs))
            assert server.stop() == 0
        server.start()
        calls = steppers.stop()
    assert server.stop() == 0
    answered = {(call.run_uid, call.branch, call.step): bytes.fromhex(call.bits or "") for call in calls}
    assert ledger.read(database).rows == answered


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


def test_its_health_is_serving(server: ServerProcess) -> None:
    with grpc.insecure_channel(server.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        answer = health.Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


def called_raw(server: ServerProcess, method: str, request: bytes) -> grpc.RpcError:
    """Return the error of a call with bytes of our own."""
    with grpc.insecure_channel(server.address) as channel:
        call: Callable[..., object] = channel.unary_unary(method)
        with pytest.raises(grpc.RpcError) as caught:
            call(request, timeout=10)
    return caught.value


@pytest.mark.parametrize("request_bytes", [b"\xff", b"\x0a\x7fshort", b"\x0a\x01\xff"])
def test_bytes_that_are_no_message_are_an_invalid_argument(
    server: ServerProcess, client: Client, request_bytes: bytes
) -> None:
    error = called_raw(server, "/lrkeeper.v1.RunService/GetRun", request_bytes)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == "the request is no GetRunRequest message"
    client.get_server()


@pytest.mark.parametrize(
    "method",
    ["/lrkeeper.v1.RunService/Fly", "/lrkeeper.v1.Nothing/GetRun", "/lrkeeper.v1.RunService/get_run"],
)
def test_a_method_that_is_not_there_is_unimplemented(
    server: ServerProcess, client: Client, method: str
) -> None:
    error = called_raw(server, method, run_service_pb2.GetRunRequest(run="run").SerializeToString())
    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    client.get_server()


def logged(log: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_a_fault_of_the_server_shows_an_id_and_nothing_else(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    command = altered_server.command("get-run-fails")
    with (
        ServerProcess(tmp_path / "runs", log=log, command=command) as server,
        Client(server.address) as client,
    ):
        with pytest.raises(errors.Internal) as caught:
            client.get_run("run")
        fault = caught.value.details["id"]
        assert str(caught.value) == f"internal error id={fault}"
        error = called_raw(
            server,
            "/lrkeeper.v1.RunService/GetRun",
            run_service_pb2.GetRunRequest(run="run").SerializeToString(),
        )
        assert error.code() is grpc.StatusCode.INTERNAL
        answered = f"{error.details()} {error.trailing_metadata()}"
        assert altered_server.SECRET not in answered
        assert "RuntimeError" not in answered
        client.get_server()
    (line,) = [line for line in logged(log) if line.get("id") == fault]
    assert altered_server.SECRET in str(line["exception"])


def test_every_request_is_one_line_of_log_without_what_it_says(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    with ServerProcess(tmp_path / "runs", log=log) as server, Client(server.address) as client:
        client.create_schedule("plan", S.StepLR(step_size=7, gamma=0.123456789), reason="told in confidence")
        start = replace(a_start("run", "plan"), labels={"team": "told in confidence"})
        place = client.acquire_run(start)
        client.next_lr(place, 1, applied_step=0, revision=place.revision)
        with pytest.raises(errors.RunNotFound):
            client.get_run("told-nobody")
    lines = logged(log)
    requests = [line for line in lines if line["event"] == "request"]
    assert [(line["method"], line["status"], line["run"]) for line in requests] == [
        ("CreateSchedule", "OK", "plan"),
        ("AcquireRun", "OK", "run"),
        ("NextLr", "OK", place.run_uid),
        ("GetRun", "NOT_FOUND", "told-nobody"),
    ]
    assert all(isinstance(line["ms"], float) and line["ms"] > 0 for line in requests)
    assert "confidence" not in log.read_text()
    assert "0.123456789" not in log.read_text()


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
            place = client.acquire_run(a_start(f"follower{number}", "plan"))
            steps = number % 4
            if steps:
                client.next_lr(place, 1, steps, applied_step=0, revision=place.revision)
            return place, steps + 1

        found = list(pool.map(follow, range(FOLLOWERS)))
    return Followed(database, plan.etag, [p for p, _ in found], {p.run: frontier for p, frontier in found})


@pytest.mark.parametrize("deaths", [[0], [199], [100, 150]], ids=str)
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
        command = altered_server.command(f"update-dies-at={death}")
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
