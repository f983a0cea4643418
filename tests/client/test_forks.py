"""Processes that fork beside a live client: DataLoader workers, and children that use what they must not."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from lrkeeper import Client, RemoteLR
from lrkeeper.errors import LrkeeperError
from tests.client.relay import Relay
from tests.client.training import DEFINITIONS, KINDS, Training, kept, undisturbed
from tests.support.server import ServerProcess

_fork = multiprocessing.get_context("fork")


def in_fork(function: Callable[[], Any]) -> tuple[str, str]:
    """Run a function in a forked child; return the class and text of what it raised, or "" and its result."""
    ours, theirs = _fork.Pipe(duplex=False)

    def child() -> None:
        try:
            theirs.send(("", repr(function())))
        except LrkeeperError as error:
            theirs.send((type(error).__name__, str(error)))

    process = _fork.Process(target=child)
    process.start()
    theirs.close()
    try:
        assert ours.poll(60), "the child hangs"
        found: tuple[str, str] = ours.recv()
    finally:
        process.kill()
        process.join()
    return found


def test_a_forked_child_may_not_use_its_parents_client(client: Client) -> None:
    client.get_server()
    error, said = in_fork(client.get_server)
    assert error == "UsedAfterFork"
    assert f"belongs to process {os.getpid()}" in said
    assert "make a client of its own in each process" in said
    client.get_server()


def test_a_client_that_a_child_closes_stays_open(client: Client) -> None:
    client.get_server()
    assert in_fork(client.close) == ("", "None")
    client.get_server()


def test_a_fork_waits_for_no_call_that_takes_long_and_the_call_is_made_again(relay: Relay) -> None:
    with Client(relay.address) as client, ThreadPoolExecutor(1) as pool:
        relay.hold["GetServer"] = threading.Event()
        call = pool.submit(client.get_server)
        while not relay.calls["GetServer"]:
            time.sleep(0.001)
        assert in_fork(lambda: 1) == ("", "1")
        relay.hold.pop("GetServer").set()
        call.result()
    assert relay.calls["GetServer"] == 2


def test_a_signals_handler_may_fork_amid_a_call(relay: Relay) -> None:
    forked: list[tuple[str, str]] = []
    before = signal.signal(signal.SIGUSR1, lambda *_: forked.append(in_fork(lambda: 1)))
    main = threading.get_ident()

    def interrupt() -> None:
        while not relay.calls["GetServer"]:
            time.sleep(0.001)
        signal.pthread_kill(main, signal.SIGUSR1)
        while not forked:
            time.sleep(0.001)
        relay.hold.pop("GetServer").set()

    try:
        with Client(relay.address) as client, ThreadPoolExecutor(1) as pool:
            relay.hold["GetServer"] = threading.Event()
            interrupter = pool.submit(interrupt)
            client.get_server()
            interrupter.result()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert forked == [("", "1")]


@pytest.mark.usefixtures("step_by_step")
@pytest.mark.parametrize("kind", KINDS)
def test_a_forked_child_may_not_step_its_parents_scheduler(server: ServerProcess, kind: str) -> None:
    training = Training()
    scheduler = kept(kind, training.optimizer)
    training.epochs(scheduler, 3)
    assert in_fork(scheduler.step)[0] == "UsedAfterFork"
    assert training.epochs(scheduler, 3) == undisturbed(kind.split()[0], 6)[3:]


def test_a_forked_child_may_not_open_its_parents_run(client: Client, run: str) -> None:
    training = Training()
    scheduler = RemoteLR(training.optimizer, DEFINITIONS["StepLR"], run=run)
    for use in (scheduler.get_last_lr, training.update, scheduler.step):
        assert in_fork(use)[0] == "UsedAfterFork"
    assert training.epochs(scheduler, 3) == undisturbed("StepLR", 3)
    assert client.get_run(run).fence == 1


def test_a_forked_child_may_read_what_is_there(server: ServerProcess) -> None:
    """As a worker does that is handed the scheduler's state to save it."""
    training = Training()
    scheduler = kept("StepLR drop-in", training.optimizer)
    training.epochs(scheduler, 3)
    assert in_fork(scheduler.get_last_lr) == ("", repr(scheduler.get_last_lr()))
    assert in_fork(scheduler.state_dict) == ("", repr(scheduler.state_dict()))


@pytest.mark.parametrize("kind", ["StepLR drop-in", "SequentialLR RemoteLR"])
def test_loader_workers_fork_beside_a_live_client(server: ServerProcess, kind: str) -> None:
    training = Training()
    scheduler = kept(kind, training.optimizer)
    images = TensorDataset(torch.ones(16, 2))
    loader = DataLoader(images, batch_size=4, num_workers=2, multiprocessing_context="fork")
    for _ in range(4):
        batches = 0
        for (batch,) in loader:
            training.optimizer.zero_grad()
            training.model(batch).sum().backward()
            training.take_step()
            batches += 1
        assert batches == 4
        scheduler.step()
    assert training.used[::4] == undisturbed(kind.split()[0], 4)
