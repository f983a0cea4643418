"""The wire: deadlines on everything, and what is tried again."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from typing import Any

import grpc
import pytest

from lrkeeper import Client, RemoteLR, views
from lrkeeper import schedules as S
from lrkeeper.errors import DeadlineExceeded, RunNotFound, ServerUnavailable, UnknownStatus
from lrkeeper.schedules.table import Table
from lrkeeper.v1 import run_service_pb2, schedule_service_pb2, server_service_pb2
from tests.client.cable import cable_to
from tests.client.relay import Relay
from tests.client.training import DEFINITIONS, KINDS, Training, kept, undisturbed
from tests.support.server import ServerProcess

STEP_LR = DEFINITIONS["StepLR"]
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
LATE = grpc.StatusCode.DEADLINE_EXCEEDED
AWAY = (UNAVAILABLE, grpc.StatusCode.CANCELLED)  # CANCELLED: the server's end cut the call short


def a_start(run: str, incarnation: str = "a") -> views.Start:
    group = views.Group(None, "float64", {"lr": 0.1}, {"lr": 0.1})
    return views.Start(run, incarnation, (group,), STEP_LR)


def call_everything(client: Client, run: str) -> set[str]:
    """Call every method of a client; return their names."""
    place = client.acquire_run(a_start(run))
    calls: dict[str, Callable[[], Any]] = {
        "get_server": client.get_server,
        "next_lr": lambda: client.next_lr(place, 1, applied_step=0, revision=1),
        "report_deviation": lambda: client.report_deviation(
            place, Table.from_rows(2, [{"lr": (0.1,)}]), "hold"
        ),
        "edit_run": lambda: client.edit_run(run, S.StepLR(5), expected_revision=1, reason="a test"),
        "get_run": lambda: client.get_run(run),
        "list_runs": lambda: next(client.list_runs()),
        "list_blocks": lambda: next(client.list_blocks(run)),
        "explain": lambda: client.explain(run, 1),
        "fork_run": lambda: client.fork_run(run, f"{run}-fork", 1, reason="a test"),
        "rollback_run": lambda: client.rollback_run(run, 0, expected_revision=2, reason="a test"),
        "finish_run": lambda: client.finish_run(run),
        "delete_run": lambda: client.delete_run(run, force=True),
        "create_schedule": lambda: client.create_schedule(run, STEP_LR),
        "get_schedule": lambda: client.get_schedule(run),
        "list_schedules": lambda: next(client.list_schedules()),
        "list_presets": client.list_presets,
        "update_schedule": lambda: client.update_schedule(
            run, S.StepLR(4), etag=client.get_schedule(run).etag
        ),
        "preview_schedule": lambda: client.preview_schedule(run, 3),
        "delete_schedule": lambda: client.delete_schedule(run),
    }
    for call in calls.values():
        call()
    return {"acquire_run", *calls}


def test_every_call_has_a_deadline(relay: Relay, run: str) -> None:
    with Client(relay.address) as client:
        called = call_everything(client, run)
    assert called == {
        name
        for name, method in inspect.getmembers(Client, inspect.isfunction)
        if not name.startswith("_") and name != "close"
    }
    services = [
        module.DESCRIPTOR.services_by_name[name]
        for module, name in (
            (run_service_pb2, "RunService"),
            (schedule_service_pb2, "ScheduleService"),
            (server_service_pb2, "ServerService"),
        )
    ]
    assert relay.calls.keys() == {method.name for service in services for method in service.methods}
    assert {name: deadline for name, deadline in relay.deadlines.items() if deadline is None} == {}


@pytest.mark.usefixtures("step_by_step")
@pytest.mark.parametrize("kind", KINDS)
def test_a_jobs_calls_have_deadlines_too(relay: Relay, kind: str) -> None:
    training = Training()
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, 2)
    scheduler.load_state_dict(scheduler.state_dict())
    training.epochs(scheduler, 2)
    scheduler.finish()
    assert relay.calls["NextLr"] == 4
    assert None not in relay.deadlines.values()


# What is tried again.


@pytest.mark.usefixtures("step_by_step")
@pytest.mark.parametrize("status", AWAY)
def test_a_server_that_is_away_for_a_moment_is_asked_again(
    relay: Relay, run: str, status: grpc.StatusCode
) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, STEP_LR, run=run)
    relay.refuse["AcquireRun"] = [status] * 3
    relay.refuse["NextLr"] = [status] * 3
    assert training.epochs(scheduler, 3) == undisturbed("StepLR", 3)
    assert (relay.calls["AcquireRun"], relay.calls["NextLr"]) == (4, 6)


@pytest.mark.usefixtures("step_by_step")
def test_an_answer_that_got_lost_is_given_again(relay: Relay, client: Client, run: str) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, STEP_LR, run=run)
    relay.lose = {"AcquireRun": 2, "NextLr": 2}
    assert training.epochs(scheduler, 3) == undisturbed("StepLR", 3)
    assert (relay.calls["AcquireRun"], relay.calls["NextLr"]) == (3, 5)
    stored = client.get_run(run)
    assert (stored.fence, stored.frontier) == (1, 4)


def test_the_pauses_are_drawn_so_that_many_clients_do_not_come_back_as_one(
    relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    sleep = time.sleep

    def noted(seconds: float) -> None:
        pauses.append(seconds)
        sleep(seconds / 10)

    monkeypatch.setattr("lrkeeper.connection.time.sleep", noted)
    drawn = []
    for _ in range(2):
        relay.refuse["GetServer"] = [UNAVAILABLE] * 5
        with Client(relay.address, patience=30) as client:
            client.get_server()
        drawn.append(tuple(pauses))
        pauses.clear()
    assert min(map(len, drawn)) >= 5
    assert drawn[0] != drawn[1]
    assert all(0 < pause <= 1 for one in drawn for pause in one)
    assert all(one[-1] > one[0] for one in drawn), "they do not grow"


def test_without_patience_nothing_is_tried_again(relay: Relay) -> None:
    with Client(relay.address) as client:
        client.get_server()
        relay.refuse["GetServer"] = [UNAVAILABLE]
        with pytest.raises(ServerUnavailable, match=relay.address):
            client.get_server()
    assert relay.calls["GetServer"] == 2


def test_patience_has_an_end(relay: Relay) -> None:
    with Client(relay.address, patience=0.2) as client:
        relay.refuse["GetServer"] = [UNAVAILABLE] * 1000
        with pytest.raises(ServerUnavailable):
            client.get_server()
    assert 1 < relay.calls["GetServer"] < 1000


@pytest.mark.parametrize(
    "status", [code for code in grpc.StatusCode if code not in (grpc.StatusCode.OK, *AWAY, LATE)]
)
def test_no_other_status_is_tried_again(relay: Relay, status: grpc.StatusCode) -> None:
    with Client(relay.address, patience=30) as client:
        relay.refuse["GetServer"] = [status]
        with pytest.raises(UnknownStatus) as caught:
            client.get_server()
    assert relay.calls["GetServer"] == 1
    assert caught.value.details["status"] == status.name


def test_a_refusal_with_a_reason_is_not_tried_again(relay: Relay, run: str) -> None:
    with Client(relay.address, patience=30) as client, pytest.raises(RunNotFound, match=run):
        client.get_run(run)
    assert relay.calls["GetRun"] == 1


def test_an_answer_that_comes_too_late_is_an_error_without_patience(relay: Relay, run: str) -> None:
    with Client(relay.address, timeout=0.3) as client:
        place = client.acquire_run(a_start(run))
        relay.hold["NextLr"] = threading.Event()
        with pytest.raises(DeadlineExceeded, match=f"{relay.address} did not answer within its deadline"):
            client.next_lr(place, 1, applied_step=0, revision=1)
        assert relay.calls["NextLr"] == 1
        relay.hold.pop("NextLr").set()
        # Whether it acted is unknown; to ask again is safe, and changes nothing.
        window = client.next_lr(place, 1, applied_step=0, revision=1)
        assert window.table is not None
        assert (window.frontier, window.table.row(1)["lr"]) == (2, (0.1,))


def test_with_patience_a_late_answer_is_asked_for_again(relay: Relay, run: str) -> None:
    with Client(relay.address, patience=30) as client:
        place = client.acquire_run(a_start(run))
        relay.refuse["NextLr"] = [LATE] * 3
        window = client.next_lr(place, 1, applied_step=0, revision=1)
    assert (relay.calls["NextLr"], window.frontier) == (4, 2)


def test_a_call_that_takes_long_is_not_made_again_when_it_is_late(relay: Relay, run: str) -> None:
    with Client(relay.address, patience=30) as client:
        client.acquire_run(a_start(run))
        relay.refuse["EditRun"] = [LATE]
        with pytest.raises(DeadlineExceeded):
            client.edit_run(run, S.StepLR(5), expected_revision=1, reason="a test")
    assert relay.calls["EditRun"] == 1


def test_each_late_try_is_given_more_time(relay: Relay) -> None:
    given: list[float | None] = []
    with Client(relay.address, patience=30) as client:
        for _ in range(4):
            relay.refuse["GetServer"] = [LATE] * len(given)
            client.get_server()
            given.append(relay.deadlines["GetServer"])
    assert [round(one) for one in given if one] == [3, 3, 6, 10]


def test_after_two_deadlines_the_connection_is_made_anew(relay: Relay) -> None:
    with Client(relay.address, timeout=0.3) as client:
        client.get_server()
        channel = client._connection._channel
        relay.hold["GetServer"] = threading.Event()
        for _ in range(2):
            assert client._connection._channel is channel
            with pytest.raises(DeadlineExceeded):
                client.get_server()
        assert client._connection._channel is not channel
        relay.hold.pop("GetServer").set()
        client.get_server()


@pytest.mark.parametrize("others", [0, 1])
def test_a_connection_that_was_cut_unnoticed_is_replaced(server: ServerProcess, others: int) -> None:
    """A half-open connection: nothing is refused, nothing comes. Another client may have the same one."""
    with cable_to(server.address) as cable, ExitStack() as stack:
        for _ in range(others):
            stack.enter_context(Client(cable.address)).get_server()
        client = stack.enter_context(Client(cable.address, timeout=0.5))
        client.get_server()
        cable.cut()
        for _ in range(2):
            with pytest.raises(DeadlineExceeded):
                client.get_server()
        client.get_server()


def test_a_connection_may_take_seconds_to_be_made(server: ServerProcess) -> None:
    with cable_to(server.address) as cable, Client(cable.address) as client:
        cable.join_after = 1.5
        client.get_server()


@pytest.mark.parametrize("status", AWAY)
@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_is_away_for_a_moment_is_asked_again_at_construction(
    relay: Relay, status: grpc.StatusCode, kind: str
) -> None:
    relay.refuse["GetServer"] = [status] * 3
    training = Training()
    scheduler = kept(kind, training.optimizer)
    assert training.epochs(scheduler, 2) == undisturbed(kind.split()[0], 2)
    assert not relay.refuse["GetServer"]


@pytest.mark.usefixtures("step_by_step")
def test_a_jobs_step_outlives_a_cut_that_nobody_notices(
    server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    training = Training()
    with cable_to(server.address) as cable:
        monkeypatch.setenv("LRKEEPER_SERVER", cable.address)
        scheduler = RemoteLR(training.optimizer, STEP_LR, on_outage="wait", max_stall=10)
        training.epochs(scheduler, 2)
        cable.cut()
        started = time.monotonic()
        training.epochs(scheduler, 1)
        print(f"recovered after {time.monotonic() - started:.1f} s")
        training.epochs(scheduler, 2)
    assert training.used == undisturbed("StepLR", 5)


def test_a_cut_under_a_fetch_in_the_background_is_got_over_there(
    server: ServerProcess, client: Client, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lrkeeper.connection._QUICK_SECONDS", 0.1)
    training = Training()
    with cable_to(server.address) as cable:
        monkeypatch.setenv("LRKEEPER_SERVER", cable.address)
        scheduler = RemoteLR(training.optimizer, STEP_LR, run=run, horizon=0.3, on_outage="wait")
        training.epochs(scheduler, 1)
        for fetch in range(8):
            if fetch in (3, 7):  # a window has the pace of this loop by now
                cable.cut()
            before = client.get_run(run).frontier
            while client.get_run(run).frontier == before:
                training.epochs(scheduler, 1)
    assert training.used == undisturbed("StepLR", len(training.used))


# A server that goes away under a job.


@pytest.mark.parametrize("kind", ["StepLR drop-in", "SequentialLR RemoteLR"])
def test_a_job_goes_on_with_the_same_values_after_the_server_was_killed(
    own_server: ServerProcess, kind: str
) -> None:
    training = Training()
    scheduler = kept(kind, training.optimizer)
    for _ in range(2):
        training.epochs(scheduler, 3)
        training.update()
        own_server.kill()
        back = threading.Thread(target=own_server.start)
        back.start()
        scheduler.step()
        back.join()
    assert training.used == undisturbed(kind.split()[0], 8)


@pytest.mark.usefixtures("step_by_step")
def test_a_server_that_stays_away_ends_the_step_and_nothing_has_moved(own_server: ServerProcess) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, STEP_LR, max_stall=0.2, on_outage="wait")
    training.epochs(scheduler, 2)
    training.update()
    before = scheduler.state_dict(), training.lrs(), scheduler.last_epoch
    own_server.kill()
    for _ in range(2):
        with pytest.raises(ServerUnavailable, match=own_server.address):
            scheduler.step()
    assert (scheduler.state_dict(), training.lrs(), scheduler.last_epoch) == before
    own_server.start()
    while scheduler.last_epoch == 2:  # the channel comes back within a second or two
        with suppress(ServerUnavailable):
            scheduler.step()
    training.epochs(scheduler, 3)
    assert training.used == undisturbed("StepLR", 6)


@pytest.mark.usefixtures("step_by_step")
def test_a_server_that_is_away_when_a_state_is_loaded_changes_nothing(own_server: ServerProcess) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, STEP_LR)
    training.epochs(scheduler, 4)
    state = scheduler.state_dict()
    second = Training()
    resumed = RemoteLR(second.optimizer, STEP_LR, max_stall=0.2)
    before = resumed.state_dict(), second.lrs()
    own_server.kill()
    with pytest.raises(ServerUnavailable):
        resumed.load_state_dict(state)
    assert (resumed.state_dict(), second.lrs()) == before
    own_server.start()
    while resumed.last_epoch == 0:  # the channel comes back within a second or two
        with suppress(ServerUnavailable):
            resumed.load_state_dict(state)
    assert second.epochs(resumed, 3) == undisturbed("StepLR", 7)[4:]


def test_a_closed_client_says_that_it_is_closed(server: ServerProcess) -> None:
    client = Client(server.address)
    client.get_server()
    client.close()
    client.close()
    with pytest.raises(Exception, match=r"(?i)closed"):
        client.get_server()


def test_several_threads_share_a_client(client: Client, run: str) -> None:
    place = client.acquire_run(a_start(run))
    found: list[tuple[float, ...]] = []

    def ask() -> None:
        for step in range(1, 21):
            window = client.next_lr(place, step, applied_step=step - 1, revision=1)
            assert window.table is not None
            found.append(window.table.row(step)["lr"])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 80
    assert len(set(found)) == 11  # a drop at every second step of 20
