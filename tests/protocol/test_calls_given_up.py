"""Calls that are given up: their effect is there or not, and asking again is safe."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import grpc
import pytest

from lrkeeper import Client
from lrkeeper.schedules import codec
from lrkeeper.v1 import run_pb2
from lrkeeper.v1.run_service_pb2 import EditRunRequest, GetRunRequest, NextLrRequest
from lrkeeper.views import Place
from tests.protocol import jobs
from tests.protocol.stored import rows
from tests.protocol.wire import Wire
from tests.support import altered_server
from tests.support.server import ServerProcess

PATIENCE_SECONDS = 30.0


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """The file that lets steps go on."""
    return tmp_path / "gate"


@pytest.fixture
def slow_server(tmp_path: Path, gate: Path) -> Iterator[ServerProcess]:
    """A server whose steps wait for the gate before they are stored."""
    command = altered_server.command(f"steps-wait-for={gate}")
    with ServerProcess(tmp_path / "runs.sqlite3", log=tmp_path / "server.log", command=command) as server:
        yield server
        gate.touch()


def wait_for(path: Path) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.005)


def a_request(place: Place, step: int, count: int = 1) -> NextLrRequest:
    return NextLrRequest(
        run_uid=place.run_uid,
        store_epoch=place.store_epoch,
        fence=place.fence,
        branch=place.branch,
        from_step=step,
        count=count,
        applied_step=step - 1,
    )


def test_a_step_that_is_given_up_before_it_is_stored_is_taken_when_it_is_asked_for_again(
    slow_server: ServerProcess, gate: Path
) -> None:
    with Client(slow_server.address) as client, Wire(slow_server.address) as wire:
        place = jobs.begun(client)
        cancelled = wire.runs.NextLr.future(a_request(place, 1, 3), timeout=PATIENCE_SECONDS)  # type: ignore[attr-defined]
        wait_for(gate.with_name("gate.waiting"))
        cancelled.cancel()
        late = wire.runs.NextLr.future(a_request(place, 1, 3), timeout=0.5)  # type: ignore[attr-defined]
        assert late.exception().code() is grpc.StatusCode.DEADLINE_EXCEEDED
        gate.touch()
        window = jobs.ask(client, place, 1, 3)
        assert jobs.bits(window.table) == [((0.1 * 0.5**step).hex(),) for step in (1, 2, 3)]
        assert window.frontier == 4
        assert jobs.ask(client, place, 4).frontier == 5
    blocks = rows(slow_server, "SELECT first_step, count FROM blocks ORDER BY first_step")
    assert blocks == [(1, 3), (4, 1)]


def test_a_step_that_is_given_up_at_any_moment_is_there_or_not_and_never_twice(
    server: ServerProcess, client: Client
) -> None:
    place = jobs.begun(client, schedule=jobs.SLOW)
    expected = jobs.torch_bits(jobs.torch_step(0.999), 41)
    with Wire(server.address) as wire:
        wire.runs.GetRun(GetRunRequest(run=place.run))
        for step in range(1, 41):
            call = wire.runs.NextLr.future(a_request(place, step), timeout=PATIENCE_SECONDS)  # type: ignore[attr-defined]
            time.sleep(step % 8 / 2000)  # any moment will do
            call.cancel()
            window = jobs.ask(client, place, step)
            assert (window.frontier, jobs.bits(window.table)) == (step + 1, [expected[step]])
    assert [block.table.first_step for block in client.list_blocks(place.run)] == list(range(1, 41))


@pytest.mark.parametrize("milliseconds", [0, 1, 2, 3, 5, 8, 13])
def test_an_edit_that_is_given_up_is_made_once_when_it_is_sent_again(
    server: ServerProcess, client: Client, milliseconds: int
) -> None:
    place = jobs.stepped(client, jobs.begun(client), 3)
    request = EditRunRequest(
        run=place.run,
        request_id=str(uuid4()),
        expected_revision=1,
        replace=run_pb2.Replace(schedule=codec.encode(jobs.SLOW)),
    )
    with Wire(server.address) as wire:
        wire.runs.GetRun(GetRunRequest(run=place.run))
        call = wire.runs.EditRun.future(request, timeout=PATIENCE_SECONDS)  # type: ignore[attr-defined]
        time.sleep(milliseconds / 1000)  # any moment will do
        call.cancel()
        assert jobs.ask(client, place, 4).frontier == 5
        answer = wire.runs.EditRun(request)
    assert (answer.revision, answer.effective_step in (4, 5)) == (2, True)
    (edit,) = client.get_run(place.run).edits
    assert edit.effective_step == answer.effective_step


def test_calls_that_are_given_up_at_once_harm_nobody(client: Client, wire: Wire) -> None:
    place = jobs.begun(client)
    for _ in range(20):
        call = wire.runs.GetRun.future(GetRunRequest(run=place.run))  # type: ignore[attr-defined]
        call.cancel()
        try:
            assert call.result().run.name == place.run  # the answer came before it was given up
        except grpc.FutureCancelledError:
            assert call.cancelled()
    assert jobs.ask(client, place, 1).frontier == 2
