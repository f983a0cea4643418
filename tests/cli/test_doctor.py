"""`lrkeeper doctor`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from lrkeeper import __version__
from lrkeeper.schedules.cursor import EVALUATOR_VERSION
from lrkeeper.schedules.fingerprint import math_fingerprint
from lrkeeper.v1 import server_service_pb2, server_service_pb2_grpc
from tests.cli.conftest import Cli
from tests.support.server import ServerProcess, free_port

LAUNCHER = ("RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID", "SLURM_JOB_ID", "KUBERNETES_SERVICE_HOST")


@pytest.fixture(autouse=True)
def no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (*LAUNCHER, "http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.delenv(variable, raising=False)


def checks(cli: Cli, *args: str, status: int = 0) -> dict[str, tuple[str, str]]:
    """Each check's level, and what it says."""
    result = cli("doctor", "--json", *args)
    assert result.exit_code == status, result.output
    found = json.loads(result.stdout)
    assert found["ok"] is (status == 0)
    return {c["check"]: (c["level"], f"{c['found']} {c['advice']}".strip()) for c in found["checks"]}


@contextmanager
def another_server(**differences: Any) -> Iterator[str]:
    """A server that says of itself what a server of this version would, but for the differences."""
    ahead = differences.pop("ahead", timedelta())
    fields: dict[str, Any] = {
        "version": __version__,
        "evaluator_version": EVALUATOR_VERSION,
        "math_fingerprint": math_fingerprint(),
        "database": "sqlite",
    }

    class Service(server_service_pb2_grpc.ServerServiceServicer):
        def GetServer(self, request: Any, context: Any) -> Any:  # noqa: N802
            now = Timestamp()
            now.FromDatetime(datetime.now(UTC) + ahead)
            return server_service_pb2.GetServerResponse(**(fields | differences), server_time=now)

    server = grpc.server(ThreadPoolExecutor(1))
    server_service_pb2_grpc.add_ServerServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def test_where_all_is_well_there_is_one_line_a_check(server: ServerProcess, cli: Cli) -> None:
    lines = cli.out("doctor").splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", check]
        for check in (
            "mode",
            "server",
            "version",
            "evaluator",
            "math",
            "clock",
            "token",
            "launcher",
            "incarnation",
        )
    ]


def test_no_server_named_is_an_error_that_names_the_variable(cli: Cli) -> None:
    level, text = checks(cli, status=1)["server"]
    assert level == "error"
    assert "LRKEEPER_SERVER" in text


def test_a_server_that_does_not_answer_is_an_error(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRKEEPER_SERVER", f"127.0.0.1:{free_port()}")
    found = checks(cli, status=1)
    assert found["server"][0] == "error"
    assert "cannot be reached see that it runs" in found["server"][1]
    assert "version" not in found


def test_a_proxy_in_the_way_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRKEEPER_SERVER", f"127.0.0.1:{free_port()}")
    monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{free_port()}")
    assert "https_proxy is set" in checks(cli, status=1)["server"][1]


def test_a_server_that_only_the_option_names_is_a_warning(cli: Cli, server: ServerProcess) -> None:
    assert checks(cli)["server"][0] == "ok"
    level, text = checks(cli, "--server", server.address)["server"]
    assert level == "warning"
    assert "set LRKEEPER_SERVER" in text


@pytest.mark.parametrize(
    ("differences", "check", "text"),
    [
        ({"version": "0.0.9"}, "version", "0.0.9 at the server"),
        ({"evaluator_version": "0"}, "evaluator", "0 at the server"),
        ({"math_fingerprint": "feed"}, "math", "feed at the server"),
        ({"ahead": timedelta(seconds=90)}, "clock", "s ahead"),
        ({"ahead": timedelta(seconds=-90)}, "clock", "s behind"),
    ],
)
def test_a_difference_to_the_server_is_a_warning(
    differences: dict[str, Any], check: str, text: str, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    with another_server(**differences) as address:
        monkeypatch.setenv("LRKEEPER_SERVER", address)
        found = checks(cli)
    assert {name for name, (level, _) in found.items() if level != "ok"} == {check}
    assert text in found[check][1]


def test_a_token_is_said_to_protect_nothing(
    cli: Cli, server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LRKEEPER_TOKEN", "s3cret")
    level, text = checks(cli)["token"]
    assert level == "warning"
    assert "sends none" in text
    assert "s3cret" not in text


def test_the_mode_is_shown(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRKEEPER_MODE", "off")
    found = checks(cli)
    assert found["mode"][0] == "warning"
    assert found["server"][0] == "ok"
    monkeypatch.setenv("LRKEEPER_MODE", "perhaps")
    level, text = checks(cli, status=1)["mode"]
    assert level == "error"
    assert "it must be 'on' or 'off'" in text


def test_the_launcher_and_the_source_of_the_incarnation_are_shown(
    cli: Cli, server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checks(cli)["incarnation"] == ("ok", "made up at every start")
    for variable, value in (("SLURM_JOB_ID", "7"), ("WORLD_SIZE", "8"), ("RANK", "3")):
        monkeypatch.setenv(variable, value)
    found = checks(cli)
    assert found["launcher"] == ("ok", "slurm; rank 3 of 8")
    assert found["incarnation"][0] == "warning"
    assert "init_process_group" in found["incarnation"][1]
    monkeypatch.setenv("LRKEEPER_INCARNATION", "abc")
    assert checks(cli)["incarnation"][0] == "ok"
    monkeypatch.setenv("WORLD_SIZE", "many")
    assert checks(cli, status=1)["launcher"][0] == "error"


def test_without_torch_the_rest_is_checked(server: ServerProcess) -> None:
    script = (
        "import sys; sys.modules['torch'] = None; sys.argv[1:] = ['doctor']\n"
        "from lrkeeper.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    last = done.stdout.splitlines()[-1]
    assert last.startswith("warning  torch")
    assert "pip install 'lrkeeper[torch]'" in last
    assert "ok       math" in done.stdout
