"""`lrkeeper` with one thing altered, so that a test can see a fault happen, or see itself fail.

Run as `python altered_server.py ALTERATION[=ARGUMENT] serve …`; everything but the alteration is the
command line that users run.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import URL

from lrkeeper.cli import main
from lrkeeper.server import app
from lrkeeper.server.storage.contract import Advance
from lrkeeper.server.storage.sql import SqlStorage
from lrkeeper.server.usecases import runs, schedules

SECRET = "the text of an exception that nobody outside may see"


def command(alteration: str) -> tuple[str, ...]:
    """Return the command of a server with an alteration, for `ServerProcess`."""
    # -P: the folder of this file is no place to import from.
    return (sys.executable, "-P", str(Path(__file__).resolve()), alteration)


def synchronous(level: str) -> None:
    """SQLite waits for the disk as `level` says, not as it must."""

    def make_weak(make_engine: Callable[[URL], Engine], url: URL) -> Engine:
        engine = make_engine(url)

        @event.listens_for(engine, "connect")
        def weaken(connection: Any, _record: Any) -> None:
            connection.execute(f"PRAGMA synchronous={level}")

        return engine

    _alter(app, "make_engine", make_weak)


def answers_before_commit(_: str) -> None:
    """A run's next rows count as stored from when they are handed to the storage."""
    stored: dict[str, asyncio.Future[bool]] = {}

    async def answer_first(
        advance: Callable[..., Any], storage: SqlStorage, rows: Advance, meanwhile: Callable[[], None]
    ) -> bool:
        if rows.run_uid in stored:
            await stored[rows.run_uid]
        stored[rows.run_uid] = asyncio.ensure_future(advance(storage, rows, meanwhile))
        return True

    _alter(SqlStorage, "advance", answer_first)


def steps_wait_for(path: str) -> None:
    """No run moves on until a file is there; the file `path`.waiting says that one waits."""

    async def wait(
        advance: Callable[..., Any], storage: SqlStorage, rows: Advance, meanwhile: Callable[[], None]
    ) -> Any:
        Path(f"{path}.waiting").touch()
        while not Path(path).exists():
            await asyncio.sleep(0.005)
        return await advance(storage, rows, meanwhile)

    _alter(SqlStorage, "advance", wait)


def update_dies_at(count: str) -> None:
    """The server is killed when an update of a schedule comes to its follower number `count`."""
    left = int(count)

    async def edit_or_die(edit_run: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        nonlocal left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return await edit_run(*arguments, **options)

    _alter(schedules, "edit_run", edit_or_die)


def get_run_fails(_: str) -> None:
    """GetRun has a fault that is no error of lrkeeper's."""

    async def fail(_get_run: Callable[..., Any], *_: Any) -> Any:
        raise RuntimeError(SECRET)

    _alter(runs, "get_run", fail)


ALTERATIONS: dict[str, Callable[[str], None]] = {
    "synchronous": synchronous,
    "answers-before-commit": answers_before_commit,
    "steps-wait-for": steps_wait_for,
    "update-dies-at": update_dies_at,
    "get-run-fails": get_run_fails,
}


def _alter(owner: object, name: str, by: Callable[..., Any]) -> None:
    """Put a function in another's place, which it is given first. To alter what is not there is an error."""
    before = getattr(owner, name)

    def altered(*arguments: Any, **options: Any) -> Any:
        return by(before, *arguments, **options)

    setattr(owner, name, altered)


if __name__ == "__main__":
    name, _, argument = sys.argv.pop(1).partition("=")
    ALTERATIONS[name](argument)
    main()
