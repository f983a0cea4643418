"""`lrkeeper run`."""

from __future__ import annotations

import click

from lrkeeper.cli.lazy import LazyGroup

_COMMANDS = {
    "list": "lrkeeper.cli.run.listing:list_runs",
    "show": "lrkeeper.cli.run.show:show",
    "history": "lrkeeper.cli.run.history:history",
    "explain": "lrkeeper.cli.run.explain:explain",
    "export": "lrkeeper.cli.run.export:export",
    "set-schedule": "lrkeeper.cli.run.set_schedule:set_schedule",
    "rollback": "lrkeeper.cli.run.rollback:rollback",
    "fork": "lrkeeper.cli.run.fork:fork",
    "finish": "lrkeeper.cli.run.finish:finish",
    "delete": "lrkeeper.cli.run.delete:delete",
}


@click.group(cls=LazyGroup, places=_COMMANDS)
def run() -> None:
    """Look at runs and change them."""
