"""Calling a storage from plain tests."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Engine, event

from lrkeeper.server.storage.contract import Advance, Storage, Transaction
from tests.contract.samples import Record, insert

T = TypeVar("T")

Request: TypeAlias = Advance | Callable[[Transaction], Any]
"""What a storage is asked: rows to store, or work in a transaction."""

_PATIENCE_SECONDS = 60.0


class Calls:
    """A storage, each call in an event loop of its own."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def transact(self, work: Callable[[Transaction], T], *, writes: bool = True) -> T:
        """Return what a transaction returns."""
        return asyncio.run(self.storage.transact(work, writes=writes))

    def store(self, *records: Record) -> None:
        """Store records in one transaction."""
        self.transact(lambda tx: insert(tx, *records))

    def read(self, work: Callable[[Transaction], T]) -> T:
        """Return what a reading transaction returns."""
        return self.transact(work, writes=False)

    def advance(self, advance: Advance) -> bool:
        """Return whether rows were stored."""
        return asyncio.run(self.storage.advance(advance))

    def together(self, *requests: Request) -> list[Any]:
        """Return what requests give, or raise, that arrive while a commit is in flight."""
        return asyncio.run(self._together(requests))

    async def _together(self, requests: tuple[Request, ...]) -> list[Any]:
        with Holder() as holder:
            held = asyncio.create_task(self.storage.transact(holder, writes=False))
            await asyncio.to_thread(holder.wait)
            tasks = [asyncio.create_task(ask(self.storage, request)) for request in requests]
            await asyncio.sleep(0)  # each task runs up to where it waits for its answer
        await held
        return await asyncio.gather(*tasks, return_exceptions=True)


async def ask(storage: Storage, request: Request) -> Any:
    """Put a request to a storage."""
    if isinstance(request, Advance):
        return await storage.advance(request)
    return await storage.transact(request)


class Holder:
    """Work that keeps a storage busy until the `with` block ends."""

    def __init__(self) -> None:
        self._entered, self._released = threading.Event(), threading.Event()

    def __call__(self, _: Transaction) -> None:
        self._entered.set()
        assert self._released.wait(_PATIENCE_SECONDS)

    def wait(self) -> None:
        """Return once the storage is busy with this."""
        assert self._entered.wait(_PATIENCE_SECONDS)

    def __enter__(self) -> Holder:
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()


@contextmanager
def at_commit(engine: Engine, act: Callable[[Any], None]) -> Iterator[None]:
    """Within, call `act` with the connection before each COMMIT, in the thread that commits."""
    event.listen(engine, "commit", act)
    try:
        yield
    finally:
        event.remove(engine, "commit", act)
