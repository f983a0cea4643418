"""`lrkeeper demo`: real training jobs, a real server, a real crash."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

import click

from lrkeeper.cli.extras import needs


@click.command()
@click.option(
    "--keep",
    type=click.Path(file_okay=False, writable=True, path_type=Path),
    metavar="DIR",
    help="Keep the database, the logs and the checkpoints in DIR, and say how to look at them.",
)
def demo(keep: Path | None) -> None:
    """Train on handwritten digits, kill everything, resume, and change a live schedule.

    Starts a server of its own on a free port and a new database; takes less than a minute, and leaves
    nothing behind unless told to.
    """
    with needs("demo"):
        for package in ("torch", "sklearn", "sqlalchemy"):
            if find_spec(package) is None:
                raise ImportError(name=package)
        from lrkeeper.cli.demo import story
        from lrkeeper.cli.demo.plan import DATABASE
        from lrkeeper.cli.demo.processes import DemoFailed
        from lrkeeper.cli.demo.screen import Screen

    with ExitStack() as stack:
        stack.enter_context(_endings_unwind())
        screen = stack.enter_context(Screen())
        folder = keep.resolve() if keep else Path(stack.enter_context(_temporary()))
        if (folder / DATABASE).exists():
            raise click.UsageError(f"{folder} has the database of a demo already; name another directory")
        folder.mkdir(parents=True, exist_ok=True)
        try:
            edited_at = story.tell(folder, screen)
        except DemoFailed as failed:
            if keep:
                raise
            raise DemoFailed(f"{failed.message}\n(--keep DIR keeps all logs)") from failed
        if keep:
            screen.show_kept(folder, edited_at)


def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="lrkeeper-demo-")


@contextmanager
def _endings_unwind() -> Iterator[None]:
    """Let SIGTERM and SIGHUP end the demo as Ctrl-C does: what it started is ended first."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
