"""Batches that the writer's process commits, while the event loop does something else."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from lrkeeper.server.runs.records import Run
from lrkeeper.server.storage.engine import make_engine, parse_url, prepare_schema
from lrkeeper.server.storage.sql import SqlStorage
from tests.contract.calls import Calls
from tests.contract.samples import a_run, advance_of


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[SqlStorage]:
    """A storage on SQLite, with its writer."""
    engine = make_engine(parse_url(f"sqlite:///{tmp_path / 'runs.sqlite3'}"))
    prepare_schema(engine)
    storage = SqlStorage(engine)
    yield storage
    storage.close()


@pytest.fixture
def writer(storage: SqlStorage) -> psutil.Process:
    """The process that commits."""
    assert storage._writer is not None
    return psutil.Process(storage._writer._process.pid)


@pytest.fixture
def runs(storage: SqlStorage) -> list[Run]:
    """Some runs at step 1."""
    runs = [a_run() for _ in range(5)]
    Calls(storage).store(*runs)
    return runs


def test_what_is_wanted_meanwhile_is_done_before_the_commit_is_known(
    storage: SqlStorage, writer: psutil.Process, runs: list[Run]
) -> None:
    async def scene() -> list[str]:
        happened: list[str] = []
        writer.suspend()
        waits = asyncio.ensure_future(
            storage.advance(advance_of(runs[0]), lambda: happened.append("meanwhile"))
        )
        waits.add_done_callback(lambda _: happened.append("answered"))
        while not happened:
            await asyncio.sleep(0)
        happened.append("resumed")
        writer.resume()
        assert await waits is True
        return happened

    assert asyncio.run(scene()) == ["meanwhile", "resumed", "answered"]


def test_one_that_fails_meanwhile_harms_nobody(storage: SqlStorage, runs: list[Run]) -> None:
    def fails() -> None:
        raise RuntimeError("a fault")

    async def scene() -> list[bool]:
        return await asyncio.gather(*(storage.advance(advance_of(run), fails) for run in runs))

    assert asyncio.run(scene()) == [True] * len(runs)


def test_a_conflict_that_the_writer_finds_is_told_to_the_one_whose_it_is(
    storage: SqlStorage, runs: list[Run]
) -> None:
    async def scene() -> list[bool]:
        stale = replace(runs[1], fence=9)
        return await asyncio.gather(*(storage.advance(advance_of(run)) for run in (runs[0], stale, runs[2])))

    assert asyncio.run(scene()) == [True, False, True]


def test_a_batch_that_is_longer_than_a_pipe_is_stored(storage: SqlStorage, runs: list[Run]) -> None:
    """The loop would wait for the writer to read it."""
    count = 30_000

    async def scene() -> list[bool]:
        return await asyncio.gather(*(storage.advance(advance_of(run, count)) for run in runs))

    assert asyncio.run(scene()) == [True] * len(runs)
    (block,) = Calls(storage).read(lambda tx: tx.blocks(runs[0].uid, 1, 1, count))
    assert block == advance_of(runs[0], count).blocks[0]


def test_closing_waits_for_a_batch_that_the_writer_has(
    storage: SqlStorage, writer: psutil.Process, runs: list[Run]
) -> None:
    async def scene() -> list[bool]:
        handed_over = asyncio.Event()
        writer.suspend()
        first = asyncio.ensure_future(storage.advance(advance_of(runs[0]), handed_over.set))
        await handed_over.wait()
        second = asyncio.ensure_future(storage.advance(advance_of(runs[1])))
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(asyncio.to_thread(storage.close))
        await asyncio.sleep(0)
        writer.send_signal(signal.SIGCONT)
        await closing
        return [await first, await second]

    assert asyncio.run(scene()) == [True, True]


def test_a_storage_goes_on_after_a_loop_that_was_closed_over_a_batch(
    storage: SqlStorage, writer: psutil.Process, runs: list[Run]
) -> None:
    async def leave() -> None:
        handed_over = asyncio.Event()
        task = asyncio.ensure_future(storage.advance(advance_of(runs[0]), handed_over.set))
        await handed_over.wait()
        task.cancel()

    writer.suspend()
    asyncio.run(leave())
    writer.resume()
    calls = Calls(storage)
    assert calls.advance(advance_of(runs[1])) is True
    stored = calls.read(lambda tx: [tx.run_by_uid(run.uid) for run in runs])
    assert [run.frontier for run in stored if run is not None] == [2, 2, 1, 1, 1]
