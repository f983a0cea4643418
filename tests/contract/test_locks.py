"""What a transaction has read of a run or schedule stays so until it ends, whatever other servers do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from lrkeeper.server.storage.contract import Transaction
from lrkeeper.server.storage.engine import make_engine, parse_url
from lrkeeper.server.storage.sql import SqlStorage
from tests.contract.calls import Calls
from tests.contract.samples import a_run, a_schedule
from tests.support.databases import Database

RUN = a_run(name="run")
SCHEDULE = a_schedule(name="schedule")


@pytest.fixture
def replica(calls: Calls, database: Database) -> Iterator[Calls]:
    """Another server's storage on the same database."""
    storage = SqlStorage(make_engine(parse_url(database.url)))
    yield Calls(storage)
    storage.close()


@pytest.mark.parametrize(
    "read",
    [
        lambda tx: tx.run_by_uid(RUN.uid),
        lambda tx: tx.run_by_name("run"),
        lambda tx: tx.schedule("schedule"),
        lambda tx: tx.schedule("schedule", 1),
    ],
    ids=["run_by_uid", "run_by_name", "schedule", "schedule of a revision"],
)
def test_a_row_that_one_server_has_read_is_not_read_by_another_before_the_end(
    calls: Calls, replica: Calls, read: Callable[[Transaction], object]
) -> None:
    calls.store(RUN, SCHEDULE)
    ours_has_it, theirs_has_it = threading.Event(), threading.Event()
    early: list[bool] = []

    def ours(tx: Transaction) -> None:
        assert read(tx) is not None
        ours_has_it.set()
        early.append(theirs_has_it.wait(0.3))

    def theirs() -> None:
        assert ours_has_it.wait(60)
        replica.transact(read)
        theirs_has_it.set()

    other = threading.Thread(target=theirs)
    other.start()
    calls.transact(ours)
    other.join()
    assert early == [False]
    assert theirs_has_it.is_set()
